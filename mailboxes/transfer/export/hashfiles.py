"""Map files for a mail server without a database, and the configuration that uses them.

A file holds what the panel's queries answer (`postfix.maps`), for `postmap` to compile: alias
domains are written out address by address, and inactive rows are left out.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from domains.models import AliasDomain, Domain, Transport
from mailadmin.db.pagination import iter_rows
from mailboxes.mailserver.config_parser.maps import INDEX_SUFFIXES
from mailboxes.models import Mailbox
from mailboxes.postfix.dialects import get_dialect
from mailboxes.postfix.maps import VACATION_SERVICE, build_postfix_maps
from mailboxes.postfix.queries import LookupSelect, PostfixMap, QueryBuilder
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export import passwdfile
from mailboxes.transfer.export.answers import MapAnswers

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
    "senders": ("sender_login",),
}
MAILBOX_MAP = "virtual_mailbox"  # written to a file for each domain
NO_SMTP_FILE = "access/logins"
MAILBOX_FOLDER, ALL_MAILBOXES_NAME = "virtual/mailbox", "all"
# Keys that postmap(1) reads as written: without blanks or quotes, and no comments.
WRITABLE_KEY_RE = re.compile(r"[^\s\"#][^\s\"]*")


def iter_map_files(
    losses: Losses,
    domain: str = "",
    mail_directory: str = "/var/vmail",
    dovecot_version: str = "2.3",
) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield (name, lines) of all files."""
    mailboxes = build_mailbox_files(domain)
    names = [*MAP_FILES, NO_SMTP_FILE, *(name for name, _answers in mailboxes)]
    for name, queries in MAP_FILES.items():
        yield name, iter_map_lines(iter_answers(queries, domain), losses, domain)
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


def maps_by_name() -> dict[str, PostfixMap]:
    return {query.name: query for query in build_postfix_maps()}


def iter_answers(names: Iterable[str], domain: str) -> Iterator[MapAnswers]:
    """Yield the answers of these maps; the first answer for a key counts."""
    queries = maps_by_name()
    for name in names:
        for part in queries[name].parts:
            yield from iter_part_answers(part, domain)


def iter_part_answers(part: LookupSelect, domain: str) -> Iterator[MapAnswers]:
    """Yield a part with its rows' own keys, or once per alias domain with the keys of that."""
    if part.source == get_dialect().table(part.model):
        prefix = "@" if has_domain_keys(part) else ""
        yield MapAnswers(part, prefix, domain=domain if part.model is not Transport else "")
        return
    alias_domains = AliasDomain.objects.filter(active=True)
    for alias_domain in iter_rows(
        alias_domains.filter(alias_domain=domain) if domain else alias_domains
    ):
        yield MapAnswers(part, "", alias_domain.alias_domain_id, alias_domain.target_domain_id)


def has_domain_keys(part: LookupSelect) -> bool:
    return part.model is Domain and "SUBSTR(:key, 2)" in part.where[0]


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


# Map files


def iter_map_lines(answers: Iterable[MapAnswers], losses: Losses, domain: str) -> Iterator[str]:
    """Yield the lines of a map file, each key once."""
    yield FILE_HEADER
    earlier: list[MapAnswers] = []
    for current in answers:
        for page in current.iter_pages():
            answered = find_keys_answered_before(earlier, current, [key for key, _answer in page])
            for key, answer in iter_new_answers(page, answered, domain):
                yield from iter_map_line(key, answer, losses)
        earlier.append(current)


FILE_HEADER = "# Written by mailadmin.\n"


def find_keys_answered_before(
    earlier: list[MapAnswers], answers: MapAnswers, keys: list[str]
) -> set[str]:
    """Return those of the keys that an earlier query of the file has answered."""
    competing = [each for each in earlier if each.alias_domain in ("", answers.alias_domain)]
    return set().union(*(each.find_answered_keys(keys) for each in competing))


def iter_new_answers(
    page: list[tuple[str, Any]], answered: set[str], domain: str
) -> Iterator[tuple[str, Any]]:
    """Yield what is not answered yet, only for the domain if there is one."""
    for key, answer in page:
        if key not in answered and (not domain or belongs_to_domain(key, domain)):
            yield key, answer


def belongs_to_domain(key: str, domain: str) -> bool:
    return key in (domain, f".{domain}") or key.endswith(f"@{domain}")


def iter_map_line(key: str, answer: Any, losses: Losses) -> Iterator[str]:
    if not WRITABLE_KEY_RE.fullmatch(key):
        losses.add(_("Key that cannot be stored in a map file: skipped."), key)
        return
    yield f"{key}\t{' '.join(str(answer).split())}\n"


# Configuration


def render_main_cf(mailbox_names: list[str], mail_directory: str) -> str:
    names = {name: format_map_reference(name) for name in (*MAP_FILES, NO_SMTP_FILE)}
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
