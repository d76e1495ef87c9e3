"""The lookup tables of Postfix, and the parameters of main.cf that name them."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.conf import settings
from django.utils.functional import Promise

from domains.patterns import VIRTUAL_AGENT, find_service_problem, get_delivery_services
from mailadmin.translation import gettext_lazy as _
from mailboxes.postfix.dovecot_queries import LOGIN_CHARS
from mailboxes.postfix.maps import VACATION_SERVICE, build_postfix_maps
from mailboxes.postfix.queries import (
    LookupSelect,
    PostfixMap,
    is_queried_for_key,
    render_for_postfix,
    run_query,
)

MAX_KEY_LENGTH = 255  # characters of every column that names a row
# To Dovecot, as in the generated main.cf.
DOVECOT_LMTP_TRANSPORT = "lmtp:unix:private/dovecot-lmtp"


class MatchedRow(NamedTuple):
    """A row of the panel that answered, or would have."""

    model: str
    key: str
    reason: str | Promise = ""  # why it did not answer
    answer: str = ""


@dataclass
class Lookup:
    """One key looked up in one table."""

    table: "LookupTable"
    key: str
    value: str | None = None
    rows: list[MatchedRow] = field(default_factory=list)
    inactive: list[MatchedRow] = field(default_factory=list)
    error: str = ""


class LookupTable:
    """A table that Postfix looks up keys in; the answers of one run are cached."""

    name = sql = ""
    title: str | Promise = ""
    is_pattern = False  # looked up with whole addresses only

    def __init__(self) -> None:
        self.cache: dict[str, Lookup] = {}

    def accepts_key(self, key: str) -> bool:
        """Return False if Postfix does not look up this key here."""
        return True

    def look_up(self, key: str) -> Lookup:
        key = key.lower()
        if key not in self.cache:
            self.cache[key] = self.fetch(key)
        return self.cache[key]

    def fetch(self, key: str) -> Lookup:
        raise NotImplementedError


class PanelTable(LookupTable):
    """A map of the panel, whose query also returns the outcome of each condition."""

    def __init__(self, query: PostfixMap) -> None:
        super().__init__()
        self.query, self.name, self.title = query, query.name, query.title
        self.panel_sql = query.sql()
        self.sql = render_for_postfix(self.panel_sql)

    def accepts_key(self, key: str) -> bool:
        """Refuse keys longer than any column, such as addresses that grow in a loop."""
        is_short = len(key.rpartition("@")[0]) <= MAX_KEY_LENGTH
        return is_short and is_queried_for_key(self.panel_sql, key)

    def fetch(self, key: str) -> Lookup:
        lookup, answers = Lookup(self, key), []
        for part in self.query.parts:
            for answer, row_key, *outcomes in run_query(part.trace_sql(), key):
                if not all(outcomes):
                    lookup.inactive += find_inactive_row(part, row_key, outcomes, answer)
                elif answer not in (None, ""):
                    lookup.rows.append(MatchedRow(part.model_name, row_key, answer=str(answer)))
                    answers.append(str(answer))
        lookup.value = ",".join(dict.fromkeys(answers)) or None
        return lookup


def find_inactive_row(
    part: LookupSelect, key: str, outcomes: list[Any], answer: Any
) -> list[MatchedRow]:
    """Return the row with the reason of the first condition that it does not meet, if any."""
    reason = next(part.active_if[n][1] for n, is_met in enumerate(outcomes) if not is_met)
    return [MatchedRow(part.model_name, key, reason, str(answer))] if reason else []


class StaticTable(LookupTable):
    """Entries written in the configuration itself."""

    def __init__(self, name: str, entries: Mapping[str, str], title: str | Promise = "") -> None:
        super().__init__()
        self.name, self.entries = name, {key.lower(): value for key, value in entries.items()}
        self.title = title or name

    def fetch(self, key: str) -> Lookup:
        return Lookup(self, key, self.entries.get(key))


@dataclass
class RoutingConfig:
    """The parameters of main.cf that decide about a recipient, by name."""

    virtual_mailbox_domains: list[LookupTable] = field(default_factory=list)
    virtual_alias_domains: list[LookupTable] = field(default_factory=list)
    relay_domains: list[LookupTable] = field(default_factory=list)
    mydestination: list[LookupTable] = field(default_factory=list)
    virtual_alias_maps: list[LookupTable] = field(default_factory=list)
    virtual_mailbox_maps: list[LookupTable] = field(default_factory=list)
    relay_recipient_maps: list[LookupTable] = field(default_factory=list)
    local_recipient_maps: list[LookupTable] = field(default_factory=list)
    smtpd_recipient_restrictions: list[LookupTable] = field(default_factory=list)
    transport_maps: list[LookupTable] = field(default_factory=list)
    smtpd_sender_login_maps: list[LookupTable] = field(default_factory=list)
    mailbox_limits: list[LookupTable] = field(default_factory=list)
    recipient_delimiter: str = "+"
    myorigin: str = ""
    appended_domain: str = ""  # mydomain, where append_dot_mydomain is set
    propagates_extensions: bool = True  # propagate_unmatched_extensions has `virtual`
    relays_subdomains: bool = False  # parent_domain_matches_subdomains has `relay_domains`
    access_matches_parents: bool = True  # and `smtpd_access_maps`
    transport_matches_parents: bool = False  # and `transport_maps`
    is_own: bool = False  # the panel's tables, not an operator's files
    max_lookups: int | None = None  # LookupUnavailable after so many
    left_out: list[str] = field(default_factory=list)  # restrictions that are not evaluated
    # Delivering service of master.cf → why it cannot deliver, or ""; None: unknown
    delivery_agents: dict[str, str] | None = None
    login_chars: frozenset[str] | None = None  # of a name that Dovecot looks up; None: unknown
    services: dict[str, str] = field(
        default_factory=lambda: {
            "virtual": DOVECOT_LMTP_TRANSPORT,
            "relay": "relay",
            "local": "local",
            "default": "smtp",
        }
    )

    def get_delivery_error(self, service: str) -> str:
        """Return why mail given to this service stays in the queue; nothing if it is delivered."""
        if self.delivery_agents is None:
            return ""
        missing = _("master.cf has no delivery service “%(service)s”") % {"service": service}
        return str(self.delivery_agents.get(service, missing))


def build_panel_config(**changes: Any) -> RoutingConfig:
    """Return the configuration that the panel generates."""
    tables: dict[str, Any] = {}
    for query in build_postfix_maps():
        tables.setdefault(query.parameter or "mailbox_limits", []).append(PanelTable(query))
    tables["transport_maps"].insert(0, build_vacation_table())
    config = RoutingConfig(
        **tables,
        mydestination=[StaticTable("mydestination", {"localhost": "localhost"})],
        recipient_delimiter=settings.MAILADMIN_RECIPIENT_DELIMITER,
        is_own=True,
        delivery_agents=get_panel_delivery_agents(),
        login_chars=frozenset(LOGIN_CHARS),
    )
    return dataclasses.replace(config, **changes)


def get_panel_delivery_agents() -> dict[str, str]:
    """Return the delivery services of the generated master.cf and the operator's own."""
    names = [*get_delivery_services(), VACATION_SERVICE]
    return dict.fromkeys(names, "") | {
        name: str(problem) for name in [VIRTUAL_AGENT] if (problem := find_service_problem(name))
    }


def build_vacation_table() -> StaticTable:
    """Return the transport of the autoresponder: not a row, but a line of main.cf."""
    entries = {settings.MAILADMIN_VACATION_DOMAIN: f"{VACATION_SERVICE}:"}
    return StaticTable("autoreply", entries, _("Vacation replies"))
