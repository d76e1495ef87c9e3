"""What the panel's database has to say about a configuration, asked once."""

from dataclasses import dataclass

from domains.models import AliasDomain, Domain, Transport
from domains.services.transports import few_taken_by_everything
from mailadmin.db.fields import column_facts
from mailboxes.mailserver.checks.hashes import Hash, hash_of
from mailboxes.models import Alias, Mailbox

SHOWN = 20  # mailboxes or aliases that are named
NARROW = ("latin1", "ascii")
# The columns by which Postfix asks.
KEYS = (
    (Domain, "domain"),
    (Alias, "address"),
    (Mailbox, "username"),
    (AliasDomain, "alias_domain"),
    (Transport, "pattern"),
)


@dataclass(frozen=True)
class Rows:
    virtual: frozenset[str] = frozenset()  # active domains that are delivered here
    alias_domains: frozenset[str] = frozenset()  # active ones
    catch_alls: frozenset[str] = frozenset()  # domains with an active alias `@domain`
    transports: frozenset[str] = frozenset()
    taken_by_everything: tuple[str, ...] = ()  # domains that the panel's own `*` takes
    hashes: frozenset[Hash] = frozenset()
    layouts: frozenset[str] = frozenset()  # of maildir: `%d/%n`
    swallowed: tuple[str, ...] = ()  # mailboxes without an alias row beside a catch-all
    bare_aliases: tuple[str, ...] = ()  # aliases whose address is a domain
    narrow: frozenset[str] = frozenset()  # tables whose key is not Unicode


def ask():
    """What the database says now; django.db.Error where it says nothing."""
    mailboxes = Mailbox.objects.values_list("username", "local_part", "domain_id", "maildir")
    passwords = Mailbox.objects.values_list("password", flat=True)
    return Rows(
        virtual=_lower(
            Domain.objects.filter(active=True, backupmx=False).values_list("domain", flat=True)
        ),
        alias_domains=_lower(
            AliasDomain.objects.filter(active=True).values_list("alias_domain_id", flat=True)
        ),
        catch_alls=frozenset(name.removeprefix("@") for name in _lower(_catch_alls())),
        transports=_transports(),
        taken_by_everything=tuple(few_taken_by_everything()[0]),
        hashes=frozenset(found for stored in passwords.iterator() if (found := hash_of(stored))),
        layouts=frozenset(layout_of(*row) for row in mailboxes.iterator() if row[-1]),
        swallowed=tuple(_swallowed()[:SHOWN]),
        bare_aliases=tuple(_bare_aliases()[:SHOWN]),
        narrow=_narrow(),
    )


def _lower(names):
    return frozenset(name.lower() for name in names)


def _transports():
    own = Transport.objects.filter(active=True).values_list("transport", flat=True)
    return frozenset([*Domain.objects.values_list("transport", flat=True), *own])


def _catch_alls():
    rows = Alias.objects.filter(address__startswith="@", active=True)
    return rows.values_list("address", flat=True)


def _swallowed():
    """Compared here: tables of an adopted database may not share a collation."""
    catch_alls = Alias.objects.filter(address__startswith="@", active=True)
    domains = list(catch_alls.values_list("domain_id", flat=True))
    mailboxes = Mailbox.objects.filter(active=True, domain__in=domains)
    aliases = Alias.objects.filter(domain__in=domains)
    return sorted(
        _lower(mailboxes.values_list("username", flat=True))
        - _lower(aliases.values_list("address", flat=True))
    )


def _bare_aliases():
    bare = Alias.objects.filter(active=True).exclude(address__contains="@")
    domains = Domain.objects.filter(active=True)
    return sorted(
        _lower(bare.values_list("address", flat=True))
        & _lower(domains.values_list("domain", flat=True))
    )


def _narrow():
    facts = column_facts("default")
    charsets = {m._meta.db_table: facts.get((m._meta.db_table, c), ("",))[0] for m, c in KEYS}
    return frozenset(table for table, charset in charsets.items() if charset in NARROW)


def layout_of(username, local_part, domain, maildir):
    """The pattern of a path, in Dovecot's variables: `example.org/bob/` is `%d/%n`."""
    names = {username.lower(): "%u", domain.lower(): "%d", local_part.lower(): "%n"}
    parts = maildir.strip("/").split("/")
    return "/".join(names.get(part.lower(), part) for part in parts)
