"""The lock of a domain, which all writes take first, and the numbers that it keeps."""

from collections import defaultdict

from django.core.exceptions import ValidationError
from django.db.models import Count, F, Q
from django.utils.translation import gettext_lazy as _

from domains.models import (
    Domain,
    DomainState,
)
from mailadmin.db.aggregates import bounded_sum
from mailadmin.db.bulk import chunks
from mailadmin.jobs.models import Job, JobKeys
from mailadmin.names import fold

DELETION = "delete-domains"  # the job that takes domains apart
CONTENTS = ("mailbox_set", "alias_set")


def lock_domains(changes, names):
    """Hold these domains until the transaction ends. The lock is a write, in order of name."""
    names = sorted({str(name) for name in names})
    for part in chunks(names):
        if _advance(part) < len(part):
            present = set(
                DomainState.objects.filter(pk__in=part).values_list("domain_id", flat=True)
            )
            new = new_states(name for name in part if name not in present)
            DomainState.objects.bulk_create(new, ignore_conflicts=True)
            _advance(part)


def _advance(names):
    return DomainState.objects.filter(pk__in=names).update(version=F("version") + 1)


def new_states(names):
    """The states of domains that have none yet, with what is in them already."""
    names = list(names)
    counted = count_contents(domain__in=names)
    return [DomainState(domain_id=name, **counted[fold(name)]) for name in names]


def count_contents(**which):
    """What is in each domain, counted: the domain's folded name → its tallies."""
    mailboxes, aliases = (
        Domain._meta.get_field(name).related_model.objects.filter(**which).values("domain_id")
        for name in CONTENTS
    )
    counted = defaultdict(lambda: {"mailboxes": 0, "aliases": 0, "quota_assigned": 0})
    quota = bounded_sum("quota", filter=Q(quota__gt=0))
    for row in mailboxes.annotate(number=Count("pk"), given=quota):
        own = counted[fold(row["domain_id"])]
        own["mailboxes"] += row["number"]
        own["aliases"] -= row["number"]  # every mailbox has its own, which does not count
        own["quota_assigned"] += row["given"]
    for row in aliases.annotate(number=Count("pk")):
        counted[fold(row["domain_id"])]["aliases"] += row["number"]
    return counted


def tally(domain, **differences):
    """Keep the numbers of a domain: `tally("example.org", mailboxes=+1, quota_assigned=+1024)`."""
    changed = {name: F(name) + number for name, number in differences.items() if number}
    if changed:
        DomainState.objects.filter(pk=domain).update(**changed)


def keep_lone(aliases):
    """Note that these aliases belong to no mailbox; a note may be left of an earlier namesake."""
    if aliases:
        note = type(aliases[0])._meta.get_field("lone").related_model
        rows = [note(alias_id=alias.pk, domain_id=alias.domain_id) for alias in aliases]
        note.objects.bulk_create(rows, ignore_conflicts=True)


def refuse_dying(domains):
    """What is done in a domain that the worker is taking apart would go with it."""
    names = {fold(domain.pk) for domain in domains if not domain.active}
    if not names:
        return
    unfinished = [Job.State.WAITING, Job.State.RUNNING]
    parts = JobKeys.objects.filter(job__kind=DELETION, job__state__in=unfinished)
    for part in parts.iterator():
        if dying := [name for name in part.keys if fold(name) in names]:
            text = _("%(domain)s is being deleted (job %(job)s).")
            raise ValidationError(text, params={"domain": dying[0], "job": part.job_id})


def domains_to_write(changes, names):
    """The domains of these names, locked, all of them the actor's."""
    names = sorted(set(names))
    lock_domains(changes, names)
    rows = Domain.objects.visible_to(changes.principal).filter(pk__in=names)
    found = {fold(domain.pk): domain for domain in rows}
    if missing := [name for name in names if fold(name) not in found]:
        raise ValidationError(
            {"domain": _("The domain %(name)s does not exist.") % {"name": missing[0]}}
        )
    refuse_dying(found.values())
    return {name: found[fold(name)] for name in names}


def refuse_taken(model, keys, field, text):
    if len({fold(key) for key in keys}) < len(keys):
        raise ValidationError({field: _("The same name stands there twice.")})
    for part in chunks(keys):
        if taken := model._default_manager.filter(pk__in=part).values_list("pk", flat=True).first():
            raise ValidationError({field: ValidationError(text % {"key": taken}, code="taken")})
