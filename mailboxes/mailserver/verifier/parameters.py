"""Compare Postfix's parameters and services with what the panel's rows need."""

import ipaddress
from collections import Counter
from collections.abc import Iterator

from django.conf import settings

from domains.models import Domain
from domains.patterns import DEFAULT_TRANSPORTS
from mailadmin.translation import gettext as _
from mailboxes.mailserver.checks.access import has_sender_restriction, iter_smtpd_services
from mailboxes.mailserver.config_parser.maps import iter_map_references
from mailboxes.mailserver.config_parser.postfix import (
    PostfixFiles,
    parse_setting,
    split_logical_lines,
)
from mailboxes.mailserver.config_parser.services import MasterService
from mailboxes.mailserver.generator.choices import DATABASE_ACCOUNTS, MailServerOptions
from mailboxes.mailserver.generator.files import PANEL_FOLDER, generate_files
from mailboxes.mailserver.routing_config import find_virtual_agent_error
from mailboxes.mailserver.verifier.comparing import (
    PANEL_MAP_RE,
    Difference,
    filter_by_domains,
    find_transports,
    is_panel_config,
)
from mailboxes.mailserver.verifier.programs import LivePostfix
from mailboxes.models import Vacation

MAIN_CF, MASTER_CF = "main.cf", "master.cf"
RELAY_RESTRICTIONS, RECIPIENT_RESTRICTIONS = (
    "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions",
)
REJECTING_RESTRICTIONS = {
    "reject_unauth_destination",
    "defer_unauth_destination",
    "reject",
    "defer",
}
PERMITTING_RESTRICTIONS = {"permit", "static:ok", "static:permit"}
MIN_NETWORK_PREFIX = 8  # bits of a network that may relay; shorter ones are too large to be own


def find_parameter_differences(
    live: LivePostfix, domains: list[str] | None, counts: Counter[str]
) -> Iterator[Difference]:
    """Yield the differences in main.cf and master.cf, overrides of services included."""
    files = live.files
    for name, found in (
        ("virtual_transport", check_virtual_transport(files)),
        (MASTER_CF, check_transport_services(files, domains)),
        (RELAY_RESTRICTIONS, check_relaying(files)),
        (RECIPIENT_RESTRICTIONS, check_restrictions(files)),
        ("mynetworks", check_mynetworks(files)),
        ("mydestination", check_mydestination(files)),
        ("recipient_delimiter", check_recipient_delimiter(files)),
        ("smtpd_sasl_auth_enable", check_submission(files)),
        ("transport_maps", check_vacation_transport(live)),
    ):
        yield from found
        counts[name] += 1


def check_virtual_transport(files: PostfixFiles) -> Iterator[Difference]:
    """Check that mail for mailboxes goes to a service that exists and is complete."""
    value = files.value("virtual_transport")
    service = files.service(value.partition(":")[0], "unix")
    if service is None:
        yield Difference(MAIN_CF, "virtual_transport", _("a service of master.cf"), value)
    elif service.command == "virtual" and (
        is_panel_config(files) or is_virtual_incomplete(files, service)
    ):
        yield Difference(MAIN_CF, "virtual_transport", _("delivery by Dovecot"), value)


def is_virtual_incomplete(files: PostfixFiles, service: MasterService) -> bool:
    """Check for virtual(8) without a mail folder, an owner, or a sufficient size limit."""
    own = files.for_service(service)
    return bool(find_virtual_agent_error(files, service)) or not own.value("virtual_mailbox_base")


def check_transport_services(
    files: PostfixFiles, domains: list[str] | None
) -> Iterator[Difference]:
    """Check that each service named by a transport of the panel is in master.cf."""
    known = {service.name for service in files.services if service.type in ("unix", "pass")}
    rows = filter_by_domains(Domain.objects.filter(active=True), "pk", domains)
    pairs = [*find_transports(domains).filter(active=True).values_list("pk", "transport")]
    pairs += rows.exclude(transport__in=DEFAULT_TRANSPORTS).values_list("pk", "transport")
    for key, transport in pairs:
        name = transport.partition(":")[0]
        if name and name not in known:
            yield Difference(key, MASTER_CF, name, "")


def iter_smtpd_servers(files: PostfixFiles) -> Iterator[tuple[str, PostfixFiles]]:
    """Yield the name of each SMTP server in the network, and its view of the configuration."""
    for service, view in iter_smtpd_services(files):
        if service.type in ("inet", "pass"):
            yield service.name, view


def check_relaying(files: PostfixFiles) -> Iterator[Difference]:
    """Check that no server relays for clients that are not authorized."""
    for name, view in iter_smtpd_servers(files):
        lists = [view.words(RELAY_RESTRICTIONS), view.words(RECIPIENT_RESTRICTIONS)]
        if not any(is_closed_relay(words) for words in lists):
            expected = "reject_unauth_destination"
            yield Difference(
                f"{MASTER_CF}: {name}", RELAY_RESTRICTIONS, expected, ", ".join(lists[0])
            )


def is_closed_relay(words: list[str]) -> bool:
    """Check that a list refuses unauthorized clients before it permits everybody."""
    for word in words:
        if word in REJECTING_RESTRICTIONS:
            return True
        if permits_everybody(word):
            return False
    return False


def permits_everybody(word: str) -> bool:
    return word.lower() in PERMITTING_RESTRICTIONS


def check_restrictions(files: PostfixFiles) -> Iterator[Difference]:
    """Check for the panel's restrictions in their order, with others between them."""
    if not is_panel_config(files):
        return
    public_servers = [
        pair for pair in iter_smtpd_servers(files) if not pair[1].is_yes("smtpd_sasl_auth_enable")
    ]
    for name, expected in get_panel_restrictions().items():
        for service, view in public_servers:
            found = [normalize_map_name(word) for word in view.words(name)]
            if not contains_restrictions(name, expected, found):
                key = f"{MASTER_CF}: {service}" if name in view.overrides else MAIN_CF
                yield Difference(key, name, ", ".join(expected), ", ".join(found))


def contains_restrictions(name: str, expected: list[str], found: list[str]) -> bool:
    """Check that a list has the expected restrictions, and permits nobody besides."""
    rest = iter(found)
    is_whole = all(word in rest for word in expected)
    extra = [word for word in found if word not in expected]
    is_wider = name == RELAY_RESTRICTIONS and any(word.startswith("permit") for word in extra)
    return is_whole and not is_wider and not any(map(permits_everybody, extra))


def get_panel_restrictions() -> dict[str, list[str]]:
    """Return the restriction lists of the panel's own main.cf."""
    choices = MailServerOptions(passwords=dict.fromkeys(DATABASE_ACCOUNTS, ""))
    text = next(file.text for file in generate_files(choices) if file.name == MAIN_CF)
    return {
        setting.name: [normalize_map_name(word) for word in setting.value.replace(",", " ").split()]
        for setting in map(parse_setting, split_logical_lines(MAIN_CF, text))
        if setting and setting.name in (RELAY_RESTRICTIONS, RECIPIENT_RESTRICTIONS)
    }


def normalize_map_name(word: str) -> str:
    """Return a map of the panel without its path."""
    match = PANEL_MAP_RE.fullmatch(word)
    return f"{PANEL_FOLDER}/{match[1]}.cf" if match else word


def check_mynetworks(files: PostfixFiles) -> Iterator[Difference]:
    for word in files.words("mynetworks"):
        try:
            network = ipaddress.ip_network(word.replace("[", "").replace("]", ""), strict=False)
        except ValueError:
            continue
        if network.prefixlen < MIN_NETWORK_PREFIX:
            yield Difference(MAIN_CF, "mynetworks", _("only your own networks"), word)


def check_mydestination(files: PostfixFiles) -> Iterator[Difference]:
    """Check that no domain of the panel is a local domain too."""
    local = {name for name, _line in files.names("mydestination")}
    for name in Domain.objects.filter(pk__in=local, active=True).values_list("pk", flat=True):
        yield Difference(name, "mydestination", "", name)


def check_recipient_delimiter(files: PostfixFiles) -> Iterator[Difference]:
    expected, found = settings.MAILADMIN_RECIPIENT_DELIMITER, files.value("recipient_delimiter")
    if set(expected) != set(found):
        yield Difference(MAIN_CF, "recipient_delimiter", expected, found)


def check_submission(files: PostfixFiles) -> Iterator[Difference]:
    """Check that some server offers login, and lets users send only as themselves."""
    if not is_panel_config(files):
        return
    views = [
        (name, view)
        for name, view in iter_smtpd_servers(files)
        if view.is_yes("smtpd_sasl_auth_enable")
    ]
    if not views:
        yield Difference(MASTER_CF, "smtpd_sasl_auth_enable", "yes", "no")
    for name, view in views:
        key = f"{MASTER_CF}: {name}"
        if not has_sender_restriction(view):
            yield Difference(key, "smtpd_sender_restrictions", "reject_sender_login_mismatch", "")
        elif not list(iter_map_references(view.value("smtpd_sender_login_maps"))):
            yield Difference(key, "smtpd_sender_login_maps", _("a map"), "")


def check_vacation_transport(live: LivePostfix) -> Iterator[Difference]:
    """Check that mail for the vacation domain goes to a service of master.cf."""
    if not Vacation.objects.filter(active=True).exists():
        return
    domain = settings.MAILADMIN_VACATION_DOMAIN
    found = live.lookup_in_files("transport_maps", [domain]).get(domain, "")
    if not found.strip(":") or live.files.service(found.partition(":")[0], "unix") is None:
        yield Difference(domain, "transport_maps", _("a service of master.cf"), found)
