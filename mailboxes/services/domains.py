"""Create and delete domains together with what is in them."""

from collections.abc import Iterator, Sequence

from django.db.models import Q, QuerySet

from domains.models import DkimSigning, Domain
from domains.services import domains
from mailadmin.accounts.sessions import end_sessions
from mailadmin.changes.perform import Changes
from mailboxes.models import AppPassword, Mailbox, SenderPermission
from mailboxes.models.cached_stats import CachedStat
from mailboxes.services.default_aliases import create_default_aliases
from mailboxes.services.sender_permissions import delete_leftovers_of_domains

DEFAULT_ALIAS_OPTIONS = ("default_aliases", "default_aliases_to")


def create_domains(changes: Changes, rows: list[dict]) -> list[Domain]:
    """Create domains with their default aliases."""
    created = domains.create_domains(
        changes,
        [{name: row[name] for name in row if name not in DEFAULT_ALIAS_OPTIONS} for row in rows],
    )
    names = [domain.pk for domain in created]
    delete_leftovers_of_domains(changes, names)
    CachedStat.objects.filter(domain__in=names).delete()  # of former domains of these names
    for domain, row in zip(created, rows, strict=True):
        if row.get("default_aliases", True):
            create_default_aliases(changes, domain, row.get("default_aliases_to") or "")
    return created


def delete_domains(changes: Changes, keys: list[str]) -> None:
    """Delete domains with all that is in them, and the cached statistics about them."""
    end_sessions(Mailbox.objects.filter(domain__in=keys).only("pk"))
    domains.delete_domains(changes, keys)
    of_them = Q(*(Q(key__endswith=f"@{key}") for key in keys), key__in=keys, _connector=Q.OR)
    CachedStat.objects.filter(Q(domain__in=keys) | Q(domain="") & of_them).delete()


def get_indirect_dependents(keys: Sequence[str]) -> Iterator[QuerySet]:
    """Yield what depends on the mailboxes and keys of these domains, found without joins."""
    of_domains = Q(*(Q(mailbox__username__endswith=f"@{key}") for key in keys), _connector=Q.OR)
    yield AppPassword._base_manager.filter(of_domains)
    others = SenderPermission._base_manager.exclude(domain__in=keys)
    yield others.filter(mailbox_domain__in=keys)
    yield DkimSigning._base_manager.filter(dkim__domain_name__in=keys)
