"""Postfix's parameters and services beside what the panel's rows need."""

import ipaddress
from collections.abc import Iterator

from django.conf import settings
from django.utils.translation import gettext as _

from domains.models import Domain, Transport
from domains.services.transports import filter_transports_by_domains
from mailboxes.mailserver.checks.access import has_sender_restriction
from mailboxes.mailserver.config_parser.maps import iter_map_references
from mailboxes.mailserver.config_parser.postfix import (
    PostfixFiles,
    parse_setting,
    split_logical_lines,
)
from mailboxes.mailserver.external_maps import find_virtual_agent_error
from mailboxes.mailserver.generator.choices import DATABASE_ACCOUNTS, MailServerOptions
from mailboxes.mailserver.generator.files import PANEL_FOLDER, generate_files
from mailboxes.mailserver.verifier.comparing import PANEL_MAP_RE, Difference, is_panel_config
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
MIN_NETWORK_PREFIX = 8  # bits of a network that may relay; shorter ones are half the Internet
MESSAGE_LIMIT = "message_size_limit"
VIRTUAL_NEEDS = ("virtual_mailbox_base", "virtual_uid_maps", "virtual_gid_maps")


def find_parameter_differences(
    live: LivePostfix, domains: list[str] | None, asked: dict[str, int]
) -> Iterator[Difference]:
    """What main.cf and master.cf have otherwise; also those of the services' overrides."""
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
        asked[name] = asked.get(name, 0) + 1


def check_virtual_transport(files: PostfixFiles) -> Iterator[Difference]:
    """Mail for mailboxes goes to a service that exists and is complete."""
    value = files.value("virtual_transport")
    service = files.service(value.partition(":")[0], "unix")
    if service is None:
        yield Difference(MAIN_CF, "virtual_transport", _("a service of master.cf"), value)
    elif service.command == "virtual" and (
        is_panel_config(files) or is_virtual_incomplete(files, service)
    ):
        yield Difference(MAIN_CF, "virtual_transport", _("delivery by Dovecot"), value)


def is_virtual_incomplete(files: PostfixFiles, service) -> bool:
    """Whether virtual(8) does not know where mail lies, or whose it is, or how large it may be."""
    own = files.for_service(service)
    return bool(find_virtual_agent_error(files, service)) or not own.value("virtual_mailbox_base")


def check_transport_services(
    files: PostfixFiles, domains: list[str] | None
) -> Iterator[Difference]:
    """Each service that a transport of the panel names is in master.cf."""
    known = {service.name for service in files.services if service.type in ("unix", "pass")}
    own, rows = Transport.objects.filter(active=True), Domain.objects.filter(active=True)
    if domains is not None:
        own, rows = filter_transports_by_domains(own, domains), rows.filter(pk__in=domains)
    pairs = [*own.values_list("pk", "transport")]
    pairs += rows.exclude(transport__in=("", "virtual")).values_list("pk", "transport")
    for key, transport in pairs:
        name = transport.partition(":")[0]
        if name and name not in known:
            yield Difference(key, MASTER_CF, name, "")


def iter_smtpd_servers(files: PostfixFiles) -> Iterator[tuple[str, PostfixFiles]]:
    """(name, the configuration as it sees it) of each SMTP server."""
    for service in files.services:
        if service.command == "smtpd" and service.type in ("inet", "pass"):
            yield service.name, files.for_service(service)


def check_relaying(files: PostfixFiles) -> Iterator[Difference]:
    """No server relays for strangers."""
    for name, view in iter_smtpd_servers(files):
        lists = [view.words(RELAY_RESTRICTIONS), view.words(RECIPIENT_RESTRICTIONS)]
        if not any(is_closed_to_strangers(words) for words in lists):
            expected = "reject_unauth_destination"
            yield Difference(
                f"{MASTER_CF}: {name}", RELAY_RESTRICTIONS, expected, ", ".join(lists[0])
            )


def is_closed_to_strangers(words: list[str]) -> bool:
    """Whether a list refuses strangers before it permits everybody."""
    return next(
        (
            word in REJECTING_RESTRICTIONS
            for word in words
            if word in REJECTING_RESTRICTIONS or permits_everybody(word)
        ),
        False,
    )


def permits_everybody(word: str) -> bool:
    """Whether a word of a list permits everybody."""
    return word.lower() in PERMITTING_RESTRICTIONS


def check_restrictions(files: PostfixFiles) -> Iterator[Difference]:
    """The lists hold what the panel writes, in its order; more may stand between."""
    if not is_panel_config(files):
        return
    open_ones = [
        pair for pair in iter_smtpd_servers(files) if not pair[1].is_yes("smtpd_sasl_auth_enable")
    ]
    for name, wanted in get_panel_restrictions().items():
        for place, view in open_ones:
            found = [normalize_map_name(word) for word in view.words(name)]
            if not contains_restrictions(name, wanted, found):
                key = f"{MASTER_CF}: {place}" if name in view.overrides else MAIN_CF
                yield Difference(key, name, ", ".join(wanted), ", ".join(found))


def contains_restrictions(name: str, wanted: list[str], found: list[str]) -> bool:
    """Whether a list says what is wanted, and lets nobody pass who is not in it."""
    rest = iter(found)
    is_whole = all(word in rest for word in wanted)
    extra = [word for word in found if word not in wanted]
    is_wider = name == RELAY_RESTRICTIONS and any(word.startswith("permit") for word in extra)
    return is_whole and not is_wider and not any(map(permits_everybody, extra))


def get_panel_restrictions() -> dict[str, list[str]]:
    """The restriction lists of the panel's own main.cf."""
    choices = MailServerOptions(passwords=dict.fromkeys(DATABASE_ACCOUNTS, ""))
    text = next(file.text for file in generate_files(choices) if file.name == MAIN_CF)
    found = [
        setting for entry in split_logical_lines(MAIN_CF, text) if (setting := parse_setting(entry))
    ]
    lists = {
        each.name: each.value
        for each in found
        if each.name in (RELAY_RESTRICTIONS, RECIPIENT_RESTRICTIONS)
    }
    return {
        name: [normalize_map_name(word) for word in split_restrictions(value)]
        for name, value in lists.items()
    }


def split_restrictions(value: str) -> list[str]:
    return value.replace(",", " ").split()


def normalize_map_name(word: str) -> str:
    """A map of the panel by its own name, wherever it lies."""
    found = PANEL_MAP_RE.fullmatch(word)
    return f"{PANEL_FOLDER}/{found[1]}.cf" if found else word


def check_mynetworks(files: PostfixFiles) -> Iterator[Difference]:
    for word in files.words("mynetworks"):
        try:
            network = ipaddress.ip_network(word.replace("[", "").replace("]", ""), strict=False)
        except ValueError:
            continue
        if network.prefixlen < MIN_NETWORK_PREFIX:
            yield Difference(MAIN_CF, "mynetworks", _("your own networks"), word)


def check_mydestination(files: PostfixFiles) -> Iterator[Difference]:
    """A domain of the panel is in one class of domains only."""
    local = {name for name, _line in files.names("mydestination")}
    for name in Domain.objects.filter(pk__in=local, active=True).values_list("pk", flat=True):
        yield Difference(name, "mydestination", "", name)


def check_recipient_delimiter(files: PostfixFiles) -> Iterator[Difference]:
    expected, found = settings.MAILADMIN_RECIPIENT_DELIMITER, files.value("recipient_delimiter")
    if set(expected) != set(found):
        yield Difference(MAIN_CF, "recipient_delimiter", expected, found)


def check_submission(files: PostfixFiles) -> Iterator[Difference]:
    """Somewhere people can sign in, and there each sends as themselves."""
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
    """Copies for the vacation domain go to a service that answers."""
    if not Vacation.objects.filter(active=True).exists():
        return
    domain = settings.MAILADMIN_VACATION_DOMAIN
    found = live.lookup_in_files("transport_maps", [domain]).get(domain, "")
    if not found.strip(":") or live.files.service(found.partition(":")[0], "unix") is None:
        yield Difference(domain, "transport_maps", _("a service of master.cf"), found)
