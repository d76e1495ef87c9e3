"""Rows of the panel beside what the mail server answers for them."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from django.db.models import Min
from django.utils.translation import gettext_lazy as _

from domains.models import AliasDomain, Domain, Transport
from domains.services.transports import filter_transports_by_domains
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.generator.files import PANEL_FOLDER
from mailboxes.mailserver.verifier.programs import LiveDovecot, LivePostfix
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix.maps import build_postfix_maps
from mailboxes.postfix.queries import is_queried_for_key, run_query

# parameter → kinds of keys that are put to it
KEY_KINDS_BY_PARAMETER = {
    "virtual_mailbox_domains": ("domain",),
    "relay_domains": ("domain",),
    "transport_maps": ("domain", "transport", "everything"),
    "virtual_alias_maps": ("mailbox", "alias", "catch_all", "by_alias_domain"),
    "virtual_mailbox_maps": ("mailbox",),
    "relay_recipient_maps": ("mailbox", "catch_all"),
    "smtpd_recipient_restrictions": ("mailbox", "alias", "catch_all", "by_alias_domain"),
    "smtpd_sender_login_maps": ("mailbox", "alias", "catch_all", "by_alias_domain"),
}
# Here any answer says yes.
MEMBERSHIP_PARAMETERS = {"virtual_mailbox_domains", "relay_domains", "relay_recipient_maps"}
# Which only the panel's own main.cf has; of another one, replies to RCPT TO are compared.
PANEL_ONLY_PARAMETERS = {"smtpd_recipient_restrictions"}
PANEL_MAP_RE = re.compile(rf"\S*/{PANEL_FOLDER}/(\w+)\.cf")
DOVECOT_LABEL = "Dovecot"
EVERYTHING = "*"  # the pattern of a transport for all mail
WILDCARD_CHARS = set("*?")  # by which doveadm names several users
QUOTA_RE = re.compile(r"(?:\*:)?(?:(bytes|storage)=)?(\d+)\s*([BKMGT]?)(?:i?B)?$", re.IGNORECASE)
SIZE_UNITS = {unit: 1024**power for power, unit in enumerate("BKMGT")}


class Difference(NamedTuple):
    """A row that the mail server sees otherwise."""

    key: str
    asked: str
    expected: str
    found: str


class RowBatch(NamedTuple):
    """Rows of one kind that are asked about together."""

    kind: str
    keys: list


def iter_row_batches(domains=None, size=500):
    """Every row of the panel, or those of some domains, kind by kind."""
    for kind, rows in iter_row_kinds(domains):
        keys = []
        for key in rows.order_by("pk").values_list("pk", flat=True).iterator(size):
            keys.append(key)
            if len(keys) == size:
                yield RowBatch(kind, keys)
                keys = []
        if keys:
            yield RowBatch(kind, keys)
    if domains is None:
        yield RowBatch("everything", [EVERYTHING])  # also where the panel has no row for it


def iter_row_kinds(domains):
    def of(rows, lookup):
        return rows if domains is None else rows.filter(**{f"{lookup}__in": domains})

    yield "domain", of(Domain.objects.all(), "pk")
    yield "mailbox", of(Mailbox.objects.all(), "domain")
    yield "alias", of(Alias.objects.all(), "domain")
    yield "alias_domain", of(AliasDomain.objects.all(), "pk")
    transports = Transport.objects.all()
    yield (
        "transport",
        transports if domains is None else filter_transports_by_domains(transports, domains),
    )


class PostfixComparison:
    """Compares each map of the panel with that of the server."""

    name = "Postfix"

    def __init__(self, live: LivePostfix):
        self.live, self.is_own = live, is_panel_config(live.files)
        self.delivers = live.files.value("virtual_transport").partition(":")[0] == "virtual"

    def differences(self, batch: RowBatch, asked: dict) -> Iterator[Difference]:
        own = get_panel_map_queries()
        wanted = {
            name: kinds
            for name, kinds in KEY_KINDS_BY_PARAMETER.items()
            if self.is_own or name not in PANEL_ONLY_PARAMETERS
        }
        for kind, keys in self.get_keys_by_kind(batch).items():
            for parameter in (name for name, kinds in wanted.items() if kind in kinds and keys):
                asked[parameter] = asked.get(parameter, 0) + len(keys)
                yield from self._compare(parameter, own[parameter], keys)

    def get_keys_by_kind(self, batch: RowBatch) -> dict[str, list[str]]:
        """kind → keys: also the address nobody has, and those that an alias domain mirrors."""
        keys = [key.lower() for key in batch.keys]
        if batch.kind == "domain":
            return {"domain": keys, "catch_all": [f"@{key}" for key in keys]}
        if batch.kind != "alias_domain":
            return {batch.kind: keys}
        return {
            "by_alias_domain": [f"@{key}" for key in keys]
            + sample_alias_domain_addresses(batch.keys)
        }

    def _compare(self, parameter, own, keys) -> Iterator[Difference]:
        by_file = self.live.lookup_in_files(parameter, keys)
        running = by_file
        if self.live.is_proxied(parameter):
            running = self.live.lookup_in_proxymap(parameter, keys)
        for key in keys:
            expected = find_panel_answer(own, key)
            for found, where in (
                (by_file.get(key, ""), parameter),
                (running.get(key, ""), f"{parameter} (proxymap)"),
            ):
                if not self._is_same(parameter, expected, found):
                    yield Difference(key, where, expected, found)
                    break

    def _is_same(self, parameter: str, expected: str, found: str) -> bool:
        """Whether Postfix does the same with both; an operator's own maps may word it otherwise."""
        is_member = parameter in MEMBERSHIP_PARAMETERS or (
            parameter == "virtual_mailbox_maps" and not self.is_own and not self.delivers
        )
        if is_member:
            return bool(expected) == bool(found)
        if parameter == "transport_maps" and not self.is_own:
            expected, found = (text.removesuffix(":") for text in (expected, found))
        return sorted(expected.split(",")) == sorted(found.split(","))


def is_panel_config(files: PostfixFiles) -> bool:
    """Whether main.cf asks maps that the panel has written."""
    return any(
        PANEL_MAP_RE.fullmatch(reference.name)
        for name in ("virtual_mailbox_domains", "virtual_mailbox_maps", "virtual_alias_maps")
        for reference in files.maps(name)
    )


def sample_alias_domain_addresses(names: list[str]) -> list[str]:
    """Of each alias domain, addresses of a mailbox and an alias of its target, in use and not.

    Joined here: tables of an adopted database may not share a collation.
    """
    pairs = AliasDomain.objects.filter(pk__in=names).values_list("pk", "target_domain_id")
    mirrors = [(name, target.lower()) for name, target in pairs]
    found = []
    for model in (Mailbox, Alias):
        for is_active in (True, False):
            firsts = find_first_local_parts(model, {target for _name, target in mirrors}, is_active)
            found += [f"{firsts[t]}@{name}".lower() for name, t in mirrors if t in firsts]
    return list(dict.fromkeys(found))


def find_first_local_parts(model: type, domains: set[str], is_active: bool) -> dict[str, str]:
    """Domain → local part of the first of its mailboxes or aliases, catch-alls apart."""
    rows = model.objects.filter(domain__in=domains, active=is_active, pk__contains="@")
    rows = rows.exclude(pk__startswith="@").order_by().values_list("domain_id")
    firsts = rows.annotate(first=Min("pk"))
    return {domain.lower(): address.rpartition("@")[0] for domain, address in firsts}


def get_panel_map_queries():
    """parameter → the SQL of the panel's lookups for it, in their order."""
    found = {}
    for query in build_postfix_maps():
        found.setdefault(query.parameter, []).append(query.sql())
    return found


def find_panel_answer(queries, key):
    """What the first of them says that says anything."""
    said = (run_panel_query(sql, key) for sql in queries if is_queried_for_key(sql, key))
    return next(filter(None, said), "")


def run_panel_query(sql, key):
    return ",".join(str(value) for (value,) in run_query(sql, key) if value not in (None, ""))


class DovecotComparison:
    """Compares who may sign in, where their mail is, and how much it may be."""

    name = "Dovecot"

    def __init__(self, live: LiveDovecot, base: str = ""):
        self.live, self.base = live, base
        self.is_base_known = bool(base)
        self.unasked = 0  # addresses that doveadm would take for patterns

    def differences(self, batch: RowBatch, asked: dict) -> Iterator[Difference]:
        if batch.kind != "mailbox":
            return
        entering = self.live.find_login_users(batch.keys)
        single = [key for key in batch.keys if not WILDCARD_CHARS & set(key)]
        users = self.live.fetch_users(single) if single else {}
        expiring = set(Domain.objects.filter(password_expiry__gt=0).values_list("pk", flat=True))
        add_count(asked, _("sign-in"), batch.keys)
        add_count(asked, _("home, mail and quota"), single)
        self.unasked += len(batch.keys) - len(single)
        mailboxes = list(Mailbox.objects.filter(pk__in=batch.keys))
        for mailbox in mailboxes:
            may = mailbox.active and not (
                mailbox.domain_id in expiring and mailbox.password_has_expired()
            )
            is_in = mailbox.pk.lower() in entering
            if is_in != may:
                yield Difference(mailbox.pk, _("sign-in"), format_yes_no(may), format_yes_no(is_in))
            if not WILDCARD_CHARS & set(mailbox.pk):
                yield from self._compare_user(mailbox, users.get(mailbox.pk.lower(), ("", "", "")))
        yield from self._compare_senders(mailboxes)

    def _compare_senders(self, mailboxes: list[Mailbox]) -> Iterator[Difference]:
        """Those who may not send are found for reading only."""
        silent = [mailbox.pk for mailbox in mailboxes if mailbox.active and not mailbox.smtp_active]
        found = self.live.find_login_users(silent, "smtp") if silent else set()
        for key in silent:
            if key.lower() in found:
                yield Difference(
                    key, _("sign-in to send"), format_yes_no(False), format_yes_no(True)
                )

    def _compare_user(self, mailbox: Mailbox, found: tuple[str, str, str]) -> Iterator[Difference]:
        home, mail, quota = found
        if not mailbox.active:
            if home:
                yield Difference(mailbox.pk, DOVECOT_LABEL, "", home)
            return
        wanted = self._get_expected_home(mailbox, home)
        if home.rstrip("/") != wanted:
            yield Difference(mailbox.pk, DOVECOT_LABEL, wanted, home)
        path = parse_location_path(mail, home)
        if path and path != wanted and not path.startswith(f"{wanted}/"):
            yield Difference(mailbox.pk, _("Dovecot: mail"), wanted, mail)
        limit = max(mailbox.quota, 0)
        if parse_quota_bytes(quota) != limit:
            yield Difference(mailbox.pk, _("Dovecot: quota"), f"{limit} B", quota)

    def _get_expected_home(self, mailbox: Mailbox, home: str) -> str:
        """The whole path; where nothing says the store, the first home that fits shows it."""
        folder = mailbox.maildir.strip("/")
        if not mailbox.maildir.endswith("/"):
            folder += ".home"
        if not self.base and home.rstrip("/").endswith(f"/{folder}"):
            self.base = home.rstrip("/").removesuffix(f"/{folder}")
        return f"{self.base}/{folder}" if self.base else folder


def add_count(asked: dict, name: object, keys: list) -> None:
    asked[str(name)] = asked.get(str(name), 0) + len(keys)


def parse_location_path(location: str, home: str) -> str:
    """The folder of `maildir:/path:INDEX=…`; empty where the location names none."""
    kind, colon, rest = location.partition(":")
    path = (rest if colon and kind.isalpha() else location).partition(":")[0]
    for word in ("~", "%h"):
        if path == word or path.startswith(f"{word}/"):
            path = home.rstrip("/") + path.removeprefix(word)
    return path.rstrip("/") if path.startswith("/") else ""


def parse_quota_bytes(quota: str) -> int | None:
    """`*:bytes=5`, `*:storage=5M`, `5B`; nothing is no limit, what cannot be read is None."""
    if not quota:
        return 0
    found = QUOTA_RE.match(quota.strip())
    if not found:
        return None
    usual = "K" if found[1] == "storage" else "B"
    return int(found[2]) * SIZE_UNITS[(found[3] or usual).upper()]


def format_yes_no(is_so):
    return str(_("yes") if is_so else _("no"))


def check_panel_queries():
    """Without a mail server at least the panel's own queries have to run."""
    for queries in get_panel_map_queries().values():
        for query in queries:
            run_panel_query(query, "nobody@example.org")
