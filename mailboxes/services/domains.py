"""Create and delete domains together with what is in them."""

from collections.abc import Iterator, Sequence

from django.db.models import Q, QuerySet

from domains.models import DkimSigning, Domain
from domains.services import domains
from mailadmin.accounts.sessions import end_sessions
from mailadmin.changes.perform import Changes
from mailboxes.models import DomainMailLogin, Mailbox, SenderPermission
from mailboxes.models.cached_stats import CachedStat
from mailboxes.services.default_aliases import create_default_aliases
from mailboxes.services.mail_logins import set_domain_mail_login
from mailboxes.services.sender_permissions import delete_leftovers_of_domains

# Values of forms and files that the table of domains has no column for.
VALUES_OF_MAILBOXES = ("default_aliases", "default_aliases_to", "app_passwords_only")


def create_domains(changes: Changes, rows: list[dict]) -> list[Domain]:
    """Create domains with their default aliases."""
    created = domains.create_domains(changes, [without_values_of_mailboxes(row) for row in rows])
    names = [domain.pk for domain in created]
    changes.delete(DomainMailLogin.objects.filter(pk__in=names))
    delete_leftovers_of_domains(changes, names)
    CachedStat.objects.filter(domain__in=names).delete()  # of former domains of these names
    for domain, row in zip(created, rows, strict=True):
        if row.get("default_aliases", True):
            create_default_aliases(changes, domain, row.get("default_aliases_to") or "")
        if row.get("app_passwords_only"):
            set_domain_mail_login(changes, domain.pk, True)
    return created


def edit_domain(changes: Changes, key: str, values: dict) -> Domain:
    """Edit a domain, and whether its mail programs need app passwords."""
    domain = domains.edit_domain(changes, key, without_values_of_mailboxes(values))
    if "app_passwords_only" in values:
        set_domain_mail_login(changes, domain.pk, values["app_passwords_only"])
    return domain


def without_values_of_mailboxes(values: dict) -> dict:
    """Return the values that the services of domains know."""
    return {name: value for name, value in values.items() if name not in VALUES_OF_MAILBOXES}


def delete_domains(changes: Changes, keys: list[str]) -> None:
    """Delete domains with all that is in them, and the cached statistics about them."""
    end_sessions(Mailbox.objects.filter(domain__in=keys).only("pk"))
    domains.delete_domains(changes, keys)
    of_them = Q(*(Q(key__endswith=f"@{key}") for key in keys), key__in=keys, _connector=Q.OR)
    CachedStat.objects.filter(Q(domain__in=keys) | Q(domain="") & of_them).delete()


def get_indirect_dependents(keys: Sequence[str]) -> Iterator[QuerySet]:
    """Yield what depends on the mailboxes and keys of these domains, found without joins."""
    others = SenderPermission._base_manager.exclude(domain__in=keys)
    yield others.filter(mailbox_domain__in=keys)
    yield DkimSigning._base_manager.filter(dkim__domain_name__in=keys)
