"""What Postfix asks, and the parameters of main.cf that decide whom."""

import dataclasses
from dataclasses import dataclass, field
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from domains.patterns import VIRTUAL_AGENT, find_service_problem, get_delivery_services
from mailboxes.postfix import maps

MAX_KEY_LENGTH = 255  # letters of every column that names a row


class MatchedRow(NamedTuple):
    """A row of the panel that answered, or would have."""

    model: str
    key: str
    reason: str = ""  # why it did not answer


DOVECOT_LMTP_TRANSPORT = (
    "lmtp:unix:private/dovecot-lmtp"  # to Dovecot, as the written main.cf has it
)


@dataclass
class Lookup:
    """A question to one table."""

    table: "LookupTable"
    key: str
    value: str | None = None
    rows: list[MatchedRow] = field(default_factory=list)
    asleep: list[MatchedRow] = field(default_factory=list)
    trouble: str = ""


class LookupTable:
    """Something that Postfix asks by a key; the answers of one run are kept."""

    name = title = sql = ""
    is_pattern = False  # asked with whole addresses only

    def __init__(self):
        self.known = {}

    def accepts_key(self, key):
        """Whether Postfix puts this key to the table at all."""
        return True

    def ask(self, key):
        key = key.lower()
        if key not in self.known:
            self.known[key] = self.fetch(key)
        return self.known[key]

    def fetch(self, key):
        raise NotImplementedError


class PanelTable(LookupTable):
    """A query of the panel's own, asked with its conditions apart."""

    def __init__(self, query):
        super().__init__()
        self.query, self.name, self.title = query, query.name, query.title
        self.panel_sql = query.sql()
        self.sql = maps.render_for_postfix(self.panel_sql)

    def accepts_key(self, key):
        """Ask for what a column can hold: a name that grows at every turn soon is longer."""
        return len(key.rpartition("@")[0]) <= MAX_KEY_LENGTH and maps.is_queried_for_key(
            self.panel_sql, key
        )

    def fetch(self, key):
        found, answers = Lookup(self, key), []
        for part in self.query.parts:
            for answer, row, *outcomes in self._fetch_rows(part, key):
                wrong = [reason for (_c, reason), met in zip(part.live, outcomes) if not met]  # noqa: B905
                name = part.model._meta.model_name
                if wrong:
                    found.asleep += [
                        MatchedRow(name, row, reason) for reason in wrong[:1] if reason
                    ]
                elif answer not in (None, ""):
                    found.rows.append(MatchedRow(name, row))
                    answers.append(str(answer))
        found.value = ",".join(dict.fromkeys(answers)) or None
        return found

    def _fetch_rows(self, part, key):
        with connection.cursor() as cursor:
            cursor.execute(*maps.bind_parameters(part.trace_sql(), key))
            return cursor.fetchall()


class StaticTable(LookupTable):
    """Names written into the configuration itself."""

    def __init__(self, name, entries, title=""):
        super().__init__()
        self.name, self.entries = name, {key.lower(): value for key, value in entries.items()}
        self.title = title or name

    def fetch(self, key):
        return Lookup(self, key, self.entries.get(key))


@dataclass
class RoutingConfig:
    """The parameters of main.cf that decide about a recipient, by their names."""

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
    max_lookups: int | None = None  # after so many nobody waits for the answer
    left_out: list[str] = field(default_factory=list)  # what else may refuse, and is not asked
    # Service of master.cf that delivers → why it cannot, if so; None: they are not known
    delivery_agents: dict[str, str] | None = None
    login_chars: frozenset[str] | None = None  # of a name that Dovecot looks up; None: not known
    services: dict = field(
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


def build_panel_config(**changes):
    """Postfix as the panel's configuration sets it up."""
    tables = {}
    for query in maps.build_postfix_maps():
        tables.setdefault(query.parameter or "mailbox_limits", []).append(PanelTable(query))
    tables["transport_maps"].insert(0, build_vacation_table())
    own = RoutingConfig(
        **tables,
        mydestination=[StaticTable("mydestination", {"localhost": "localhost"})],
        recipient_delimiter=settings.MAILADMIN_RECIPIENT_DELIMITER,
        is_own=True,
        delivery_agents=get_panel_delivery_agents(),
        login_chars=frozenset(maps.LOGIN_CHARS),
    )
    return dataclasses.replace(own, **changes)


def get_panel_delivery_agents() -> dict[str, str]:
    """The delivery services of the written master.cf and the operator's own."""
    names = [*get_delivery_services(), maps.VACATION_SERVICE]
    return dict.fromkeys(names, "") | {
        name: str(trouble) for name in [VIRTUAL_AGENT] if (trouble := find_service_problem(name))
    }


def build_vacation_table():
    """Where the copies go that are answered; not a row, but a line of main.cf."""
    entries = {settings.MAILADMIN_VACATION_DOMAIN: f"{maps.VACATION_SERVICE}:"}
    return StaticTable("autoreply", entries, _("Answers of people who are away"))
