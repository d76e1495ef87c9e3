"""The lock of a domain, which every write takes first, and the tallies stored with it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from django.core.exceptions import ValidationError
from django.db.models import F, Model

from domains.models import Domain, DomainState
from mailadmin.changes.perform import Changes
from mailadmin.db.bulk import chunks
from mailadmin.jobs.models import Job, JobKeys
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

DELETION_JOB_KIND = "delete-domains"  # the job that deletes large domains


class ContentsCounter(Protocol):
    """Count what is in the domains that the filters select.

    Returns tallies by the folded name of a domain, zeros where there is nothing.
    """

    def __call__(self, **filters: Any) -> Mapping[str, dict[str, int]]: ...


_contents_counters: list[ContentsCounter] = []


def register_contents_counter(counter: ContentsCounter) -> None:
    """Register the function that counts the contents of domains, unknown to this app."""
    _contents_counters[:] = [counter]


def lock_domains(changes: Changes, names: Iterable[object]) -> None:
    """Lock these domains until the transaction ends. The lock is a write, in order of name."""
    for part in chunks(sorted({str(name) for name in names})):
        if increment_versions(part) < len(part):
            present = set(
                DomainState.objects.filter(pk__in=part).values_list("domain_id", flat=True)
            )
            new = build_domain_states(name for name in part if name not in present)
            DomainState.objects.bulk_create(new, ignore_conflicts=True)
            increment_versions(part)


def increment_versions(names: list[str]) -> int:
    """Lock those of these domains that have a state; return how many."""
    return DomainState.objects.filter(pk__in=names).update(version=F("version") + 1)


def build_domain_states(names: Iterable[str]) -> list[DomainState]:
    """Return states for domains that have none yet, with tallies of what is in them already."""
    [count_contents] = _contents_counters
    domains = list(names)
    tallies = count_contents(domain__in=domains)
    return [DomainState(domain_id=name, **tallies[fold(name)]) for name in domains]


def adjust_tallies(domain: str, **differences: int) -> None:
    """Adjust the tallies of a domain: `adjust_tallies("example.org", mailboxes=+1)`."""
    adjust_tallies_of_domains({domain: differences})


def adjust_tallies_of_domains(differences: Mapping[str, Mapping[str, int]]) -> None:
    """Adjust the tallies of domains; those that change alike with one statement."""
    alike: defaultdict[tuple[tuple[str, int], ...], list[str]] = defaultdict(list)
    for domain, numbers in differences.items():
        alike[tuple(numbers.items())].append(domain)
    for common, domains in alike.items():
        changed = {name: F(name) + number for name, number in common if number}
        for part in chunks(domains if changed else ()):
            DomainState.objects.filter(pk__in=part).update(**changed)


def check_not_being_deleted(domains: Collection[Domain]) -> None:
    """Refuse changes in domains that the worker is deleting."""
    names = {fold(domain.pk) for domain in domains if not domain.active}
    if not names:
        return
    unfinished = [Job.State.WAITING, Job.State.RUNNING]
    parts = JobKeys.objects.filter(job__kind=DELETION_JOB_KIND, job__state__in=unfinished)
    for part in parts.iterator():
        if deleted := [name for name in part.keys if fold(name) in names]:
            text = _("%(domain)s is being deleted (job %(job)s).")
            raise ValidationError(text, params={"domain": deleted[0], "job": part.job_id})


def lock_writable_domains(changes: Changes, names: Iterable[str]) -> dict[str, Domain]:
    """Lock the domains of these names and return them; all must be in the actor's scope."""
    names = sorted(set(names))
    lock_domains(changes, names)
    rows = Domain.objects.visible_to(changes.principal).filter(pk__in=names)
    domains = {fold(domain.pk): domain for domain in rows}
    if missing := [name for name in names if fold(name) not in domains]:
        raise ValidationError(
            {"domain": _("The domain %(name)s does not exist.") % {"name": missing[0]}}
        )
    check_not_being_deleted(domains.values())
    return {name: domains[fold(name)] for name in names}


def refuse_taken_keys(
    model: type[Model], keys: Collection[str], field: str, text: "StrOrPromise"
) -> None:
    """Refuse keys that rows of the model have already, and the same key twice."""
    if len({fold(key) for key in keys}) < len(keys):
        raise ValidationError({field: _("Duplicate name.")})
    for part in chunks(keys):
        if taken := model._default_manager.filter(pk__in=part).values_list("pk", flat=True).first():
            raise ValidationError({field: ValidationError(text % {"key": taken}, code="taken")})
