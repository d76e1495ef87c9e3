"""Every file of the configuration: where it goes, what it says, who may read it."""

import shlex
from typing import NamedTuple

from django.template.loader import render_to_string

from mailboxes.mailserver.config_parser.postfix import logical_lines
from mailboxes.mailserver.generator import accounts
from mailboxes.mailserver.generator.database import Database
from mailboxes.postfix import maps

OWN = "mailadmin"  # the folder of the maps beside main.cf
PUBLIC, SECRET, ROOT_ONLY = 0o644, 0o640, 0o600


class File(NamedTuple):
    place: str  # postfix or dovecot
    name: str
    text: str
    mode: int = PUBLIC
    group: str = ""  # who may read it beside root


def files_of(choices):
    """The whole configuration, for one mail server."""
    context = choices.context() | {"maps": listed_maps(choices), "queries": queries(choices)}
    yield from postfix_files(choices, context)
    yield from dovecot_files(choices, context)
    is_sqlite = context["database"].is_sqlite
    if not is_sqlite:
        yield File("postfix", f"{OWN}/accounts.sql", accounts_sql(choices), ROOT_ONLY)
    text = rendered("postfix/autoreply", context)
    group = choices.database_group if is_sqlite else choices.autoreply_group
    yield File("postfix", f"{OWN}/autoreply.env", text, SECRET, group)


def postfix_files(choices, context):
    main, master = rendered("postfix/main.cf", context), rendered("postfix/master.cf", context)
    yield File("postfix", "main.cf", main)
    yield File("postfix", "master.cf", master)
    services = rendered("postfix/services", context)
    yield File("postfix", f"{OWN}/postconf.sh", postconf_lines(main, services))
    for query in maps.postfix_maps():
        if query.parameter:
            text = rendered("postfix/map.cf", context | {"map": query, "query": indented(query)})
            yield File("postfix", f"{OWN}/{query.name}.cf", text, SECRET, "postfix")


def dovecot_files(choices, context):
    for name, secret in DOVECOT_FILES[choices.dovecot_version]:
        text = rendered(f"dovecot-{choices.dovecot_version}/{name}", context)
        yield File("dovecot", name, text, *([SECRET, "dovecot"] if secret else []))


# version → its files, and whether they hold a password
DOVECOT_FILES = {
    "2.3": (
        ("dovecot.conf", False),
        ("dovecot-sql.conf.ext", True),
        ("dovecot-dict-sql.conf.ext", True),
    ),
    "2.4": (("dovecot.conf", False), ("mailadmin-sql.conf.ext", True)),
}


def postconf_lines(main, services):
    """The same for a Postfix that has a configuration already, typed line by line."""
    entries = [entry.text.partition("=") for entry in logical_lines("main.cf", main)]
    own = [(name.strip(), value.strip()) for name, _equals, value in entries]
    own = [(name, value) for name, value in own if name not in MACHINES_OWN]
    lines = [SCRIPT.format(names=" ".join(name for name, _value in own))]
    lines += [f"change -e {shlex.quote(f'{name} = {value}')}" for name, value in own]
    for entry in logical_lines("master.cf", services):
        name, kind = entry.text.split()[:2]
        lines.append(f"change -M {shlex.quote(f'{name}/{kind} = {entry.text}')}")
    return "\n".join(lines) + "\n"


SCRIPT = """\
#!/bin/sh
# Gives these parameters and services of the configuration beside it the values that main.cf and
# master.cf of mailadmin have. What they were is printed first; the machine's own names, networks
# and TLS files stay.
set -e
folder=$(cd "$(dirname "$0")/.." && pwd)
change() {{ postconf -c "$folder" "$@"; }}
change -n {names} 2>/dev/null
"""


# What an existing configuration knows better.
MACHINES_OWN = {
    "compatibility_level",
    "myhostname",
    "mydomain",
    "myorigin",
    "mydestination",
    "mynetworks",
    "inet_interfaces",
    "alias_maps",
    "alias_database",
    "queue_directory",
    "smtpd_tls_chain_files",
    "smtpd_tls_cert_file",
    "smtpd_tls_key_file",
}


def rendered(name, context):
    return render_to_string(f"mailserver/{name}", context).lstrip("\n")


def listed_maps(choices):
    """parameter → its tables, as main.cf names them."""
    found = {}
    for query in maps.postfix_maps():
        if query.parameter:
            table = f"{choices.map_type}:$config_directory/{OWN}/{query.name}.cf"
            found.setdefault(query.parameter, []).append(table)
    return found


def indented(query):
    """A value of several lines: those that go on begin with a space."""
    return maps.for_postfix(query.sql()).replace("\n", "\n    ")


def queries(choices):
    """Dovecot's queries in one line each: its files end a value with the line."""
    version, base = choices.dovecot_version, choices.mail_directory
    return {
        query.name: " ".join(maps.for_dovecot(query.sql, version, base).split())
        for query in maps.dovecot_queries(version)
    }


def accounts_sql(choices):
    clients = Database.of_the_panel().clients
    return "".join(f"{line}\n" for line in accounts.statements(choices.passwords, clients))
