"""The way of a plan from a source to the database, as steps: for a command, or for the worker.

A step is (service, its arguments, how many rows it is), for one transaction.
"""

import datetime
import zipfile
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailadmin.accounts.models import Role
from mailadmin.changes.perform import perform
from mailadmin.jobs.models import Job
from mailadmin.jobs.runner import add_limited_job, job_actor
from mailboxes.models import Plan, PlanRow
from mailboxes.transfer import uploads
from mailboxes.transfer.entries import Losses, UnfitSource
from mailboxes.transfer.plan import apply as plan_apply
from mailboxes.transfer.plan import build as plan_build
from mailboxes.transfer.plan import revert
from mailboxes.transfer.readers import OWN_FORMATS, READERS, opened

State = Plan.State

# Reading


def make_plan(changes, format_name, source, options):
    """A plan that is still empty."""
    return Plan.objects.create(
        format=format_name,
        source=source[-255:],
        options=options,
        owner=str(changes.actor)[:255],
        owner_model=changes.principal.model_label,
        owner_key=changes.actor.principal.pk or "",
        of_superadmin=changes.principal.role is Role.SUPERADMIN,
    )


def upload_plan(changes, format_name, file, options):
    """Keep an uploaded file, and let the worker read it."""
    plan = make_plan(changes, format_name, file.name, options)
    uploads.keep_upload(plan, file)
    title = _("Read %(source)s") % {"source": plan.source}
    job = add_limited_job(changes, "plan", title, {"plan": plan.pk}, 0)
    set_state(changes, plan.pk, State.READING, job.pk)
    return plan


def reading_steps(plan, principal, path):
    """Everything from the source's first row to a plan that can be looked at."""
    losses = Losses()
    yield plan_build.begin_plan, (plan.pk,), 0
    with opened(plan.format, path) as source:
        entries = READERS[plan.format].read(source, losses, **plan.options)
        work = plan_build.Planning(plan, principal, entries, losses)
        for rows in work.steps():
            yield plan_build.add_rows, (plan.pk, rows), len(rows)
        yield plan_build.end_plan, (plan.pk, losses, work.limits_to_widen()), 0


def expected(plan, path):
    """About how many rows there are, where that is quickly told; else none."""
    path = Path(path)
    if plan.format not in OWN_FORMATS or not path.is_file() or zipfile.is_zipfile(path):
        return 0
    with path.open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(2**20), b""))


def read_here(actor, plan, path, progress=lambda rows: None):
    """Read it at once; what cannot be read leaves nothing but the reason."""
    try:
        for service, arguments, rows in reading_steps(plan, actor.principal, path):
            perform(actor, service, *arguments)
            progress(rows)
    except UnfitSource as error:
        perform(actor, plan_build.fail_plan, plan.pk, str(error))
        raise


def next_reading(job):
    """The next step of reading an upload; a new worker begins anew."""
    if not hasattr(job, "steps"):
        job.steps = upload_steps(job)
    return next(job.steps, None)


def upload_steps(job):
    plan = Plan.objects.filter(pk=job.arguments["plan"], state=State.READING).first()
    if plan is None:
        return
    try:
        with uploads.unsealed(plan) as path:
            yield set_total, (job.pk, expected(plan, path)), 0
            yield from reading_steps(plan, job_actor(job).principal, path)
    except UnfitSource as error:
        yield plan_build.fail_plan, (plan.pk, uploads.shown(str(error))), 0


def set_total(changes, number, total):
    Job.objects.filter(pk=number).update(total=total, done=0)


# Applying, and taking back

WORK = {
    State.APPLYING: ("import", plan_apply, plan_apply.apply_rows, State.APPLIED),
    State.RETURNING: ("import-return", revert, revert.return_rows, State.RETURNED),
}
FROM = {
    State.APPLYING: (State.READY, State.STOPPED, State.APPLYING),
    State.RETURNING: (State.APPLIED, State.STOPPED, State.RETURNING),
}


def begin(changes, number, state):
    """Let the worker go on with a plan: apply it, or take it back."""
    plan = enter(changes, number, state)
    kind, module, _service, _end = WORK[state]
    title = TITLES[state] % {"source": plan.source}
    total = module.rows_to_write(plan).count()
    job = add_limited_job(changes, kind, title, {"plan": plan.pk}, total)
    set_state(changes, plan.pk, state, job.pk)
    return job


TITLES = {
    State.APPLYING: gettext_lazy("Import %(source)s"),
    State.RETURNING: gettext_lazy("Take back %(source)s"),
}


def enter(changes, number, state):
    """The plan, if it may go on so, and nobody is at work with it."""
    plan = Plan.objects.select_for_update().of(changes.principal).filter(pk=number).first()
    if plan is None:
        raise ValidationError(_("There is no such import."))
    working = Job.objects.filter(pk=plan.job, state__in=[Job.State.WAITING, Job.State.RUNNING])
    if state == State.APPLYING and plan.is_returning:
        raise ValidationError(_("Part of this import was taken back already: take back the rest."))
    if plan.state not in FROM[state] or working.exists():
        raise ValidationError(
            _("This import is %(state)s."), params={"state": plan.get_state_display()}
        )
    marks = {"is_returning": state == State.RETURNING}
    Plan.objects.filter(pk=plan.pk).update(state=state, job=None, **marks)
    return plan


def set_state(changes, number, state, job=None):
    """Where a plan is on its way, and the job that goes on with it, if one does."""
    Plan.objects.filter(pk=number).update(state=state, job=job)


def stop(changes, number):
    """Let the step at hand be the last for now."""
    going = Plan.objects.of(changes.principal).filter(pk=number, state__in=WORK)
    if not going.update(state=State.STOPPED):
        raise ValidationError(_("There is nothing to stop."))


def discard(changes, number):
    """A plan that nobody wants applied."""
    plans = Plan.objects.of(changes.principal).filter(pk=number)
    idle = [State.READY, State.FAILED, State.READING]
    if not plans.filter(state__in=idle).update(state=State.DISCARDED):
        raise ValidationError(_("This import has begun: it can be taken back, not discarded."))
    uploads.forget_upload(number)


def next_step(plan_number, state):
    """The next rows to write or to undo, then the end; nothing for a plan that was stopped."""
    plan = Plan.objects.filter(pk=plan_number, state=state).first()
    if plan is None:
        return None
    _kind, module, service, end = WORK[state]
    if rows := module.next_rows(plan):
        return service, (plan, rows), len(rows)
    return set_state, (plan.pk, end), 0


def next_applying(job):
    return next_step(job.arguments["plan"], State.APPLYING)


def next_returning(job):
    return next_step(job.arguments["plan"], State.RETURNING)


def go_here(actor, number, state, progress=lambda rows: None):
    """Apply a plan or take it back at once."""
    perform(actor, enter, number, state)
    while step := next_step(number, state):
        service, arguments, rows = step
        perform(actor, service, *arguments)
        progress(rows)


# Housekeeping

ROWS_AT_ONCE = 5000
KEPT_UNREVIEWED = datetime.timedelta(days=3)


def old_plans():
    now = timezone.now()
    undoable = now - datetime.timedelta(days=settings.MAILADMIN_UNDO_DAYS)
    begun = [State.APPLYING, State.STOPPED, State.APPLIED, State.RETURNING, State.RETURNED]
    plans = Plan.objects
    return [
        *plans.filter(state=State.DISCARDED),
        *plans.exclude(state__in=begun).filter(created__lt=now - KEPT_UNREVIEWED),
        *plans.filter(state__in=begun, created__lt=undoable),
    ]


def forget_plans():
    """Plans that nobody agreed to, and those that are too old to be taken back."""
    for plan in old_plans():
        if not Plan.objects.filter(pk=plan.pk, state=plan.state).update(state=State.DISCARDED):
            continue  # somebody has begun with it
        while keys := list(plan.rows.values_list("pk", flat=True)[:ROWS_AT_ONCE]):
            PlanRow.objects.filter(pk__in=keys).delete()
        uploads.forget_upload(plan.pk)
        Plan.objects.filter(pk=plan.pk).delete()
