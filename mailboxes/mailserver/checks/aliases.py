"""Findings about alias domains and catch-alls."""

import re

from django.utils.translation import gettext_lazy as _

from mailboxes.mailserver.checks.finding import ERROR, WARNING, ConfigCheck, Fault
from mailboxes.mailserver.checks.queries import iter_map_selects, resolve_tables
from mailboxes.mailserver.config_parser.maps import COMPOSITE_TYPES, TEXT_SOURCE_TYPES

ADDRESS_PARAMETERS = ("virtual_alias_maps", "virtual_mailbox_maps")
# PostfixAdmin's tables that know nothing of alias domains; others, and views, may.
POSTFIXADMIN_TABLES = {"alias", "mailbox", "domain"}
CATCH_ALL_RE = re.compile(r"concat\s*\(\s*'@'\s*,|=\s*'@'\s*\|\|", re.IGNORECASE)


class NoAliasDomainMap(ConfigCheck):
    code = "no-alias-domain-map"
    severity = ERROR
    title = _("No map knows the alias domains")
    reason = _("Mail for addresses of an alias domain is refused.")
    fix = _("Add a map that joins alias_domain and alias to virtual_alias_maps.")
    requires = ("postfix", "rows")

    def find_faults(self, configuration):
        missed = sorted(self._find_unmapped_domains(configuration))
        if missed and self._uses_known_tables(configuration):
            where = configuration.postfix.where("virtual_alias_maps")
            yield Fault(where, ", ".join(missed[:5]))

    @staticmethod
    def _find_unmapped_domains(configuration):
        """Alias domains without a catch-all row of their own, in the panel or in a file."""
        listed = {
            key.lower().removeprefix("@")
            for reference in configuration.postfix.all_maps("virtual_alias_maps")
            for key, _value, _line in configuration.postfix.entries(reference)
            if key.startswith("@")
        }
        return configuration.rows.alias_domains - configuration.rows.catch_alls - listed

    @staticmethod
    def _uses_known_tables(configuration):
        """Whether all maps ask PostfixAdmin's tables for aliases and mailboxes, and no others."""
        found = {
            table
            for _use, select in iter_map_selects(configuration, *ADDRESS_PARAMETERS)
            for table in resolve_tables(configuration, select).values()
        }
        references = configuration.postfix.all_maps("virtual_alias_maps")
        return (
            bool(found) and found <= POSTFIXADMIN_TABLES and not any(map(is_opaque_map, references))
        )


def is_opaque_map(reference):
    """Whether nobody can tell from the files what a map answers."""
    return not (
        reference.is_sql
        or reference.type in (*TEXT_SOURCE_TYPES, *COMPOSITE_TYPES, "inline", "static")
    )


def iter_alias_domain_selects(configuration):
    for use, select in iter_map_selects(configuration, *ADDRESS_PARAMETERS):
        if "alias_domain" in resolve_tables(configuration, select).values():
            yield use, select


class NoAliasDomainCatchAll(ConfigCheck):
    code = "no-alias-domain-catch-all"
    severity = WARNING
    title = _("The catch-all of a domain does not hold for its alias domains")
    reason = _("An unknown address is accepted in the domain and refused in its alias domain.")
    fix = _("Add a third map: alias.address = CONCAT('@', alias_domain.target_domain).")

    def find_faults(self, configuration):
        found = [
            pair
            for pair in iter_alias_domain_selects(configuration)
            if pair[0].parameter == ADDRESS_PARAMETERS[0]
        ]
        if found and not any(answers_catch_all(select) for _use, select in found):
            yield Fault(found[0][0].sql.query_line)


def answers_catch_all(select):
    """Postfix does not ask `@domain` where %u stands; without, the key's own `@` may lead on."""
    asks_key = "%s" in select.text and "%u" not in select.text
    return bool(asks_key or CATCH_ALL_RE.search(select.text))


class CatchAllBeforeExtension(ConfigCheck):
    code = "catch-all-before-extension"
    severity = WARNING
    title = _("The catch-all of alias domains takes addresses with an extension")
    reason = _(
        "user+ext@alias.example is asked first in every map, and a query by %d alone answers at "
        "once: the mail goes to the catch-all instead of to user."
    )
    fix = _(
        "Let it answer for the key of a catch-all only: … AND '%s' = CONCAT('@', "
        "alias_domain.alias_domain)."
    )

    def find_faults(self, configuration):
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
        "Postfix asks the alias maps first, and there a mailbox without a row of its own is an "
        "unknown address."
    )
    fix = _(
        "Add an alias row for each mailbox that leads to itself, or a map: SELECT username FROM "
        "mailbox WHERE username = '%s'."
    )

    def find_faults(self, configuration):
        if list(self._find_self_maps(configuration)):
            return
        yield from self._find_database_faults(configuration)
        yield from self._find_file_faults(configuration)
        yield from self._find_foreign_table_faults(configuration)

    @staticmethod
    def _find_self_maps(configuration):
        """Maps of aliases that ask a table of mailboxes for the key itself."""
        homes = set(_iter_tables(configuration, "virtual_mailbox_maps")) | {"mailbox"}
        for use, select in iter_map_selects(configuration, "virtual_alias_maps"):
            found = set(resolve_tables(configuration, select).values())
            if found and found <= homes:
                yield use

    @staticmethod
    def _find_database_faults(configuration):
        reads = "alias" in _iter_tables(configuration, "virtual_alias_maps")
        for address in (
            configuration.rows.mailboxes_behind_catch_all if configuration.rows and reads else ()
        ):
            yield Fault(configuration.postfix.where("virtual_alias_maps"), address)

    @staticmethod
    def _find_file_faults(configuration):
        postfix = configuration.postfix
        aliases, boxes = (
            {
                key.lower(): line
                for ref in postfix.all_maps(name)
                for key, _v, line in postfix.entries(ref)
            }
            for name in ADDRESS_PARAMETERS
        )
        for address in boxes:
            catch_all = "@" + address.rpartition("@")[2]
            if catch_all in aliases and address not in aliases and address != catch_all:
                yield Fault(aliases[catch_all], address)

    @staticmethod
    def _find_foreign_table_faults(configuration):
        """Tables of others than PostfixAdmin keep no rows for mailboxes among the aliases."""
        boxes = set(_iter_tables(configuration, "virtual_mailbox_maps"))
        for use, select in iter_map_selects(configuration, "virtual_alias_maps"):
            found = set(resolve_tables(configuration, select).values())
            if boxes and not found & {"alias", *boxes}:
                yield Fault(use.sql.query_line, ", ".join(sorted(found)))


def _iter_tables(configuration, parameter):
    for _use, select in iter_map_selects(configuration, parameter):
        yield from resolve_tables(configuration, select).values()


CONFIG_CHECKS = (
    NoAliasDomainMap(),
    NoAliasDomainCatchAll(),
    CatchAllBeforeExtension(),
    CatchAllSwallowsMailboxes(),
)
