"""Compare rows of the panel with what the mail server answers for them."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db.models import Min, QuerySet
from django.utils.functional import Promise

from domains.models import AliasDomain, Domain, Transport
from domains.patterns import WILDCARD_PATTERN
from domains.services.transports import filter_transports_by_domains
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.mailserver.checks.paths import get_location_path
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.generator.files import PANEL_FOLDER
from mailboxes.mailserver.verifier.programs import LiveDovecot, LivePostfix
from mailboxes.models import Alias, AppPassword, Mailbox, SenderPermission
from mailboxes.postfix.maps import build_postfix_maps
from mailboxes.postfix.queries import is_queried_for_key, run_query
from mailboxes.services.mail_logins import find_app_passwords_only

# parameter → kinds of keys that are looked up in it
KEY_KINDS_BY_PARAMETER = {
    "virtual_mailbox_domains": ("domain",),
    "relay_domains": ("domain",),
    "transport_maps": ("domain", "transport", "everything"),
    "virtual_alias_maps": ("mailbox", "alias", "catch_all", "by_alias_domain"),
    "virtual_mailbox_maps": ("mailbox",),
    "relay_recipient_maps": ("mailbox", "catch_all"),
    "smtpd_recipient_restrictions": ("mailbox", "alias", "catch_all", "by_alias_domain"),
    "smtpd_sender_login_maps": (
        *("mailbox", "alias", "catch_all", "by_alias_domain", "sender_permission"),
    ),
}
KEY_COLUMNS = {"sender_permission": "address"}  # of kinds whose primary key is a number
# Parameters for which only the existence of an answer counts.
MEMBERSHIP_PARAMETERS = {"virtual_mailbox_domains", "relay_domains", "relay_recipient_maps"}
# Only in the panel's own main.cf; of another one, replies to RCPT TO are compared.
PANEL_ONLY_PARAMETERS = {"smtpd_recipient_restrictions"}
PANEL_MAP_RE = re.compile(rf"\S*/{PANEL_FOLDER}/(\w+)\.cf")
DOVECOT_LABEL = "Dovecot"
WILDCARD_CHARS = set("*?")  # by which doveadm names several users
QUOTA_RE = re.compile(r"(?:\*:)?(?:(bytes|storage)=)?(\d+)\s*([BKMGT]?)(?:i?B)?$", re.IGNORECASE)
SIZE_UNITS = {unit: 1024**power for power, unit in enumerate("BKMGT")}


class Difference(NamedTuple):
    """A row for which the mail server answers something else."""

    key: str
    asked: str | Promise
    expected: str
    found: str


class RowBatch(NamedTuple):
    """Rows of one kind that are looked up together."""

    kind: str
    keys: list[str]


def iter_row_batches(domains: list[str] | None = None, size: int = 500) -> Iterator[RowBatch]:
    """Yield every row of the panel, or those of some domains, kind by kind."""
    for kind, rows in iter_row_kinds(domains):
        keys: list[str] = []
        name = KEY_COLUMNS.get(kind, "pk")
        for key in rows.order_by("pk").values_list(name, flat=True).iterator(size):
            keys.append(key)
            if len(keys) == size:
                yield RowBatch(kind, keys)
                keys = []
        if keys:
            yield RowBatch(kind, keys)
    if domains is None:
        yield RowBatch("everything", [WILDCARD_PATTERN])  # even if the panel has no row for it


def iter_row_kinds(domains: list[str] | None) -> Iterator[tuple[str, QuerySet[Any]]]:
    yield "domain", filter_by_domains(Domain.objects.all(), "pk", domains)
    yield "mailbox", filter_by_domains(Mailbox.objects.all(), "domain", domains)
    yield "alias", filter_by_domains(Alias.objects.all(), "domain", domains)
    yield "alias_domain", filter_by_domains(AliasDomain.objects.all(), "pk", domains)
    yield "transport", find_transports(domains)
    permissions = SenderPermission.objects.all()
    yield "sender_permission", filter_by_domains(permissions, "domain", domains)


def filter_by_domains(rows: QuerySet[Any], lookup: str, domains: list[str] | None) -> QuerySet[Any]:
    """Select rows of these domains, or all; names are literals, as collations may differ."""
    return rows if domains is None else rows.filter(**{f"{lookup}__in": domains})


def find_transports(domains: list[str] | None) -> QuerySet[Transport]:
    rows = Transport.objects.all()
    return rows if domains is None else filter_transports_by_domains(rows, domains)


class PostfixComparison:
    """Compare each map of the panel with that of the server."""

    name = "Postfix"

    def __init__(self, live: LivePostfix) -> None:
        self.live, self.is_own = live, is_panel_config(live.files)
        self.delivers = live.files.value("virtual_transport").partition(":")[0] == "virtual"

    def differences(self, batch: RowBatch, counts: Counter[str]) -> Iterator[Difference]:
        queries = get_panel_map_queries()
        key_kinds = {
            name: kinds
            for name, kinds in KEY_KINDS_BY_PARAMETER.items()
            if self.is_own or name not in PANEL_ONLY_PARAMETERS
        }
        for kind, keys in self.get_keys_by_kind(batch).items():
            for parameter in (name for name, kinds in key_kinds.items() if kind in kinds and keys):
                counts[parameter] += len(keys)
                yield from self._compare(parameter, queries[parameter], keys)

    def get_keys_by_kind(self, batch: RowBatch) -> dict[str, list[str]]:
        """Return the keys of each kind, with catch-alls and addresses of alias domains."""
        keys = [key.lower() for key in batch.keys]
        if batch.kind == "domain":
            return {"domain": keys, "catch_all": [f"@{key}" for key in keys]}
        if batch.kind != "alias_domain":
            return {batch.kind: keys}
        return {
            "by_alias_domain": [f"@{key}" for key in keys]
            + sample_alias_domain_addresses(batch.keys)
        }

    def _compare(self, parameter: str, queries: list[str], keys: list[str]) -> Iterator[Difference]:
        answers = {parameter: self.live.lookup_in_files(parameter, keys)}
        if self.live.is_proxied(parameter):
            running = self.live.lookup_in_proxymap(parameter, keys)
            answers[f"{parameter} (proxymap)"] = running
        for key in keys:
            expected = find_panel_answer(queries, key)
            for where, found in ((where, values.get(key, "")) for where, values in answers.items()):
                if not self._is_same(parameter, expected, found):
                    yield Difference(key, where, expected, found)
                    break

    def _is_same(self, parameter: str, expected: str, found: str) -> bool:
        """Compare two answers; foreign maps may spell otherwise what Postfix treats alike."""
        is_member = parameter in MEMBERSHIP_PARAMETERS or (
            parameter == "virtual_mailbox_maps" and not self.is_own and not self.delivers
        )
        if is_member:
            return bool(expected) == bool(found)
        if parameter == "transport_maps" and not self.is_own:
            expected, found = (text.removesuffix(":") for text in (expected, found))
        if parameter == "smtpd_sender_login_maps":  # several rows may name the same login
            return set(expected.split(",")) == set(found.split(","))
        return sorted(expected.split(",")) == sorted(found.split(","))


def is_panel_config(files: PostfixFiles) -> bool:
    """Check for maps of the panel in main.cf."""
    return any(
        PANEL_MAP_RE.fullmatch(reference.name)
        for name in ("virtual_mailbox_domains", "virtual_mailbox_maps", "virtual_alias_maps")
        for reference in files.maps(name)
    )


def sample_alias_domain_addresses(names: list[str]) -> list[str]:
    """Return addresses of rows of each kind, active and inactive, for each alias domain.

    Joined here: tables of an adopted database may not share a collation.
    """
    pairs = AliasDomain.objects.filter(pk__in=names).values_list("pk", "target_domain_id")
    alias_domains = [(name, target.lower()) for name, target in pairs]
    targets = {target for _name, target in alias_domains}
    found: list[str] = []
    for rows, column in (
        (Mailbox.objects.all(), "pk"),
        (Alias.objects.all(), "pk"),
        (SenderPermission.objects.all(), "address"),
    ):
        for is_active in (True, False):
            firsts = find_first_local_parts(rows.filter(active=is_active), targets, column)
            found += [f"{firsts[t]}@{name}".lower() for name, t in alias_domains if t in firsts]
    return list(dict.fromkeys(found))


def find_first_local_parts(rows: QuerySet[Any], domains: set[str], column: str) -> dict[str, str]:
    """Return the local part of the first row of each domain, `@domain` apart."""
    rows = rows.filter(**{"domain__in": domains, f"{column}__contains": "@"})
    rows = rows.exclude(**{f"{column}__startswith": "@"}).order_by().values_list("domain_id")
    firsts = rows.annotate(first=Min(column))
    return {domain.lower(): address.rpartition("@")[0] for domain, address in firsts}


def get_panel_map_queries() -> dict[str, list[str]]:
    """Return the SQL of the panel's maps for each parameter, in their order."""
    found: dict[str, list[str]] = {}
    for query in build_postfix_maps():
        found.setdefault(query.parameter, []).append(query.sql())
    return found


def find_panel_answer(queries: list[str], key: str) -> str:
    """Return the first answer of these queries, or an empty string."""
    answers = (run_panel_query(sql, key) for sql in queries if is_queried_for_key(sql, key))
    return next(filter(None, answers), "")


def run_panel_query(sql: str, key: str) -> str:
    return ",".join(str(value) for (value,) in run_query(sql, key) if value not in (None, ""))


class DovecotComparison:
    """Compare logins, homes and quotas."""

    name = "Dovecot"

    def __init__(self, live: LiveDovecot, base: str = "") -> None:
        self.live, self.base = live, base
        self.is_base_known = bool(base)
        self.skipped = 0  # addresses that doveadm would take for patterns

    def differences(self, batch: RowBatch, counts: Counter[str]) -> Iterator[Difference]:
        if batch.kind != "mailbox":
            return
        logins = self.live.find_login_users(batch.keys)
        single = [key for key in batch.keys if not WILDCARD_CHARS & set(key)]
        users = self.live.fetch_users(single) if single else {}
        counts[str(_("sign-in"))] += len(batch.keys)
        counts[str(_("home, mail and quota"))] += len(single)
        self.skipped += len(batch.keys) - len(single)
        mailboxes = list(Mailbox.objects.filter(pk__in=batch.keys))
        yield from self._compare_logins(mailboxes, logins)
        for mailbox in mailboxes:
            if not WILDCARD_CHARS & set(mailbox.pk):
                yield from self._compare_user(mailbox, users.get(mailbox.pk.lower(), ("", "", "")))
        yield from self._compare_senders(mailboxes)

    def _compare_logins(self, mailboxes: list[Mailbox], logins: set[str]) -> Iterator[Difference]:
        """Check who can sign in with the main password.

        Where it is refused, an app password of PostfixAdmin's may be found in its place.
        """
        expiring = set(Domain.objects.with_password_expiry().values_list("pk", flat=True))
        without = find_app_passwords_only(mailboxes)
        salted = AppPassword.objects.salted().filter(mailbox__in=[each.pk for each in mailboxes])
        replaced = {fold(key) for key in salted.values_list("mailbox_id", flat=True)}
        for mailbox in mailboxes:
            is_expired = mailbox.domain_id in expiring and mailbox.password_has_expired()
            is_usable = not is_expired and mailbox.pk not in without
            if is_usable or not mailbox.active or fold(mailbox.pk) not in replaced:
                expected, found = mailbox.active and is_usable, fold(mailbox.pk) in logins
                yield from compare_yes_no(mailbox.pk, _("sign-in"), expected, found)

    def _compare_senders(self, mailboxes: list[Mailbox]) -> Iterator[Difference]:
        """Check that mailboxes that may not send cannot sign in to SMTP."""
        keys = [mailbox.pk for mailbox in mailboxes if mailbox.active and not mailbox.smtp_active]
        found = self.live.find_login_users(keys, "smtp") if keys else set()
        for key in keys:
            yield from compare_yes_no(key, _("sign-in to send"), False, key.lower() in found)

    def _compare_user(self, mailbox: Mailbox, found: tuple[str, str, str]) -> Iterator[Difference]:
        home, mail, quota = found
        if not mailbox.active:
            if home:
                yield Difference(mailbox.pk, DOVECOT_LABEL, "", home)
            return
        expected = self._get_expected_home(mailbox, home)
        if home.rstrip("/") != expected:
            yield Difference(mailbox.pk, DOVECOT_LABEL, expected, home)
        path = parse_location_path(mail, home)
        if path and path != expected and not path.startswith(f"{expected}/"):
            yield Difference(mailbox.pk, _("Dovecot: mail"), expected, mail)
        limit = max(mailbox.quota, 0)
        if parse_quota_bytes(quota) != limit:
            yield Difference(mailbox.pk, _("Dovecot: quota"), f"{limit} B", quota)

    def _get_expected_home(self, mailbox: Mailbox, home: str) -> str:
        """Return the whole path; an unknown base folder is that of the first matching home."""
        folder = mailbox.maildir.strip("/")
        if not mailbox.maildir.endswith("/"):
            folder += ".home"
        if not self.base and home.rstrip("/").endswith(f"/{folder}"):
            self.base = home.rstrip("/").removesuffix(f"/{folder}")
        return f"{self.base}/{folder}" if self.base else folder


def parse_location_path(location: str, home: str) -> str:
    """Return the folder of `maildir:/path:INDEX=…`; empty if the location names none."""
    path = get_location_path(location)
    for variable in ("~", "%h"):
        if path == variable or path.startswith(f"{variable}/"):
            path = home.rstrip("/") + path.removeprefix(variable)
    return path.rstrip("/") if path.startswith("/") else ""


def parse_quota_bytes(quota: str) -> int | None:
    """Return the bytes of `*:bytes=5`, `*:storage=5M` or `5B`, 0 for no limit, None for others."""
    if not quota:
        return 0
    match = QUOTA_RE.match(quota.strip())
    if not match:
        return None
    default_unit = "K" if match[1] == "storage" else "B"
    return int(match[2]) * SIZE_UNITS[(match[3] or default_unit).upper()]


def compare_yes_no(
    key: str, asked: str | Promise, expected: bool, found: bool
) -> Iterator[Difference]:
    if expected != found:
        yes, no = str(_("yes")), str(_("no"))
        yield Difference(key, asked, yes if expected else no, yes if found else no)


def check_panel_queries() -> None:
    """Run the panel's own queries, if there is no mail server to compare with."""
    for queries in get_panel_map_queries().values():
        for query in queries:
            run_panel_query(query, "nobody@example.org")
