"""Map files for a mail server without a database: what Postfix's `postmap` compiles, what uses it.

A file answers what the panel's queries answer (`postfix.maps`): alias domains are written out
address by address, and what is switched off is not there.
"""

import re

from django.conf import settings
from django.utils.translation import gettext as _

from domains.models import AliasDomain, Domain, Transport
from mailadmin.db.pagination import one_by_one
from mailboxes.mailserver.config_parser.maps import INDEXED
from mailboxes.models import Mailbox
from mailboxes.postfix import maps
from mailboxes.postfix.dialects import dialect
from mailboxes.transfer.export import passwdfile
from mailboxes.transfer.export.answers import Answers

MOST_FILES = 100  # of mailboxes: Postfix asks every one of them
LONGEST_NAME = 200
# File → the maps of the panel that it stands for, in the order in which Postfix asks them.
FILES = {
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
MAILBOXES = "virtual_mailbox"  # a file for each domain
NOT_SENDING = "access/logins"
FOLDER, EVERYBODY = "virtual/mailbox", "all"
# Keys as postmap(1) reads them: what it would take for a comment, or keep the quotes of, is none.
WRITABLE = re.compile(r"[^\s\"#][^\s\"]*")


def files(losses, domain="", base="/var/vmail", dovecot_version="2.3"):
    """(name, pieces) of everything."""
    mailboxes = mailbox_files(domain)
    names = [*FILES, NOT_SENDING, *(name for name, _answers in mailboxes)]
    for name, queries in FILES.items():
        yield name, text_of(answers_of(queries, domain), losses, domain)
    for name, answers in [(NOT_SENDING, [not_sending(domain)]), *mailboxes]:
        yield name, text_of(answers, losses, domain)
    yield "dovecot/users", passwdfile.pieces(losses, domain, base, dovecot_version)
    yield "dovecot/dovecot.conf", [passwdfile.CONF[dovecot_version]]
    yield "main.cf", [main_cf([name for name, _answers in mailboxes], base)]
    yield "postmap.sh", [SCRIPT.format(maps=" ".join(f"hash:{name}" for name in names))]


# Who answers


def queries_by_name():
    return {query.name: query for query in maps.postfix_maps()}


def answers_of(names, domain):
    """What these maps answer; of a key that several know, the first of them."""
    queries = queries_by_name()
    for name in names:
        for part in queries[name].parts:
            yield from ways(part, domain)


def ways(part, domain):
    """A part by its rows' own keys; one of alias domains by the keys of each of them."""
    if part.source == maps.Asking(dialect()).dialect.table(part.model):
        prefix = "@" if asks_for_everybody(part) else ""
        yield Answers(part, prefix, domain=domain if part.model is not Transport else "")
        return
    mirrors = AliasDomain.objects.filter(active=True)
    for mirror in one_by_one(mirrors.filter(alias_domain=domain) if domain else mirrors):
        yield Answers(part, "", mirror.alias_domain_id, mirror.target_domain_id)


def asks_for_everybody(part):
    return part.model is Domain and "SUBSTR(:key, 2)" in part.where[0]


def mailbox_files(domain):
    """(name, answers) of a file for each domain; of one for all where there are too many."""
    (part,) = queries_by_name()[MAILBOXES].parts
    names = names_of_domains(domain)
    if fit_for_files(names):
        return [(f"{FOLDER}/{name}", [Answers(part, domain=name)]) for name in names]
    return [(f"{FOLDER}/{EVERYBODY}", [Answers(part, domain=domain)])]


def names_of_domains(domain):
    """Domains with mailboxes, a few more than get a file of their own."""
    found = []
    for answers in answers_of(["virtual_mailbox_domains"], domain):
        for page in answers.pages():
            found += [key for key, _answer in page]
            if len(found) > MOST_FILES:
                return found
    return found


def fit_for_files(names):
    """Few enough, and none that leads elsewhere or is what postmap calls another's file."""
    compiled = tuple(INDEXED.values())
    return len(names) <= MOST_FILES and not any(
        name.endswith(compiled) or len(name) > LONGEST_NAME or not SAFE.fullmatch(name)
        for name in names
    )


SAFE = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")


def not_sending(domain):
    """Logins that may read their mail and send none."""
    asking = maps.Asking(dialect())
    live = (asking.active("mailbox"), ("mailbox.smtp_active = 0", ""))
    key = asking.key(Mailbox, "username")
    part = maps.Part(Mailbox, "'REJECT'", asking.dialect.table(Mailbox), key, live)
    return Answers(part, domain=domain)


# A file


def text_of(answers, losses, domain):
    """The lines of a map file; every key once."""
    yield MADE_BY
    asked = []
    for each in answers:
        for page in each.pages():
            taken = taken_by(asked, each, [key for key, _answer in page])
            for key, answer in unlike(page, taken, domain):
                yield from line(key, answer, losses)
        asked.append(each)


MADE_BY = "# Written by mailadmin.\n"


def taken_by(asked, answers, keys):
    """Those of the keys that an earlier query of the file has answered."""
    rivals = [each for each in asked if each.mirror in ("", answers.mirror)]
    return set().union(*(each.among(keys) for each in rivals))


def unlike(page, taken, domain):
    """What is not answered yet; with a domain, what is about it."""
    for key, answer in page:
        if key not in taken and (not domain or is_about(key, domain)):
            yield key, answer


def is_about(key, domain):
    return key in (domain, f".{domain}") or key.endswith(f"@{domain}")


def line(key, answer, losses):
    if not WRITABLE.fullmatch(key):
        losses.add(_("A key that no map file can hold is left out."), key)
        return
    yield f"{key}\t{' '.join(str(answer).split())}\n"


# What uses them


def main_cf(mailboxes, base):
    names = {name: place(name) for name in (*FILES, NOT_SENDING)}
    return MAIN_CF.format(
        base=base,
        delimiter=settings.MAILADMIN_RECIPIENT_DELIMITER,
        vacation=f"{settings.MAILADMIN_VACATION_DOMAIN} = {maps.VACATION_SERVICE}:",
        mailboxes=",\n    ".join(map(place, mailboxes)),
        maps=names,
    )


def place(name):
    return f"hash:$config_directory/{name}"


MAIN_CF = """\
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
SCRIPT = """\
#!/bin/sh
# Compiles the map files beside it. After that: postfix reload.
cd "$(dirname "$0")" && exec postmap {maps}
"""
