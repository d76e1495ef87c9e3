"""Generate the files of the configuration, with their permissions."""

import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.template.loader import render_to_string

from mailboxes.mailserver.config_parser.postfix import split_logical_lines
from mailboxes.mailserver.generator import accounts
from mailboxes.mailserver.generator.choices import MailServerOptions
from mailboxes.mailserver.generator.database import DatabaseLocation
from mailboxes.postfix.dovecot_queries import build_dovecot_queries, render_for_dovecot
from mailboxes.postfix.maps import build_postfix_maps
from mailboxes.postfix.queries import PostfixMap, render_for_postfix

PANEL_FOLDER = "mailadmin"  # the folder of the maps, next to main.cf
PUBLIC_MODE, SECRET_MODE, ROOT_ONLY_MODE = 0o644, 0o640, 0o600

Context = dict[str, Any]


class GeneratedFile(NamedTuple):
    server: str  # postfix or dovecot
    name: str
    text: str
    mode: int = PUBLIC_MODE
    group: str = ""  # may read it


def generate_files(choices: MailServerOptions) -> Iterator[GeneratedFile]:
    """Yield all files of the configuration of one mail server."""
    queries = render_dovecot_queries(choices)
    context = choices.context() | {
        "maps": get_tables_by_parameter(choices),
        "queries": queries,
        "salted_queries": [
            (number, queries[f"app_password_{number}"])
            for number in range(1, choices.salted_app_passwords + 1)
        ],
    }
    yield from generate_postfix_files(context)
    yield from generate_dovecot_files(choices.dovecot_version, context)
    is_sqlite = context["database"].is_sqlite
    if not is_sqlite:
        statements = render_accounts_sql(choices)
        yield GeneratedFile("postfix", f"{PANEL_FOLDER}/accounts.sql", statements, ROOT_ONLY_MODE)
    text = render_config_file("postfix/autoreply", context)
    group = choices.database_group if is_sqlite else choices.autoreply_group
    yield GeneratedFile("postfix", f"{PANEL_FOLDER}/autoreply.env", text, SECRET_MODE, group)


def generate_postfix_files(context: Context) -> Iterator[GeneratedFile]:
    main = render_config_file("postfix/main.cf", context)
    yield GeneratedFile("postfix", "main.cf", main)
    yield GeneratedFile("postfix", "master.cf", render_config_file("postfix/master.cf", context))
    script = render_postconf_script(main, render_config_file("postfix/services", context))
    yield GeneratedFile("postfix", f"{PANEL_FOLDER}/postconf.sh", script)
    for query in build_postfix_maps():
        if query.parameter:
            variables = context | {"map": query, "query": render_map_query(query)}
            text = render_config_file("postfix/map.cf", variables)
            name = f"{PANEL_FOLDER}/{query.name}.cf"
            yield GeneratedFile("postfix", name, text, SECRET_MODE, "postfix")


def generate_dovecot_files(version: str, context: Context) -> Iterator[GeneratedFile]:
    for name, is_secret in DOVECOT_FILES[version]:
        text = render_config_file(f"dovecot-{version}/{name}", context)
        mode, group = (SECRET_MODE, "dovecot") if is_secret else (PUBLIC_MODE, "")
        yield GeneratedFile("dovecot", name, text, mode, group)
    if version == "2.3":
        yield from generate_app_password_files(context)


def generate_app_password_files(context: Context) -> Iterator[GeneratedFile]:
    """Yield a file for each query of a salted app password, as Dovecot 2.3 takes them."""
    for number, query in context["salted_queries"]:
        text = render_config_file("dovecot-2.3/app-password.conf.ext", context | {"query": query})
        name = f"dovecot-app-password-{number}.conf.ext"
        yield GeneratedFile("dovecot", name, text, SECRET_MODE, "dovecot")


# version → (file, whether it contains a password)
DOVECOT_FILES = {
    "2.3": (
        ("dovecot.conf", False),
        ("dovecot-sql.conf.ext", True),
        ("dovecot-dict-sql.conf.ext", True),
    ),
    "2.4": (("dovecot.conf", False), ("mailadmin-sql.conf.ext", True)),
}


def render_postconf_script(main: str, services: str) -> str:
    """Render a script that makes the same changes to an existing configuration of Postfix."""
    entries = [entry.text.partition("=") for entry in split_logical_lines("main.cf", main)]
    parameters = {name.strip(): value.strip() for name, _equals, value in entries}
    names = [name for name in parameters if name not in HOST_PARAMETERS]
    lines = [POSTCONF_SCRIPT.format(names=" ".join(names))]
    lines += [f"change -e {shlex.quote(f'{name} = {parameters[name]}')}" for name in names]
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


# Parameters that stay as they are in an existing configuration.
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


def render_config_file(name: str, context: Context) -> str:
    return render_to_string(f"mailserver/{name}", context).lstrip("\n")


def get_tables_by_parameter(choices: MailServerOptions) -> dict[str, list[str]]:
    """Return parameter → tables, as they are written in main.cf."""
    tables: dict[str, list[str]] = {}
    for query in build_postfix_maps():
        if query.parameter:
            table = f"{choices.map_type}:$config_directory/{PANEL_FOLDER}/{query.name}.cf"
            tables.setdefault(query.parameter, []).append(table)
    return tables


def render_map_query(query: PostfixMap) -> str:
    """Render a value of several lines, indented so that they continue the first."""
    return render_for_postfix(query.sql()).replace("\n", "\n    ")


def render_dovecot_queries(choices: MailServerOptions) -> dict[str, str]:
    """Render Dovecot's queries in one line each, as its files require."""
    version, base = choices.dovecot_version, choices.mail_directory
    return {
        query.name: " ".join(render_for_dovecot(query.sql, version, base).split())
        for query in build_dovecot_queries(
            version, salted_app_passwords=choices.salted_app_passwords
        )
    }


def render_accounts_sql(choices: MailServerOptions) -> str:
    clients = DatabaseLocation.from_connection().client_hosts
    statements = accounts.iter_account_statements(choices.passwords, clients)
    return "".join(f"{statement}\n" for statement in statements)
