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
from mailadmin.jobs.runner import add_job_within_limit, get_job_actor
from mailboxes.models import Plan, PlanRow
from mailboxes.transfer import uploads
from mailboxes.transfer.entries import Losses, SourceError
from mailboxes.transfer.plan import apply as plan_apply
from mailboxes.transfer.plan import build as plan_build
from mailboxes.transfer.plan import revert
from mailboxes.transfer.readers import NATIVE_FORMATS, READERS, open_source

State = Plan.State

# Reading


def create_plan(changes, format_name, source, options):
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


def create_plan_from_upload(changes, format_name, file, options):
    """Keep an uploaded file, and let the worker read it."""
    plan = create_plan(changes, format_name, file.name, options)
    uploads.store_upload(plan, file)
    title = _("Read %(source)s") % {"source": plan.source}
    job = add_job_within_limit(changes, "plan", title, {"plan": plan.pk}, 0)
    set_plan_state(changes, plan.pk, State.READING, job.pk)
    return plan


def iter_reading_steps(plan, principal, path):
    """Everything from the source's first row to a plan that can be looked at."""
    losses = Losses()
    yield plan_build.begin_plan, (plan.pk,), 0
    with open_source(plan.format, path) as source:
        entries = READERS[plan.format].read(source, losses, **plan.options)
        work = plan_build.PlanBuilder(plan, principal, entries, losses)
        for rows in work.steps():
            yield plan_build.add_plan_rows, (plan.pk, rows), len(rows)
        yield plan_build.finish_plan, (plan.pk, losses, work.limits_to_widen()), 0


def estimate_row_count(plan, path):
    """About how many rows there are, where that is quickly told; else none."""
    path = Path(path)
    if plan.format not in NATIVE_FORMATS or not path.is_file() or zipfile.is_zipfile(path):
        return 0
    with path.open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(2**20), b""))


def read_in_foreground(actor, plan, path, progress=lambda rows: None):
    """Read it at once; what cannot be read leaves nothing but the reason."""
    try:
        for service, arguments, rows in iter_reading_steps(plan, actor.principal, path):
            perform(actor, service, *arguments)
            progress(rows)
    except SourceError as error:
        perform(actor, plan_build.fail_plan, plan.pk, str(error))
        raise


def next_reading_step(job):
    """The next step of reading an upload; a new worker begins anew."""
    if not hasattr(job, "steps"):
        job.steps = iter_upload_steps(job)
    return next(job.steps, None)


def iter_upload_steps(job):
    plan = Plan.objects.filter(pk=job.arguments["plan"], state=State.READING).first()
    if plan is None:
        return
    try:
        with uploads.decrypt_upload(plan) as path:
            yield set_job_total, (job.pk, estimate_row_count(plan, path)), 0
            yield from iter_reading_steps(plan, get_job_actor(job).principal, path)
    except SourceError as error:
        yield plan_build.fail_plan, (plan.pk, uploads.hide_temp_folder(str(error))), 0


def set_job_total(changes, number, total):
    Job.objects.filter(pk=number).update(total=total, done=0)


# Applying, and taking back

OPERATIONS = {
    State.APPLYING: ("import", plan_apply, plan_apply.apply_rows, State.APPLIED),
    State.RETURNING: ("import-return", revert, revert.revert_rows, State.RETURNED),
}
ALLOWED_STATES_BEFORE = {
    State.APPLYING: (State.READY, State.STOPPED, State.APPLYING),
    State.RETURNING: (State.APPLIED, State.STOPPED, State.RETURNING),
}


def start_operation(changes, number, state):
    """Let the worker go on with a plan: apply it, or take it back."""
    plan = enter_state(changes, number, state)
    kind, module, _service, _end = OPERATIONS[state]
    title = JOB_TITLES[state] % {"source": plan.source}
    total = module.pending_rows(plan).count()
    job = add_job_within_limit(changes, kind, title, {"plan": plan.pk}, total)
    set_plan_state(changes, plan.pk, state, job.pk)
    return job


JOB_TITLES = {
    State.APPLYING: gettext_lazy("Import %(source)s"),
    State.RETURNING: gettext_lazy("Take back %(source)s"),
}


def enter_state(changes, number, state):
    """The plan, if it may go on so, and nobody is at work with it."""
    plan = Plan.objects.select_for_update().of(changes.principal).filter(pk=number).first()
    if plan is None:
        raise ValidationError(_("There is no such import."))
    working = Job.objects.filter(pk=plan.job, state__in=[Job.State.WAITING, Job.State.RUNNING])
    if state == State.APPLYING and plan.is_returning:
        raise ValidationError(_("Part of this import was taken back already: take back the rest."))
    if plan.state not in ALLOWED_STATES_BEFORE[state] or working.exists():
        raise ValidationError(
            _("This import is %(state)s."), params={"state": plan.get_state_display()}
        )
    marks = {"is_returning": state == State.RETURNING}
    Plan.objects.filter(pk=plan.pk).update(state=state, job=None, **marks)
    return plan


def set_plan_state(changes, number, state, job=None):
    """Where a plan is on its way, and the job that goes on with it, if one does."""
    Plan.objects.filter(pk=number).update(state=state, job=job)


def stop_plan(changes, number):
    """Let the step at hand be the last for now."""
    going = Plan.objects.of(changes.principal).filter(pk=number, state__in=OPERATIONS)
    if not going.update(state=State.STOPPED):
        raise ValidationError(_("There is nothing to stop."))


def discard_plan(changes, number):
    """A plan that nobody wants applied."""
    plans = Plan.objects.of(changes.principal).filter(pk=number)
    idle = [State.READY, State.FAILED, State.READING]
    if not plans.filter(state__in=idle).update(state=State.DISCARDED):
        raise ValidationError(_("This import has begun: it can be taken back, not discarded."))
    uploads.delete_upload(number)


def next_operation_step(plan_number, state):
    """The next rows to write or to undo, then the end; nothing for a plan that was stopped."""
    plan = Plan.objects.filter(pk=plan_number, state=state).first()
    if plan is None:
        return None
    _kind, module, service, end = OPERATIONS[state]
    if rows := module.next_rows(plan):
        return service, (plan, rows), len(rows)
    return set_plan_state, (plan.pk, end), 0


def next_applying_step(job):
    return next_operation_step(job.arguments["plan"], State.APPLYING)


def next_reverting_step(job):
    return next_operation_step(job.arguments["plan"], State.RETURNING)


def run_in_foreground(actor, number, state, progress=lambda rows: None):
    """Apply a plan or take it back at once."""
    perform(actor, enter_state, number, state)
    while step := next_operation_step(number, state):
        service, arguments, rows = step
        perform(actor, service, *arguments)
        progress(rows)


# Housekeeping

PURGE_BATCH_SIZE = 5000
UNREVIEWED_PLAN_TTL = datetime.timedelta(days=3)


def find_expired_plans():
    now = timezone.now()
    undoable = now - datetime.timedelta(days=settings.MAILADMIN_UNDO_DAYS)
    begun = [State.APPLYING, State.STOPPED, State.APPLIED, State.RETURNING, State.RETURNED]
    plans = Plan.objects
    return [
        *plans.filter(state=State.DISCARDED),
        *plans.exclude(state__in=begun).filter(created__lt=now - UNREVIEWED_PLAN_TTL),
        *plans.filter(state__in=begun, created__lt=undoable),
    ]


def purge_plans():
    """Plans that nobody agreed to, and those that are too old to be taken back."""
    for plan in find_expired_plans():
        if not Plan.objects.filter(pk=plan.pk, state=plan.state).update(state=State.DISCARDED):
            continue  # somebody has begun with it
        while keys := list(plan.rows.values_list("pk", flat=True)[:PURGE_BATCH_SIZE]):
            PlanRow.objects.filter(pk__in=keys).delete()
        uploads.delete_upload(plan.pk)
        Plan.objects.filter(pk=plan.pk).delete()
