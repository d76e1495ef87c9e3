"""Every file of the configuration: where it goes, what it says, who may read it."""

import shlex
from typing import NamedTuple

from django.template.loader import render_to_string

from mailboxes.mailserver.config_parser.postfix import split_logical_lines
from mailboxes.mailserver.generator import accounts
from mailboxes.mailserver.generator.database import DatabaseLocation
from mailboxes.postfix import maps

PANEL_FOLDER = "mailadmin"  # the folder of the maps beside main.cf
PUBLIC_MODE, SECRET_MODE, ROOT_ONLY_MODE = 0o644, 0o640, 0o600


class GeneratedFile(NamedTuple):
    place: str  # postfix or dovecot
    name: str
    text: str
    mode: int = PUBLIC_MODE
    group: str = ""  # who may read it beside root


def generate_files(choices):
    """The whole configuration, for one mail server."""
    context = choices.context() | {
        "maps": get_tables_by_parameter(choices),
        "queries": render_dovecot_queries(choices),
    }
    yield from generate_postfix_files(choices, context)
    yield from generate_dovecot_files(choices, context)
    is_sqlite = context["database"].is_sqlite
    if not is_sqlite:
        yield GeneratedFile(
            "postfix", f"{PANEL_FOLDER}/accounts.sql", render_accounts_sql(choices), ROOT_ONLY_MODE
        )
    text = render_config_file("postfix/autoreply", context)
    group = choices.database_group if is_sqlite else choices.autoreply_group
    yield GeneratedFile("postfix", f"{PANEL_FOLDER}/autoreply.env", text, SECRET_MODE, group)


def generate_postfix_files(choices, context):
    main, master = (
        render_config_file("postfix/main.cf", context),
        render_config_file("postfix/master.cf", context),
    )
    yield GeneratedFile("postfix", "main.cf", main)
    yield GeneratedFile("postfix", "master.cf", master)
    services = render_config_file("postfix/services", context)
    yield GeneratedFile(
        "postfix", f"{PANEL_FOLDER}/postconf.sh", render_postconf_script(main, services)
    )
    for query in maps.build_postfix_maps():
        if query.parameter:
            text = render_config_file(
                "postfix/map.cf", context | {"map": query, "query": render_map_query(query)}
            )
            yield GeneratedFile(
                "postfix", f"{PANEL_FOLDER}/{query.name}.cf", text, SECRET_MODE, "postfix"
            )


def generate_dovecot_files(choices, context):
    for name, secret in DOVECOT_FILES[choices.dovecot_version]:
        text = render_config_file(f"dovecot-{choices.dovecot_version}/{name}", context)
        yield GeneratedFile("dovecot", name, text, *([SECRET_MODE, "dovecot"] if secret else []))


# version → its files, and whether they hold a password
DOVECOT_FILES = {
    "2.3": (
        ("dovecot.conf", False),
        ("dovecot-sql.conf.ext", True),
        ("dovecot-dict-sql.conf.ext", True),
    ),
    "2.4": (("dovecot.conf", False), ("mailadmin-sql.conf.ext", True)),
}


def render_postconf_script(main, services):
    """The same for a Postfix that has a configuration already, typed line by line."""
    entries = [entry.text.partition("=") for entry in split_logical_lines("main.cf", main)]
    own = [(name.strip(), value.strip()) for name, _equals, value in entries]
    own = [(name, value) for name, value in own if name not in HOST_PARAMETERS]
    lines = [POSTCONF_SCRIPT.format(names=" ".join(name for name, _value in own))]
    lines += [f"change -e {shlex.quote(f'{name} = {value}')}" for name, value in own]
    for entry in split_logical_lines("master.cf", services):
        name, kind = entry.text.split()[:2]
        lines.append(f"change -M {shlex.quote(f'{name}/{kind} = {entry.text}')}")
    return "\n".join(lines) + "\n"


POSTCONF_SCRIPT = """\
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
HOST_PARAMETERS = {
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


def render_config_file(name, context):
    return render_to_string(f"mailserver/{name}", context).lstrip("\n")


def get_tables_by_parameter(choices):
    """parameter → its tables, as main.cf names them."""
    found = {}
    for query in maps.build_postfix_maps():
        if query.parameter:
            table = f"{choices.map_type}:$config_directory/{PANEL_FOLDER}/{query.name}.cf"
            found.setdefault(query.parameter, []).append(table)
    return found


def render_map_query(query):
    """A value of several lines: those that go on begin with a space."""
    return maps.render_for_postfix(query.sql()).replace("\n", "\n    ")


def render_dovecot_queries(choices):
    """Dovecot's queries in one line each: its files end a value with the line."""
    version, base = choices.dovecot_version, choices.mail_directory
    return {
        query.name: " ".join(maps.render_for_dovecot(query.sql, version, base).split())
        for query in maps.build_dovecot_queries(version)
    }


def render_accounts_sql(choices):
    clients = DatabaseLocation.from_connection().client_hosts
    return "".join(
        f"{line}\n" for line in accounts.iter_account_statements(choices.passwords, clients)
    )
