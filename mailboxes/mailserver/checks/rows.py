"""Facts from the panel's database that the checks compare with the configuration."""

from collections.abc import Iterable
from dataclasses import dataclass

from domains.models import AliasDomain, Domain, Transport
from domains.services.transports import get_first_domains_taken_by_wildcard
from mailadmin.db.column_facts import load_column_facts
from mailboxes.mailserver.checks.hashes import PasswordHashKind, identify_hash
from mailboxes.models import (
    Alias,
    AppPassword,
    AppPasswordLimits,
    Mailbox,
    SenderPermission,
)
from mailboxes.services.app_password_hashes import find_hash_prefix

MAX_SHOWN_NAMES = 20
NON_UNICODE_CHARSETS = ("latin1", "ascii")
# The key columns of Postfix's queries.
LOOKUP_COLUMNS = (
    (Domain, "domain"),
    (Alias, "address"),
    (Mailbox, "username"),
    (AliasDomain, "alias_domain"),
    (Transport, "pattern"),
    (SenderPermission, "address"),
)


@dataclass(frozen=True)
class DatabaseFacts:
    virtual_domains: frozenset[str] = frozenset()  # active, not backup MX
    alias_domains: frozenset[str] = frozenset()  # active
    catch_alls: frozenset[str] = frozenset()  # domains with an active alias `@domain`
    transports: frozenset[str] = frozenset()
    star_transport_domains: tuple[str, ...] = ()  # matched only by the panel's transport `*`
    hash_kinds: frozenset[PasswordHashKind] = frozenset()
    maildir_layouts: frozenset[str] = frozenset()  # of the column maildir: `%d/%n`
    mailboxes_behind_catch_all: tuple[str, ...] = ()  # without an alias row
    domain_only_aliases: tuple[str, ...] = ()  # aliases whose address is a domain
    non_unicode_tables: frozenset[str] = frozenset()  # by their key column
    has_sender_permissions: bool = False  # active ones
    has_generated_app_passwords: bool = False
    app_password_prefix: str = ""  # of their hashes
    most_salted_app_passwords: int = 0  # of one mailbox, made in PostfixAdmin

    @property
    def has_app_passwords(self) -> bool:
        return self.has_generated_app_passwords or self.most_salted_app_passwords > 0


EMPTY_FACTS = DatabaseFacts()  # if there is no database


def load_database_facts() -> DatabaseFacts:
    """Query the database for all facts; raise django.db.Error if it is unavailable."""
    mailboxes = Mailbox.objects.values_list("username", "local_part", "domain_id", "maildir")
    passwords = Mailbox.objects.values_list("password", flat=True)
    return DatabaseFacts(
        virtual_domains=_lowercase_set(
            Domain.objects.filter(active=True, backupmx=False).values_list("domain", flat=True)
        ),
        alias_domains=_lowercase_set(
            AliasDomain.objects.filter(active=True).values_list("alias_domain_id", flat=True)
        ),
        catch_alls=frozenset(name.removeprefix("@") for name in _lowercase_set(_find_catch_alls())),
        transports=_find_transports(),
        star_transport_domains=tuple(get_first_domains_taken_by_wildcard()[0]),
        hash_kinds=frozenset(
            found for stored in passwords.iterator() if (found := identify_hash(stored))
        ),
        maildir_layouts=frozenset(
            detect_maildir_layout(*row) for row in mailboxes.iterator() if row[-1]
        ),
        mailboxes_behind_catch_all=tuple(_find_mailboxes_behind_catch_all()[:MAX_SHOWN_NAMES]),
        domain_only_aliases=tuple(_find_domain_only_aliases()[:MAX_SHOWN_NAMES]),
        non_unicode_tables=_find_non_unicode_tables(),
        has_generated_app_passwords=AppPasswordLimits.objects.exists(),
        app_password_prefix=find_hash_prefix(),
        most_salted_app_passwords=AppPassword.objects.count_most_salted(),
        has_sender_permissions=SenderPermission.objects.filter(active=True).exists(),
    )


def _lowercase_set(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)


def _find_transports() -> frozenset[str]:
    own = Transport.objects.filter(active=True).values_list("transport", flat=True)
    return frozenset([*Domain.objects.values_list("transport", flat=True), *own])


def _find_catch_alls() -> Iterable[str]:
    rows = Alias.objects.filter(address__startswith="@", active=True)
    return rows.values_list("address", flat=True)


def _find_mailboxes_behind_catch_all() -> list[str]:
    """Compare in Python, as tables of an adopted database may have different collations."""
    catch_alls = Alias.objects.filter(address__startswith="@", active=True)
    domains = list(catch_alls.values_list("domain_id", flat=True))
    mailboxes = Mailbox.objects.filter(active=True, domain__in=domains)
    aliases = Alias.objects.filter(domain__in=domains)
    return sorted(
        _lowercase_set(mailboxes.values_list("username", flat=True))
        - _lowercase_set(aliases.values_list("address", flat=True))
    )


def _find_domain_only_aliases() -> list[str]:
    aliases = Alias.objects.filter(active=True).exclude(address__contains="@")
    domains = Domain.objects.filter(active=True)
    return sorted(
        _lowercase_set(aliases.values_list("address", flat=True))
        & _lowercase_set(domains.values_list("domain", flat=True))
    )


def _find_non_unicode_tables() -> frozenset[str]:
    facts = load_column_facts("default")
    charsets = {
        m._meta.db_table: facts.get((m._meta.db_table, c), ("",))[0] for m, c in LOOKUP_COLUMNS
    }
    return frozenset(
        table for table, charset in charsets.items() if charset in NON_UNICODE_CHARSETS
    )


def detect_maildir_layout(username: str, local_part: str, domain: str, maildir: str) -> str:
    """Return a maildir path in Dovecot's variables: `example.org/bob/` is `%d/%n`."""
    names = {username.lower(): "%u", domain.lower(): "%d", local_part.lower(): "%n"}
    parts = maildir.strip("/").split("/")
    return "/".join(names.get(part.lower(), part) for part in parts)
