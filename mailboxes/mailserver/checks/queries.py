"""Checks of the SQL of maps: conditions, columns, character sets, functions."""

import re
from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from mailboxes.mailserver.checks.access import iter_smtpd_services
from mailboxes.mailserver.checks.finding import (
    ADVICE,
    ERROR,
    WARNING,
    ConfigCheck,
    Configuration,
    Fault,
    Faults,
    SqlMapUse,
)
from mailboxes.mailserver.config_parser import sql
from mailboxes.mailserver.config_parser.lines import Line

# Parameter → tables whose rows must be active. Inactive mailboxes may be among aliases and
# senders: they keep their mail from a catch-all, and cannot sign in.
TABLES_WITH_ACTIVE = {
    "virtual_alias_maps": ("alias", "alias_domain"),
    "virtual_mailbox_maps": ("mailbox", "alias_domain"),
    "virtual_mailbox_domains": ("domain",),
    "virtual_alias_domains": ("domain", "alias_domain"),
    "relay_domains": ("domain",),
    "relay_recipient_maps": ("mailbox", "alias", "domain"),
    "smtpd_sender_login_maps": ("alias", "alias_domain", "mailadmin_sender_permission"),
    "transport_maps": ("mailadmin_transport",),
    "password_query": ("mailbox",),
}
ACTIVE_COLUMNS = ("active", "smtp_active")
# (parameter, table) → the result column
RESULT_COLUMNS = {
    ("transport_maps", "domain"): "transport",
    ("transport_maps", "transport"): "transport",
    ("transport_maps", "mailadmin_transport"): "transport",
    ("virtual_alias_maps", "alias"): "goto",
    ("virtual_mailbox_maps", "mailbox"): "maildir",
    ("smtpd_sender_login_maps", "alias"): "goto",
    ("smtpd_sender_login_maps", "mailbox"): "username",
    ("smtpd_sender_login_maps", "mailadmin_sender_permission"): "mailbox",
}


MapSelect = tuple[SqlMapUse, sql.ParsedSelect]


def iter_map_selects(configuration: Configuration, *parameters: str) -> Iterator[MapSelect]:
    """Yield (use, select) of every SQL map of these parameters."""
    for use in configuration.get_sql_map_uses(*parameters):
        for select in sql.parse_selects(use.sql.query):
            yield use, select


def resolve_tables(configuration: Configuration, select: sql.ParsedSelect) -> dict[str, str]:
    """Return alias in the query → PostfixAdmin's name of the table."""
    return {name: configuration.table(table) for name, table in select.tables.items()}


class WrongColumnSelected(ConfigCheck):
    code = "wrong-column-selected"
    severity = ERROR
    title = _("A map selects the wrong column")
    reason = _(
        "Postfix uses whatever the map returns: if a transport map returns the domain, it"
        " names a service that does not exist, and mail stays in the queue."
    )
    fix = _("Select the column with the result: transport, goto, maildir, username.")

    def find_faults(self, configuration: Configuration) -> Faults:
        for use, select in iter_map_selects(
            configuration, *{parameter for parameter, _table in RESULT_COLUMNS}
        ):
            if use.parameter == "virtual_mailbox_maps" and not configuration.delivers_with_virtual:
                continue  # any answer means that the mailbox exists
            found = resolve_tables(configuration, select).values()
            expected = {
                RESULT_COLUMNS[key]
                for table in found
                if (key := (use.parameter, table)) in RESULT_COLUMNS
            }
            if expected and not self._returns_column(use, select, expected):
                yield Fault(use.sql.query_line, f"{use.parameter}: {select.columns}")

    @staticmethod
    def _returns_column(use: SqlMapUse, select: sql.ParsedSelect, expected: set[str]) -> bool:
        if use.parameter == "transport_maps" and re.search(r"'[^']*:[^']*'", select.columns):
            return True
        plain = sql.blank_string_literals(select.columns).lower()
        return any(re.search(rf"\b{column}\b", plain) for column in expected)


class InactiveRowsAnswer(ConfigCheck):
    code = "inactive-rows-answer"
    severity = WARNING
    title = _("A query does not check whether a row is active")
    reason = _(
        "Inactive domains, mailboxes and aliases still receive mail, and their owners can"
        " still send or sign in."
    )
    fix = _("Add the condition for each table in the query: … AND alias.active = '1'.")
    requires = ()

    def find_faults(self, configuration: Configuration) -> Faults:
        for parameter, line, select in self._iter_queries(configuration):
            found = resolve_tables(configuration, select)
            for name, table in found.items():
                is_context = table == "domain" and len(found) > 1
                must_be_active = table in TABLES_WITH_ACTIVE[parameter] and not is_context
                if must_be_active and not checks_active(select, name):
                    yield Fault(line, table)

    @staticmethod
    def _iter_queries(configuration: Configuration) -> Iterator[tuple[str, Line, sql.ParsedSelect]]:
        for use, select in iter_map_selects(configuration, *TABLES_WITH_ACTIVE):
            yield use.parameter, use.sql.query_line, select
        dovecot = configuration.dovecot_files
        for database in dovecot.passdbs() if dovecot else ():
            for select in sql.parse_selects(database.value("password_query")):
                yield "password_query", database.get_line("password_query"), select


def checks_active(select: sql.ParsedSelect, name: str) -> bool:
    return any(select.mentions_column(column, name) for column in ACTIVE_COLUMNS)


class SenderLoginMapsNotUnited(ConfigCheck):
    code = "sender-login-maps-not-united"
    severity = WARNING
    title = _("Sender logins are looked up in several maps")
    reason = _(
        "Postfix uses the first map that returns a result: an alias that is also in"
        " another map has only some of its senders."
    )
    fix = _("Combine the queries with UNION in one map, or the maps in unionmap:{…}.")

    def find_faults(self, configuration: Configuration) -> Faults:
        reported: set[tuple[str, ...]] = set()
        views = [view for _service, view in iter_smtpd_services(configuration.postfix)]
        for view in [configuration.postfix, *views]:
            found = [
                ref
                for ref in view.maps("smtpd_sender_login_maps")
                if any(p.is_sql for p in ref.walk())
            ]
            names = tuple(reference.text for reference in found)
            if len(found) > 1 and names not in reported:
                reported.add(names)
                yield Fault(found[1].line, found[1].text)


class CharsetMismatch(ConfigCheck):
    code = "charset-mismatch"
    severity = ADVICE
    title = _("A non-Unicode column is compared with Unicode")
    reason = _(
        "For addresses with characters outside latin1, the query fails (error 1267) and"
        " mail is deferred instead of rejected."
    )
    fix = _(
        "Set charset = latin1 in the map (Postfix 3.9 and later), or compare with CONVERT('%s' "
        "USING latin1)."
    )
    conversion_re = re.compile(r"\b(convert|cast|collate|binary|_latin1|_ascii)\b", re.IGNORECASE)

    def find_faults(self, configuration: Configuration) -> Faults:
        reported = set()
        for use in configuration.sql_map_uses:
            charset = use.sql.value("charset").lower()
            is_safe = use.sql.type != "mysql" or charset in ("latin1", "ascii", "binary")
            if is_safe or use.sql.file in reported or self.conversion_re.search(use.sql.query):
                continue
            found = sql.parse_tables(use.sql.query)
            if found & configuration.rows.non_unicode_tables:
                reported.add(use.sql.file)
                yield Fault(use.sql.query_line, ", ".join(sorted(found)))


# Reserved in MySQL 8, not in MariaDB.
MYSQL_RESERVED_WORDS = (
    "virtual|stored|generated|lateral|rank|dense_rank|groups|system|empty|cube|function|of"
)
REMOVED_SQL_FUNCTIONS = "encrypt|password|old_password|sha512|sha256"
RESERVED_ALIAS_RE = re.compile(rf"\bas\s+({MYSQL_RESERVED_WORDS})\b", re.IGNORECASE)
REMOVED_FUNCTION_RE = re.compile(rf"\b({REMOVED_SQL_FUNCTIONS})\s*\(", re.IGNORECASE)


def iter_all_queries(configuration: Configuration) -> Iterator[tuple[str, Line]]:
    """Yield (query, line) of all queries that MySQL or MariaDB runs, for both servers."""
    for use in configuration.sql_map_uses:
        if use.sql.type == "mysql":
            yield use.sql.query, use.sql.query_line
    dovecot = configuration.dovecot_files
    names = ("password_query", "user_query", "iterate_query")
    for database in [*dovecot.passdbs(), *dovecot.userdbs()] if dovecot else ():
        yield from ((database.value(name), database.get_line(name)) for name in names)


class ReservedWord(ConfigCheck):
    code = "reserved-word"
    severity = ADVICE
    title = _("A query uses a reserved word of MySQL")
    reason = _("It works in MariaDB but is a syntax error in MySQL 8.")
    fix = _("Use a different name after AS, or none.")
    requires = ()
    words = RESERVED_ALIAS_RE

    def find_faults(self, configuration: Configuration) -> Faults:
        for query, line in iter_all_queries(configuration):
            for found in self.words.finditer(sql.blank_string_literals(query)):
                yield Fault(line, found[1])


class UnknownSqlFunction(ReservedWord):
    code = "unknown-sql-function"
    severity = WARNING
    title = _("A query calls a function that the database does not have")
    reason = _(
        "ENCRYPT, PASSWORD and OLD_PASSWORD were removed in MySQL 8. SHA256 and SHA512"
        " never existed: use SHA2(…, 512)."
    )
    fix = _("Let Dovecot verify passwords by their stored scheme.")
    words = REMOVED_FUNCTION_RE


CONFIG_CHECKS = (
    WrongColumnSelected(),
    InactiveRowsAnswer(),
    SenderLoginMapsNotUnited(),
    CharsetMismatch(),
    ReservedWord(),
    UnknownSqlFunction(),
)
