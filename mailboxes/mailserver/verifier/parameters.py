"""Postfix's parameters and services beside what the panel's rows need."""

import ipaddress
from collections.abc import Iterator

from django.conf import settings
from django.utils.translation import gettext as _

from domains.models import Domain, Transport
from domains.services.transports import about
from mailboxes.mailserver.checks.access import checks_senders
from mailboxes.mailserver.config_parser.maps import references
from mailboxes.mailserver.config_parser.postfix import PostfixFiles, logical_lines, named
from mailboxes.mailserver.external_maps import trouble_of
from mailboxes.mailserver.generator.choices import ACCOUNTS, Choices
from mailboxes.mailserver.generator.files import OWN, files_of
from mailboxes.mailserver.verifier.comparing import OWN_MAP, Difference, is_own
from mailboxes.mailserver.verifier.programs import LivePostfix
from mailboxes.models import Vacation

MAIN, MASTER = "main.cf", "master.cf"
RELAY, RECIPIENT = "smtpd_relay_restrictions", "smtpd_recipient_restrictions"
CLOSING = {"reject_unauth_destination", "defer_unauth_destination", "reject", "defer"}
OPENING = {"permit", "static:ok", "static:permit"}
WIDEST = 8  # bits of a network that may relay; shorter ones are half the Internet
MESSAGE_LIMIT = "message_size_limit"
VIRTUAL_NEEDS = ("virtual_mailbox_base", "virtual_uid_maps", "virtual_gid_maps")


def differences(
    live: LivePostfix, domains: list[str] | None, asked: dict[str, int]
) -> Iterator[Difference]:
    """What main.cf and master.cf have otherwise; also those of the services' overrides."""
    files = live.files
    for name, found in (
        ("virtual_transport", delivery(files)),
        (MASTER, services(files, domains)),
        (RELAY, relaying(files)),
        (RECIPIENT, restrictions(files)),
        ("mynetworks", networks(files)),
        ("mydestination", destinations(files)),
        ("recipient_delimiter", delimiter(files)),
        ("smtpd_sasl_auth_enable", submission(files)),
        ("transport_maps", vacations(live)),
    ):
        yield from found
        asked[name] = asked.get(name, 0) + 1


def delivery(files: PostfixFiles) -> Iterator[Difference]:
    """Mail for mailboxes goes to a service that exists and is complete."""
    value = files.value("virtual_transport")
    service = files.service(value.partition(":")[0], "unix")
    if service is None:
        yield Difference(MAIN, "virtual_transport", _("a service of master.cf"), value)
    elif service.command == "virtual" and (is_own(files) or lacks_settings(files, service)):
        yield Difference(MAIN, "virtual_transport", _("delivery by Dovecot"), value)


def lacks_settings(files: PostfixFiles, service) -> bool:
    """Whether virtual(8) does not know where mail lies, or whose it is, or how large it may be."""
    own = files.with_overrides(service)
    return bool(trouble_of(files, service)) or not own.value("virtual_mailbox_base")


def services(files: PostfixFiles, domains: list[str] | None) -> Iterator[Difference]:
    """Each service that a transport of the panel names is in master.cf."""
    known = {service.name for service in files.services if service.type in ("unix", "pass")}
    own, rows = Transport.objects.filter(active=True), Domain.objects.filter(active=True)
    if domains is not None:
        own, rows = about(own, domains), rows.filter(pk__in=domains)
    pairs = [*own.values_list("pk", "transport")]
    pairs += rows.exclude(transport__in=("", "virtual")).values_list("pk", "transport")
    for key, transport in pairs:
        name = transport.partition(":")[0]
        if name and name not in known:
            yield Difference(key, MASTER, name, "")


def smtpds(files: PostfixFiles) -> Iterator[tuple[str, PostfixFiles]]:
    """(name, the configuration as it sees it) of each SMTP server."""
    for service in files.services:
        if service.command == "smtpd" and service.type in ("inet", "pass"):
            yield service.name, files.with_overrides(service)


def relaying(files: PostfixFiles) -> Iterator[Difference]:
    """No server relays for strangers."""
    for name, view in smtpds(files):
        lists = [view.words(RELAY), view.words(RECIPIENT)]
        if not any(is_closed(words) for words in lists):
            expected = "reject_unauth_destination"
            yield Difference(f"{MASTER}: {name}", RELAY, expected, ", ".join(lists[0]))


def is_closed(words: list[str]) -> bool:
    """Whether a list refuses strangers before it permits everybody."""
    return next((word in CLOSING for word in words if word in CLOSING or is_for_all(word)), False)


def is_for_all(word: str) -> bool:
    """Whether a word of a list permits everybody."""
    return word.lower() in OPENING


def restrictions(files: PostfixFiles) -> Iterator[Difference]:
    """The lists hold what the panel writes, in its order; more may stand between."""
    if not is_own(files):
        return
    open_ones = [pair for pair in smtpds(files) if not pair[1].is_yes("smtpd_sasl_auth_enable")]
    for name, wanted in written().items():
        for place, view in open_ones:
            found = [plain(word) for word in view.words(name)]
            if not holds(name, wanted, found):
                key = f"{MASTER}: {place}" if name in view.overrides else MAIN
                yield Difference(key, name, ", ".join(wanted), ", ".join(found))


def holds(name: str, wanted: list[str], found: list[str]) -> bool:
    """Whether a list says what is wanted, and lets nobody pass who is not in it."""
    rest = iter(found)
    is_whole = all(word in rest for word in wanted)
    extra = [word for word in found if word not in wanted]
    is_wider = name == RELAY and any(word.startswith("permit") for word in extra)
    return is_whole and not is_wider and not any(map(is_for_all, extra))


def written() -> dict[str, list[str]]:
    """The restriction lists of the panel's own main.cf."""
    choices = Choices(passwords=dict.fromkeys(ACCOUNTS, ""))
    text = next(file.text for file in files_of(choices) if file.name == MAIN)
    found = [setting for entry in logical_lines(MAIN, text) if (setting := named(entry))]
    lists = {each.name: each.value for each in found if each.name in (RELAY, RECIPIENT)}
    return {name: [plain(word) for word in words(value)] for name, value in lists.items()}


def words(value: str) -> list[str]:
    return value.replace(",", " ").split()


def plain(word: str) -> str:
    """A map of the panel by its own name, wherever it lies."""
    found = OWN_MAP.fullmatch(word)
    return f"{OWN}/{found[1]}.cf" if found else word


def networks(files: PostfixFiles) -> Iterator[Difference]:
    for word in files.words("mynetworks"):
        try:
            network = ipaddress.ip_network(word.replace("[", "").replace("]", ""), strict=False)
        except ValueError:
            continue
        if network.prefixlen < WIDEST:
            yield Difference(MAIN, "mynetworks", _("your own networks"), word)


def destinations(files: PostfixFiles) -> Iterator[Difference]:
    """A domain of the panel is in one class of domains only."""
    local = {name for name, _line in files.names("mydestination")}
    for name in Domain.objects.filter(pk__in=local, active=True).values_list("pk", flat=True):
        yield Difference(name, "mydestination", "", name)


def delimiter(files: PostfixFiles) -> Iterator[Difference]:
    expected, found = settings.MAILADMIN_RECIPIENT_DELIMITER, files.value("recipient_delimiter")
    if set(expected) != set(found):
        yield Difference(MAIN, "recipient_delimiter", expected, found)


def submission(files: PostfixFiles) -> Iterator[Difference]:
    """Somewhere people can sign in, and there each sends as themselves."""
    if not is_own(files):
        return
    views = [(name, view) for name, view in smtpds(files) if view.is_yes("smtpd_sasl_auth_enable")]
    if not views:
        yield Difference(MASTER, "smtpd_sasl_auth_enable", "yes", "no")
    for name, view in views:
        key = f"{MASTER}: {name}"
        if not checks_senders(view):
            yield Difference(key, "smtpd_sender_restrictions", "reject_sender_login_mismatch", "")
        elif not list(references(view.value("smtpd_sender_login_maps"))):
            yield Difference(key, "smtpd_sender_login_maps", _("a map"), "")


def vacations(live: LivePostfix) -> Iterator[Difference]:
    """Copies for the vacation domain go to a service that answers."""
    if not Vacation.objects.filter(active=True).exists():
        return
    domain = settings.MAILADMIN_VACATION_DOMAIN
    found = live.answers("transport_maps", [domain]).get(domain, "")
    if not found.strip(":") or live.files.service(found.partition(":")[0], "unix") is None:
        yield Difference(domain, "transport_maps", _("a service of master.cf"), found)
