"""Checks of alias domains and catch-alls."""

import re
from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from mailboxes.mailserver.checks.finding import (
    ERROR,
    WARNING,
    ConfigCheck,
    Configuration,
    Fault,
    Faults,
    SqlMapUse,
)
from mailboxes.mailserver.checks.queries import MapSelect, iter_map_selects, resolve_tables
from mailboxes.mailserver.config_parser.lines import Line
from mailboxes.mailserver.config_parser.maps import COMPOSITE_TYPES, TEXT_SOURCE_TYPES, MapReference
from mailboxes.mailserver.config_parser.sql import ParsedSelect

ADDRESS_PARAMETERS = ("virtual_alias_maps", "virtual_mailbox_maps")
# PostfixAdmin's tables without addresses of alias domains; other tables, and views, may have them.
POSTFIXADMIN_TABLES = {"alias", "mailbox", "domain"}
CATCH_ALL_RE = re.compile(r"concat\s*\(\s*'@'\s*,|=\s*'@'\s*\|\|", re.IGNORECASE)


class NoAliasDomainMap(ConfigCheck):
    code = "no-alias-domain-map"
    severity = ERROR
    title = _("No map resolves alias domains")
    reason = _("Mail to addresses of an alias domain is rejected.")
    fix = _("Add a map that joins alias_domain and alias to virtual_alias_maps.")

    def find_faults(self, configuration: Configuration) -> Faults:
        unmapped = sorted(self._find_unmapped_domains(configuration))
        if unmapped and self._uses_known_tables(configuration):
            line = configuration.postfix.get_line("virtual_alias_maps")
            yield Fault(line, ", ".join(unmapped[:5]))

    @staticmethod
    def _find_unmapped_domains(configuration: Configuration) -> frozenset[str]:
        """Return the alias domains without a catch-all of their own in the database or a file."""
        listed = {
            key.lower().removeprefix("@")
            for reference in configuration.postfix.all_maps("virtual_alias_maps")
            for key, _value, _line in configuration.postfix.entries(reference)
            if key.startswith("@")
        }
        return configuration.rows.alias_domains - configuration.rows.catch_alls - listed

    @staticmethod
    def _uses_known_tables(configuration: Configuration) -> bool:
        """Check that the maps of aliases and mailboxes query only PostfixAdmin's tables."""
        found = {
            table
            for _use, select in iter_map_selects(configuration, *ADDRESS_PARAMETERS)
            for table in resolve_tables(configuration, select).values()
        }
        references = configuration.postfix.all_maps("virtual_alias_maps")
        return (
            bool(found) and found <= POSTFIXADMIN_TABLES and not any(map(is_opaque_map, references))
        )


def is_opaque_map(reference: MapReference) -> bool:
    """Check for maps whose answers neither the files nor the database show."""
    return not (
        reference.is_sql
        or reference.type in (*TEXT_SOURCE_TYPES, *COMPOSITE_TYPES, "inline", "static")
    )


def iter_alias_domain_selects(configuration: Configuration) -> Iterator[MapSelect]:
    for use, select in iter_map_selects(configuration, *ADDRESS_PARAMETERS):
        if "alias_domain" in resolve_tables(configuration, select).values():
            yield use, select


class NoAliasDomainCatchAll(ConfigCheck):
    code = "no-alias-domain-catch-all"
    severity = WARNING
    title = _("The catch-all of a domain does not apply to its alias domains")
    reason = _(
        "Mail to an unknown address is accepted in the domain but rejected in its alias domain."
    )
    fix = _("Add a third map: alias.address = CONCAT('@', alias_domain.target_domain).")

    def find_faults(self, configuration: Configuration) -> Faults:
        found = [
            pair
            for pair in iter_alias_domain_selects(configuration)
            if pair[0].parameter == ADDRESS_PARAMETERS[0]
        ]
        if found and not any(answers_catch_all(select) for _use, select in found):
            yield Fault(found[0][0].sql.query_line)


def answers_catch_all(select: ParsedSelect) -> bool:
    """Check whether a query answers the key `@domain`; Postfix skips queries with %u for it."""
    uses_whole_key = "%s" in select.text and "%u" not in select.text
    return bool(uses_whole_key or CATCH_ALL_RE.search(select.text))


class CatchAllBeforeExtension(ConfigCheck):
    code = "catch-all-before-extension"
    severity = WARNING
    title = _("The catch-all of alias domains takes addresses with an extension")
    reason = _(
        "Postfix looks up user+ext@alias.example in every map first, and a query that"
        " only uses %d matches at once: the mail goes to the catch-all instead of to"
        " user."
    )
    fix = _(
        "Let the query match only the key of a catch-all: … AND '%s' = CONCAT('@',"
        " alias_domain.alias_domain)."
    )

    def find_faults(self, configuration: Configuration) -> Faults:
        if not configuration.postfix.value("recipient_delimiter"):
            return
        for use, select in iter_alias_domain_selects(configuration):
            is_greedy = "%d" in select.text and not re.search(r"%[su]", select.text)
            if use.parameter == ADDRESS_PARAMETERS[0] and is_greedy:
                yield Fault(use.sql.query_line)


class CatchAllSwallowsMailboxes(ConfigCheck):
    code = "catch-all-swallows-mailboxes"
    severity = ERROR
    title = _("A catch-all takes the mail of mailboxes")
    reason = _(
        "Postfix queries the alias maps first. A mailbox without an alias row is an"
        " unknown address there."
    )
    fix = _(
        "Add an alias row that points to itself for each mailbox, or add a map: SELECT"
        " username FROM mailbox WHERE username = '%s'."
    )

    def find_faults(self, configuration: Configuration) -> Faults:
        if any(self._find_self_maps(configuration)):
            return
        yield from self._find_database_faults(configuration)
        yield from self._find_file_faults(configuration)
        yield from self._find_foreign_table_faults(configuration)

    @staticmethod
    def _find_self_maps(configuration: Configuration) -> Iterator[SqlMapUse]:
        """Yield the alias maps that map addresses of mailboxes to themselves."""
        mailbox_tables = set(_iter_tables(configuration, "virtual_mailbox_maps")) | {"mailbox"}
        for use, select in iter_map_selects(configuration, "virtual_alias_maps"):
            found = set(resolve_tables(configuration, select).values())
            if found and found <= mailbox_tables:
                yield use

    @staticmethod
    def _find_database_faults(configuration: Configuration) -> Faults:
        if "alias" in _iter_tables(configuration, "virtual_alias_maps"):
            line = configuration.postfix.get_line("virtual_alias_maps")
            for address in configuration.rows.mailboxes_behind_catch_all:
                yield Fault(line, address)

    @staticmethod
    def _find_file_faults(configuration: Configuration) -> Faults:
        aliases, mailboxes = (_get_key_lines(configuration, name) for name in ADDRESS_PARAMETERS)
        for address in mailboxes:
            catch_all = "@" + address.rpartition("@")[2]
            if catch_all in aliases and address not in aliases and address != catch_all:
                yield Fault(aliases[catch_all], address)

    @staticmethod
    def _find_foreign_table_faults(configuration: Configuration) -> Faults:
        """Check queries of tables other than PostfixAdmin's: they have no rows of mailboxes."""
        mailbox_tables = set(_iter_tables(configuration, "virtual_mailbox_maps"))
        for use, select in iter_map_selects(configuration, "virtual_alias_maps"):
            found = set(resolve_tables(configuration, select).values())
            if mailbox_tables and not found & {"alias", *mailbox_tables}:
                yield Fault(use.sql.query_line, ", ".join(sorted(found)))


def _get_key_lines(configuration: Configuration, parameter: str) -> dict[str, Line]:
    """Return key → line of the maps that list their entries."""
    references = configuration.postfix.all_maps(parameter)
    entries = [entry for each in references for entry in configuration.postfix.entries(each)]
    return {key.lower(): line for key, _value, line in entries}


def _iter_tables(configuration: Configuration, parameter: str) -> Iterator[str]:
    for _use, select in iter_map_selects(configuration, parameter):
        yield from resolve_tables(configuration, select).values()


CONFIG_CHECKS = (
    NoAliasDomainMap(),
    NoAliasDomainCatchAll(),
    CatchAllBeforeExtension(),
    CatchAllSwallowsMailboxes(),
)
