"""Checks of address classes: which domains are local, virtual or relayed."""

import re

from django.utils.translation import gettext_lazy as _

from mailboxes.mailserver.checks.files import CACHE_PARAMETER_RE
from mailboxes.mailserver.checks.finding import (
    ERROR,
    WARNING,
    ConfigCheck,
    Configuration,
    Fault,
    Faults,
    MapUse,
)
from mailboxes.mailserver.config_parser import sql
from mailboxes.mailserver.config_parser.postfix import PostfixFiles

# The panel's table of transports, and the view that shows its rows to older systems.
TRANSPORT_TABLES = {"mailadmin_transport", "transport"}
# Columns that distinguish relayed domains from local ones.
RELAY_COLUMNS = ("backupmx", "transport")
EQUALS_RE = re.compile(r"([A-Za-z_]\w*)`?\s*=\s*('[^']*'|\d+)")


class VirtualDomainInMydestination(ConfigCheck):
    code = "virtual-domain-in-mydestination"
    severity = ERROR
    title = _("A virtual domain is also in mydestination")
    reason = _(
        "Postfix treats the domain as local: mailboxes of the database are “unknown in"
        " local recipient table”."
    )
    fix = _("Remove the domain from mydestination (also as $myhostname or $mydomain).")

    def find_faults(self, configuration: Configuration) -> Faults:
        for name, line in configuration.postfix.names("mydestination"):
            if name in configuration.virtual_domains:
                yield Fault(line, name)


class SystemMailIntoVirtualDomain(ConfigCheck):
    code = "system-mail-into-virtual-domain"
    severity = WARNING
    title = _("The host's own name is a virtual domain")
    reason = _(
        "Mail to root and from cron gets this domain: it is rejected, or delivered to a"
        " mailbox of the same name."
    )
    fix = _(
        "Set myhostname and myorigin to a name that is not a virtual domain, such as the"
        " full name of the host."
    )
    parameters = ("myhostname", "myorigin")

    def find_faults(self, configuration: Configuration) -> Faults:
        for parameter in self.parameters:
            for name, line in configuration.postfix.names(parameter):
                is_set = configuration.postfix.is_set(parameter)
                if name in configuration.virtual_domains and is_set:
                    yield Fault(line, f"{parameter}: {name}")


class RelayAndVirtual(ConfigCheck):
    code = "relay-and-virtual"
    severity = ERROR
    title = _("A domain can be a relay domain and a virtual domain at once")
    reason = _("All mail to such a domain is rejected: “User unknown in virtual mailbox table”.")
    fix = _(
        "Use backupmx = '1' in one query and backupmx = '0' in the other (or do the same"
        " with transport)."
    )

    def find_faults(self, configuration: Configuration) -> Faults:
        yield from self._find_listed_domains(configuration)
        relays = configuration.get_sql_map_uses("relay_domains")
        for virtual in configuration.get_sql_map_uses("virtual_mailbox_domains"):
            if any(can_match_same_row(relay.sql.query, virtual.sql.query) for relay in relays):
                yield Fault(virtual.sql.query_line, "relay_domains, virtual_mailbox_domains")

    def _find_listed_domains(self, configuration: Configuration) -> Faults:
        postfix = configuration.postfix
        virtual = {name for name, _line in postfix.names("virtual_mailbox_domains")}
        for name, line in postfix.names("relay_domains"):
            if name in virtual and postfix.is_set("relay_domains"):
                yield Fault(line, name)


def can_match_same_row(relay: str, virtual: str) -> bool:
    """Check whether two queries can return the same row: same table, no exclusive conditions."""
    return any(
        set(one.tables.values()) & set(other.tables.values()) and not _are_exclusive(one, other)
        for one in sql.parse_selects(relay)
        for other in sql.parse_selects(virtual)
    )


def _are_exclusive(one: sql.ParsedSelect, other: sql.ParsedSelect) -> bool:
    by_relay_column = any(
        one.mentions_column(column)
        and other.mentions_column(column)
        and find_comparison(one, column) != find_comparison(other, column)
        for column in RELAY_COLUMNS
    )
    return by_relay_column or any(
        find_constant_conditions(other).get(column, value) != value
        for column, value in find_constant_conditions(one).items()
    )


def find_constant_conditions(select: sql.ParsedSelect) -> dict[str, str]:
    """Return column → constant of the conditions such as `type = 'relaydomain'`."""
    return {
        column.lower(): value
        for column, value in EQUALS_RE.findall(select.where_clause)
        if "%" not in value
    }


def find_comparison(select: sql.ParsedSelect, column: str) -> tuple[str, str] | None:
    """Return (negation before the column, comparison): ("", "not like 'smtp%'")."""
    text = " ".join(select.where_clause.lower().replace("%%", "%").split())
    found = re.search(rf"(not\s*\(?\s*)?[\w`.]*{column}`?\s*(.*?)(?= and |$)", text)
    if not found:
        return None
    return (found[1] or "").replace("(", "").strip(), found[2].strip(" ()")


class VirtualAliasDomainsDefault(ConfigCheck):
    code = "virtual-alias-domains-default"
    severity = WARNING
    title = _("virtual_alias_domains is not set and defaults to the alias maps")
    reason = _(
        "Postfix looks up each domain in the alias maps. A row whose address is a domain"
        " turns it into a virtual alias domain: “User unknown in virtual alias table” for"
        " all addresses."
    )
    fix = _("Set it, empty if there are no such domains: virtual_alias_domains =")

    def find_faults(self, configuration: Configuration) -> Faults:
        postfix = configuration.postfix
        if postfix.is_set("virtual_alias_domains"):
            return
        for reference, _sql in postfix.sql_maps("virtual_alias_maps")[:1]:
            yield Fault(reference.line)


class AliasRowIsDomain(ConfigCheck):
    code = "alias-row-is-a-domain"
    severity = ERROR
    title = _("The address of an alias is a domain")
    reason = _("As virtual_alias_domains is not set, all addresses in this domain are rejected.")
    fix = _("Use “@domain” for a catch-all, and set virtual_alias_domains to an empty value.")

    def find_faults(self, configuration: Configuration) -> Faults:
        for fault in VirtualAliasDomainsDefault().find_faults(configuration):
            for address in configuration.rows.domain_only_aliases:
                yield Fault(fault.line, address)


class RelayOfSubdomains(ConfigCheck):
    code = "relay-of-subdomains"
    severity = WARNING
    title = _("All subdomains of relay domains are relayed")
    reason = _(
        "Mail to any nonexistent subdomain of a backup MX domain is accepted, and bounces later."
    )
    fix = _(
        "Set parent_domain_matches_subdomains without relay_domains: "
        "parent_domain_matches_subdomains ="
    )

    def find_faults(self, configuration: Configuration) -> Faults:
        postfix = configuration.postfix
        parameters = postfix.words("parent_domain_matches_subdomains")
        if "relay_domains" in parameters and postfix.is_set("relay_domains"):
            for _word in postfix.words("relay_domains")[:1]:
                yield Fault(postfix.get_line("relay_domains"))


class ParameterNotSet(ConfigCheck):
    code = "parameter-not-set"
    severity = ERROR
    title = _("A parameter required for virtual mailboxes is missing")
    reason = _("Without it, Postfix knows no domains, no mailboxes or no place to store mail.")
    fix = _("Set the parameter, to a map of the database if there is one.")
    needed = ("virtual_mailbox_domains", "virtual_mailbox_maps", "virtual_alias_maps")
    virtual_parameters = ("virtual_mailbox_base", "virtual_uid_maps", "virtual_gid_maps")

    def find_faults(self, configuration: Configuration) -> Faults:
        postfix = configuration.postfix
        has_mailboxes = any(postfix.is_set(name) for name in self.needed)
        delivers = has_mailboxes and configuration.delivers_with_virtual
        is_map_optional = not delivers and self.verifies_recipients(postfix)
        for name in self.needed + (self.virtual_parameters if delivers else ()):
            if is_map_optional and name == "virtual_mailbox_maps":
                continue
            if not (postfix.is_set(name) and postfix.value(name)):
                yield Fault(postfix.get_line(name), name)

    @staticmethod
    def verifies_recipients(postfix: PostfixFiles) -> bool:
        """Check whether Postfix probes each recipient, so that no map has to list them."""
        lists = ("smtpd_relay_restrictions", "smtpd_recipient_restrictions")
        return any("reject_unverified_recipient" in postfix.words(name) for name in lists)


class StarTransportTakesAll(ConfigCheck):
    code = "star-transport-takes-all"
    severity = WARNING
    title = _("A transport for everything reroutes the server's own mailboxes")
    reason = _("“*” applies to each domain that has no row of its own in the transport map.")
    fix = _(
        "Use relayhost or default_transport instead, or add a row with the transport “:”"
        " for each local domain."
    )

    def find_faults(self, configuration: Configuration) -> Faults:
        postfix = configuration.postfix
        entries = [e for r in postfix.all_maps("transport_maps") for e in postfix.entries(r)]
        rows = {key.lower() for key, _value, _line in entries}
        for key, _value, line in entries:
            for domain in sorted(configuration.virtual_domains - rows) if key == "*" else ():
                yield Fault(line, domain)
        yield from self._find_panel_faults(configuration)

    @staticmethod
    def _find_panel_faults(configuration: Configuration) -> Faults:
        """Check the panel's own transports, if a map queries them."""
        for use in configuration.get_sql_map_uses("transport_maps"):
            if sql.parse_tables(use.sql.query) & TRANSPORT_TABLES:
                for domain in configuration.rows.star_transport_domains:
                    yield Fault(use.sql.query_line, domain)


class UnsupportedParameter(ConfigCheck):
    code = "unsupported-parameter"
    severity = ERROR
    title = _("Unknown Postfix parameter")
    reason = _(
        "It belongs to the discontinued VDA patch. Postfix ignores it, so mailbox quotas"
        " are not enforced."
    )
    fix = _("Let Dovecot deliver (LMTP) and enforce the quota, and delete the line.")
    names = re.compile(
        r"virtual_(mailbox_limit_(maps|inbox|override)|mailbox_extended|create_maildirsize"
        r"|maildir_(limit_message\w*|extended|suffix|filter\w*)|overquota_bounce|trash_(count|name))"
    )

    def find_faults(self, configuration: Configuration) -> Faults:
        for setting in configuration.postfix.settings.values():
            if self.names.fullmatch(setting.name):
                yield Fault(setting.line, setting.name)


class MapNotInProxyReadMaps(ConfigCheck):
    code = "map-not-in-proxy-read-maps"
    severity = ERROR
    title = _("A map is queried through proxy:, but is not listed in proxy_read_maps")
    reason = _(
        "proxymap rejects the query with “request for unapproved table”, and mail is deferred."
    )
    fix = _("Add the parameter to proxy_read_maps: proxy_read_maps = … $PARAMETER")

    def find_faults(self, configuration: Configuration) -> Faults:
        approved = {
            (part.type, part.name)
            for found in configuration.postfix.maps("proxy_read_maps")
            for part in found.walk()
        }
        proxied: dict[tuple[str, str], MapUse] = {}
        for use in configuration.map_uses:
            if use.reference.proxied and not CACHE_PARAMETER_RE.fullmatch(use.parameter):
                proxied.setdefault((use.reference.type, use.reference.name), use)
        for key, use in proxied.items():
            if key not in approved:
                yield Fault(use.reference.line, f"{use.parameter}: proxy:{':'.join(key)}")


CONFIG_CHECKS = (
    VirtualDomainInMydestination(),
    SystemMailIntoVirtualDomain(),
    RelayAndVirtual(),
    VirtualAliasDomainsDefault(),
    AliasRowIsDomain(),
    RelayOfSubdomains(),
    ParameterNotSet(),
    StarTransportTakesAll(),
    UnsupportedParameter(),
    MapNotInProxyReadMaps(),
)
