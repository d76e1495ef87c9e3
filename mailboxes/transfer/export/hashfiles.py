"""Map files for a mail server without a database: what Postfix's `postmap` compiles, what uses it.

A file answers what the panel's queries answer (`postfix.maps`): alias domains are written out
address by address, and what is switched off is not there.
"""

import re

from django.conf import settings
from django.utils.translation import gettext as _

from domains.models import AliasDomain, Domain, Transport
from mailadmin.db.pagination import iter_rows
from mailboxes.mailserver.config_parser.maps import INDEX_SUFFIXES
from mailboxes.models import Mailbox
from mailboxes.postfix import maps
from mailboxes.postfix.dialects import get_dialect
from mailboxes.transfer.export import passwdfile
from mailboxes.transfer.export.answers import MapAnswers

MAX_MAILBOX_FILES = 100  # of mailboxes: Postfix asks every one of them
MAX_NAME_LENGTH = 200
# File → the maps of the panel that it stands for, in the order in which Postfix asks them.
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
MAILBOX_MAP = "virtual_mailbox"  # a file for each domain
NO_SMTP_FILE = "access/logins"
MAILBOX_FOLDER, ALL_MAILBOXES_NAME = "virtual/mailbox", "all"
# Keys as postmap(1) reads them: what it would take for a comment, or keep the quotes of, is none.
WRITABLE_KEY_RE = re.compile(r"[^\s\"#][^\s\"]*")


def iter_map_files(losses, domain="", base="/var/vmail", dovecot_version="2.3"):
    """(name, pieces) of everything."""
    mailboxes = build_mailbox_files(domain)
    names = [*MAP_FILES, NO_SMTP_FILE, *(name for name, _answers in mailboxes)]
    for name, queries in MAP_FILES.items():
        yield name, iter_map_lines(iter_answers(queries, domain), losses, domain)
    for name, answers in [(NO_SMTP_FILE, [build_no_smtp_answers(domain)]), *mailboxes]:
        yield name, iter_map_lines(answers, losses, domain)
    yield "dovecot/users", passwdfile.iter_passwd_lines(losses, domain, base, dovecot_version)
    yield "dovecot/dovecot.conf", [passwdfile.DOVECOT_CONF[dovecot_version]]
    yield "main.cf", [render_main_cf([name for name, _answers in mailboxes], base)]
    yield (
        "postmap.sh",
        [POSTMAP_SCRIPT_TEMPLATE.format(maps=" ".join(f"hash:{name}" for name in names))],
    )


# Who answers


def maps_by_name():
    return {query.name: query for query in maps.build_postfix_maps()}


def iter_answers(names, domain):
    """What these maps answer; of a key that several know, the first of them."""
    queries = maps_by_name()
    for name in names:
        for part in queries[name].parts:
            yield from iter_part_answers(part, domain)


def iter_part_answers(part, domain):
    """A part by its rows' own keys; one of alias domains by the keys of each of them."""
    if part.source == maps.QueryBuilder(get_dialect()).dialect.table(part.model):
        prefix = "@" if has_domain_keys(part) else ""
        yield MapAnswers(part, prefix, domain=domain if part.model is not Transport else "")
        return
    mirrors = AliasDomain.objects.filter(active=True)
    for mirror in iter_rows(mirrors.filter(alias_domain=domain) if domain else mirrors):
        yield MapAnswers(part, "", mirror.alias_domain_id, mirror.target_domain_id)


def has_domain_keys(part):
    return part.model is Domain and "SUBSTR(:key, 2)" in part.where[0]


def build_mailbox_files(domain):
    """(name, answers) of a file for each domain; of one for all where there are too many."""
    (part,) = maps_by_name()[MAILBOX_MAP].parts
    names = find_mailbox_domains(domain)
    if can_split_by_domain(names):
        return [(f"{MAILBOX_FOLDER}/{name}", [MapAnswers(part, domain=name)]) for name in names]
    return [(f"{MAILBOX_FOLDER}/{ALL_MAILBOXES_NAME}", [MapAnswers(part, domain=domain)])]


def find_mailbox_domains(domain):
    """Domains with mailboxes, a few more than get a file of their own."""
    found = []
    for answers in iter_answers(["virtual_mailbox_domains"], domain):
        for page in answers.iter_pages():
            found += [key for key, _answer in page]
            if len(found) > MAX_MAILBOX_FILES:
                return found
    return found


def can_split_by_domain(names):
    """Few enough, and none that leads elsewhere or is what postmap calls another's file."""
    compiled = tuple(INDEX_SUFFIXES.values())
    return len(names) <= MAX_MAILBOX_FILES and not any(
        name.endswith(compiled) or len(name) > MAX_NAME_LENGTH or not SAFE_DOMAIN_RE.fullmatch(name)
        for name in names
    )


SAFE_DOMAIN_RE = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")


def build_no_smtp_answers(domain):
    """Logins that may read their mail and send none."""
    asking = maps.QueryBuilder(get_dialect())
    live = (asking.active("mailbox"), ("mailbox.smtp_active = 0", ""))
    key = asking.key(Mailbox, "username")
    part = maps.LookupSelect(Mailbox, "'REJECT'", asking.dialect.table(Mailbox), key, live)
    return MapAnswers(part, domain=domain)


# A file


def iter_map_lines(answers, losses, domain):
    """The lines of a map file; every key once."""
    yield FILE_HEADER
    asked = []
    for each in answers:
        for page in each.iter_pages():
            taken = find_keys_answered_before(asked, each, [key for key, _answer in page])
            for key, answer in iter_new_answers(page, taken, domain):
                yield from iter_map_line(key, answer, losses)
        asked.append(each)


FILE_HEADER = "# Written by mailadmin.\n"


def find_keys_answered_before(asked, answers, keys):
    """Those of the keys that an earlier query of the file has answered."""
    rivals = [each for each in asked if each.mirror in ("", answers.mirror)]
    return set().union(*(each.find_answered_keys(keys) for each in rivals))


def iter_new_answers(page, taken, domain):
    """What is not answered yet; with a domain, what is about it."""
    for key, answer in page:
        if key not in taken and (not domain or belongs_to_domain(key, domain)):
            yield key, answer


def belongs_to_domain(key, domain):
    return key in (domain, f".{domain}") or key.endswith(f"@{domain}")


def iter_map_line(key, answer, losses):
    if not WRITABLE_KEY_RE.fullmatch(key):
        losses.add(_("A key that no map file can hold is left out."), key)
        return
    yield f"{key}\t{' '.join(str(answer).split())}\n"


# What uses them


def render_main_cf(mailboxes, base):
    names = {name: format_map_reference(name) for name in (*MAP_FILES, NO_SMTP_FILE)}
    return MAIN_CF_TEMPLATE.format(
        base=base,
        delimiter=settings.MAILADMIN_RECIPIENT_DELIMITER,
        vacation=f"{settings.MAILADMIN_VACATION_DOMAIN} = {maps.VACATION_SERVICE}:",
        mailboxes=",\n    ".join(map(format_map_reference, mailboxes)),
        maps=names,
    )


def format_map_reference(name):
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
