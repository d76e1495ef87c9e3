"""Map files for a mail server without a database, and the configuration that uses them.

A file holds what the panel's queries answer (`postfix.maps`), for `postmap` to compile: alias
domains are written out address by address, and inactive rows are left out.
"""

import re
from collections.abc import Iterable, Iterator

from django.conf import settings

from mailboxes.mailserver.config_parser.maps import INDEX_SUFFIXES
from mailboxes.models import Mailbox
from mailboxes.postfix.dialects import get_dialect
from mailboxes.postfix.maps import VACATION_SERVICE
from mailboxes.postfix.queries import LookupSelect, QueryBuilder
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export import passwdfile
from mailboxes.transfer.export.answers import MapAnswers
from mailboxes.transfer.export.map_lines import iter_map_lines, iter_part_answers, maps_by_name
from mailboxes.transfer.export.senders import iter_sender_lines

MAX_MAILBOX_FILES = 100  # Postfix looks up each address in all of them
MAX_NAME_LENGTH = 200
# File → the panel's maps that it replaces, in the order in which Postfix asks them.
MAP_FILES = {
    "virtual/mailbox/domains": ("virtual_mailbox_domains",),
    "virtual/alias": (
        *("virtual_alias", "virtual_alias_mailbox"),
        *("virtual_alias_mirror", "virtual_alias_mirror_mailbox"),
    ),
    "relay/domains": ("relay_domains",),
    "relay/recipients": ("relay_recipients",),
    "transport": ("transport_pattern", "transport"),
    "access/recipients": ("refused_recipients",),
    "access/mirrored": ("refused_recipients_mirror",),
}
SENDER_FILE = "senders"
MAILBOX_MAP = "virtual_mailbox"  # written to a file for each domain
NO_SMTP_FILE = "access/logins"
MAILBOX_FOLDER, ALL_MAILBOXES_NAME = "virtual/mailbox", "all"


def iter_map_files(
    losses: Losses,
    domain: str = "",
    mail_directory: str = "/var/vmail",
    dovecot_version: str = "2.3",
) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield (name, lines) of all files."""
    mailboxes = build_mailbox_files(domain)
    names = [*MAP_FILES, SENDER_FILE, NO_SMTP_FILE, *(name for name, _answers in mailboxes)]
    for name, queries in MAP_FILES.items():
        yield name, iter_map_lines(iter_answers(queries, domain), losses, domain)
    yield SENDER_FILE, iter_sender_lines(losses, domain)
    for name, answers in [(NO_SMTP_FILE, [build_no_smtp_answers(domain)]), *mailboxes]:
        yield name, iter_map_lines(answers, losses, domain)
    yield (
        "dovecot/users",
        passwdfile.iter_passwd_lines(losses, domain, mail_directory, dovecot_version),
    )
    yield "dovecot/dovecot.conf", [passwdfile.DOVECOT_CONF[dovecot_version]]
    yield "main.cf", [render_main_cf([name for name, _answers in mailboxes], mail_directory)]
    yield (
        "postmap.sh",
        [POSTMAP_SCRIPT_TEMPLATE.format(maps=" ".join(f"hash:{name}" for name in names))],
    )


# Answers


def iter_answers(names: Iterable[str], domain: str) -> Iterator[MapAnswers]:
    """Yield the answers of these maps; the first answer for a key counts."""
    queries = maps_by_name()
    for name in names:
        for part in queries[name].parts:
            yield from iter_part_answers(part, domain)


def build_mailbox_files(domain: str) -> list[tuple[str, list[MapAnswers]]]:
    """Return (name, answers) of one file per domain, or of one for all if there are too many."""
    (part,) = maps_by_name()[MAILBOX_MAP].parts
    names = find_mailbox_domains(domain)
    if can_split_by_domain(names):
        return [(f"{MAILBOX_FOLDER}/{name}", [MapAnswers(part, domain=name)]) for name in names]
    return [(f"{MAILBOX_FOLDER}/{ALL_MAILBOXES_NAME}", [MapAnswers(part, domain=domain)])]


def find_mailbox_domains(domain: str) -> list[str]:
    """Return the domains with mailboxes; no more than needed to see that there are too many."""
    names = []
    for answers in iter_answers(["virtual_mailbox_domains"], domain):
        for page in answers.iter_pages():
            names += [key for key, _answer in page]
            if len(names) > MAX_MAILBOX_FILES:
                return names
    return names


def can_split_by_domain(names: list[str]) -> bool:
    """Tell whether there are few domains, and none has a name unsafe for a file.

    Unsafe is what leads to another folder, or what postmap calls a compiled file.
    """
    compiled = tuple(INDEX_SUFFIXES.values())
    return len(names) <= MAX_MAILBOX_FILES and not any(
        name.endswith(compiled) or len(name) > MAX_NAME_LENGTH or not SAFE_DOMAIN_RE.fullmatch(name)
        for name in names
    )


# Not an option either, if somebody compiles the files of a folder by hand.
SAFE_DOMAIN_RE = re.compile(r"(?!-)[a-z0-9_-]+(\.[a-z0-9_-]+)+")


def build_no_smtp_answers(domain: str) -> MapAnswers:
    """Return the logins that may read mail but not send any."""
    builder = QueryBuilder(get_dialect())
    live = (builder.active("mailbox"), ("mailbox.smtp_active = 0", ""))
    key = builder.key_conditions(Mailbox, "username")
    part = LookupSelect(Mailbox, "'REJECT'", builder.dialect.table(Mailbox), key, live)
    return MapAnswers(part, domain=domain)


# Configuration


def render_main_cf(mailbox_names: list[str], mail_directory: str) -> str:
    names = {name: format_map_reference(name) for name in (*MAP_FILES, SENDER_FILE, NO_SMTP_FILE)}
    return MAIN_CF_TEMPLATE.format(
        base=mail_directory,
        delimiter=settings.MAILADMIN_RECIPIENT_DELIMITER,
        vacation=f"{settings.MAILADMIN_VACATION_DOMAIN} = {VACATION_SERVICE}:",
        mailboxes=",\n    ".join(map(format_map_reference, mailbox_names)),
        maps=names,
    )


def format_map_reference(name: str) -> str:
    return f"hash:$config_directory/{name}"


MAIN_CF_TEMPLATE = """\
# Lines for the main.cf of a Postfix without a database; the map files beside this one belong into
# its folder, where postmap.sh compiles them. Written by mailadmin.
#
# They answer what the panel's own maps answered on the day they were written. Who is away is not
# answered unless master.cf has the panel's service for it; otherwise put discard: in its place.

virtual_mailbox_base = {base}
virtual_transport = lmtp:unix:private/dovecot-lmtp
recipient_delimiter = {delimiter}

virtual_mailbox_domains = {maps[virtual/mailbox/domains]}
relay_domains = {maps[relay/domains]}
virtual_alias_domains =
parent_domain_matches_subdomains =
    debug_peer_list, fast_flush_domains, mynetworks, permit_mx_backup_domains,
    qmqpd_authorized_clients, smtpd_access_maps

virtual_alias_maps = {maps[virtual/alias]}
virtual_mailbox_maps =
    {mailboxes}
relay_recipient_maps = {maps[relay/recipients]}
transport_maps =
    inline:{{ {{ {vacation} }} }}
    {maps[transport]}

smtpd_recipient_restrictions =
    reject_non_fqdn_recipient
    check_sasl_access {maps[access/logins]}
    check_recipient_access {maps[access/recipients]}
    check_recipient_access {maps[access/mirrored]}
smtpd_sender_login_maps = {maps[senders]}
"""
POSTMAP_SCRIPT_TEMPLATE = """\
#!/bin/sh
# Compiles the map files beside it. After that: postfix reload.
cd "$(dirname "$0")" && exec postmap {maps}
"""
