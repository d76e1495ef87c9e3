"""Delete large domains: disabled at once, emptied by the worker step by step."""

from collections.abc import Callable, Sequence

from django.core.exceptions import ValidationError

from domains.models import Domain
from domains.services.alias_domains import refuse_alias_domain_targets
from domains.services.domains import set_domains
from domains.services.locks import DELETION_JOB_KIND, lock_domains
from domains.services.text_references import delete_text_references
from mailadmin.accounts.sessions import end_sessions
from mailadmin.changes.perform import Changes
from mailadmin.jobs.models import Job, JobKeys
from mailadmin.jobs.selections import delete_selection, load_selected_keys
from mailadmin.jobs.services import ROWS_PER_STEP, add_job_within_limit
from mailadmin.mails.queue import forget_mails_to
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import Alias, Mailbox
from mailboxes.services.contents import (
    CONTENT_MODELS,
    count_rows_in_domains,
    has_more_rows_than,
)
from mailboxes.services.domains import delete_domains

LARGE_DOMAIN_MAILBOXES = 500  # mailboxes that one transaction deletes in well under a second


def is_large_deletion(keys: Sequence[str]) -> bool:
    """Return whether these domains hold more than what one transaction should delete."""
    limits = ((Mailbox, LARGE_DOMAIN_MAILBOXES), (Alias, 2 * LARGE_DOMAIN_MAILBOXES))
    return any(has_more_rows_than(limit, model, keys) for model, limit in limits)


def start_domain_deletion(changes: Changes, keys: list[str]) -> Job:
    """Disable large domains and add the job that deletes them."""
    refuse_alias_domain_targets(keys)
    set_domains(changes, keys, "active", False)
    total = sum(count_rows_in_domains(model, keys) for model in CONTENT_MODELS)
    title = _("Delete %(domains)s") % {"domains": ", ".join(keys[:20])}
    return add_job_within_limit(changes, DELETION_JOB_KIND, title, {}, total, keys)


def start_selected_deletion(changes: Changes, selection: Job) -> Job:
    """Disable the domains of a confirmed selection and add the job that deletes them."""
    keys = load_selected_keys(selection)
    delete_selection(changes, selection)
    return start_domain_deletion(changes, keys)


def get_next_deletion_step(job: Job) -> tuple[Callable, tuple, int] | None:
    """Return the next step of the job: mailboxes, then aliases, then the domain itself."""
    found = find_next_domain(job)
    if found is None:
        return None
    part, domain = found
    for model in CONTENT_MODELS:
        rows = model.objects.filter(domain=domain).order_by("pk")
        if keys := list(rows.values_list("pk", flat=True)[:ROWS_PER_STEP]):
            return delete_domain_contents, (domain.pk, model, keys), len(keys)
    return delete_emptied_domain, (part.pk, domain.pk), 0


def find_next_domain(job: Job) -> tuple[JobKeys, Domain] | None:
    """Return the next domain to delete, with the part of the selection that names it.

    A domain that is active again is in use, and stays. Parts that are done are dropped.
    """
    for part in job.selection.order_by("position").iterator(1):
        closed = Domain.objects.filter(pk__in=part.keys, active=False).order_by("pk")
        if domain := closed.first():
            return part, domain
        part.delete()
    return None


def delete_emptied_domain(changes: Changes, part: int, key: str) -> None:
    """Delete a domain whose contents are gone, and forget it: its name may be used again."""
    lock_inactive_domain(changes, key)
    delete_domains(changes, [key])
    for row in JobKeys.objects.select_for_update().filter(pk=part):
        row.keys = [name for name in row.keys if fold(name) != fold(key)]
        row.save(update_fields=["keys"])


def lock_inactive_domain(changes: Changes, key: str) -> Domain:
    """Lock a domain and return it; refuse one that somebody has activated since."""
    lock_domains(changes, [key])
    domain = changes.find_one(Domain, key)
    if domain.active:
        raise ValidationError(_("%(domain)s is active again."), params={"domain": key})
    return domain


def delete_domain_contents(
    changes: Changes, key: str, model: type[Mailbox | Alias], keys: list[str]
) -> None:
    """Delete these mailboxes or aliases of a domain that is being deleted."""
    lock_inactive_domain(changes, key)
    rows = changes.find(model, keys)
    end_sessions(row for row in rows if isinstance(row, Mailbox))
    delete_text_references(changes, keys)
    forget_mails_to(keys)
    changes.delete(rows)
