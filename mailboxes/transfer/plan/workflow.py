"""The workflow of an import: reading, applying and undoing, as steps for a command or the worker.

A step is (service, its arguments, number of rows), run in one transaction.
"""

import datetime
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.utils import timezone

from mailadmin.accounts.models import Principal, Role
from mailadmin.changes.perform import Actor, Changes, ConsolePrincipal, perform
from mailadmin.jobs.models import Job
from mailadmin.jobs.runner import JobNotRepeatable, get_job_actor
from mailadmin.jobs.services import add_job_within_limit
from mailadmin.registry import JobStep
from mailadmin.translation import gettext as _
from mailadmin.translation import gettext_lazy
from mailboxes.models import Plan, PlanRow
from mailboxes.transfer import uploads
from mailboxes.transfer.entries import Losses, SourceError
from mailboxes.transfer.plan import apply as plan_apply
from mailboxes.transfer.plan import revert, store
from mailboxes.transfer.plan.build import PlanBuilder
from mailboxes.transfer.readers import NATIVE_FORMATS, READERS, open_source

State = Plan.State

# Reading


def create_plan(changes: Changes, format_name: str, source: str, options: dict[str, str]) -> Plan:
    """Create a plan without rows."""
    return Plan.objects.create(
        format=format_name,
        source=source[-255:],
        options=options,
        owner=str(changes.actor)[:255],
        owner_model=changes.principal.model_label,
        owner_key=changes.actor.principal.pk or "",
        of_superadmin=changes.principal.role is Role.SUPERADMIN,
    )


def create_plan_from_upload(
    changes: Changes, format_name: str, file: UploadedFile, options: dict[str, str]
) -> Plan:
    """Store an uploaded file and start a job that reads it into a new plan."""
    plan = create_plan(changes, format_name, file.name or "", options)
    uploads.store_upload(plan, file)
    title = _("Read %(source)s") % {"source": plan.source}
    job = add_job_within_limit(changes, "plan", title, {"plan": plan.pk}, 0)
    set_plan_state(changes, plan.pk, State.READING, job.pk)
    return plan


def iter_reading_steps(
    plan: Plan, principal: Principal | ConsolePrincipal, path: str | Path
) -> Iterator[JobStep]:
    """Yield the steps that read a source into a plan ready to be reviewed."""
    losses = Losses()
    yield store.begin_plan, (plan.pk,), 0
    with open_source(plan.format, str(path)) as source:
        entries = READERS[plan.format].read(source, losses, **plan.options)
        builder = PlanBuilder(plan, principal, entries, losses)
        for rows in builder.iter_row_batches():
            yield store.add_plan_rows, (plan.pk, rows), len(rows)
        yield store.finish_plan, (plan.pk, losses, builder.limits_to_widen()), 0


def estimate_row_count(plan: Plan, path: str | Path) -> int:
    """Return about how many rows a text file has, 0 for sources that cannot be counted quickly.

    The first line of a CSV file names its columns.
    """
    path = Path(path)
    if plan.format not in NATIVE_FORMATS or not path.is_file() or zipfile.is_zipfile(path):
        return 0
    with path.open("rb") as file:
        lines = sum(block.count(b"\n") for block in iter(lambda: file.read(2**20), b""))
    return max(0, lines - 1) if plan.format == "csv" else lines


def read_in_foreground(
    actor: Actor,
    plan: Plan,
    path: str | Path,
    progress: Callable[[int], object] = lambda rows: None,
) -> None:
    """Read the source at once; if it cannot be read, keep only the error and raise it."""
    try:
        for service, arguments, rows in iter_reading_steps(plan, actor.principal, path):
            perform(actor, service, *arguments)
            progress(rows)
    except SourceError as error:
        perform(actor, store.fail_plan, plan.pk, str(error))
        raise


def next_reading_step(job: Job) -> JobStep | None:
    """Return the next step of reading an upload. A new worker reads it from the beginning."""
    if "steps" not in vars(job):  # kept on the job while this worker holds it
        vars(job)["steps"] = iter_upload_steps(job)
    return next(vars(job)["steps"], None)


def iter_upload_steps(job: Job) -> Iterator[JobStep]:
    """Yield the steps of reading an upload; the job fails if it cannot be read."""
    states = (State.READING, State.FAILED)
    plan = Plan.objects.filter(pk=job.arguments["plan"], state__in=states).first()
    if plan is None:
        return
    if plan.state == State.FAILED:  # by a worker that died before it ended the job
        raise JobNotRepeatable(plan.trouble)
    try:
        with uploads.decrypt_upload(plan) as path:
            yield set_job_total, (job.pk, estimate_row_count(plan, path)), 0
            yield from iter_reading_steps(plan, get_job_actor(job).principal, path)
    except SourceError as error:
        text = uploads.hide_temp_folder(str(error))
        yield store.fail_plan, (plan.pk, text), 0
        raise JobNotRepeatable(text) from error


def set_job_total(changes: Changes, job_id: int, total: int) -> None:
    Job.objects.filter(pk=job_id).update(total=total, done=0)


# Applying and undoing


class Operation(NamedTuple):
    """The step for the rows of a plan in one of its states, run by a job or a command."""

    job_kind: str
    job_title: str
    pending_rows: Callable[[Plan], QuerySet[PlanRow]]
    next_rows: Callable[[Plan], list[PlanRow]]
    service: Callable[[Changes, Plan, list[PlanRow]], None]
    allowed_from: tuple[Plan.State, ...]
    end_state: Plan.State


OPERATIONS = {
    State.APPLYING: Operation(
        job_kind="import",
        job_title=gettext_lazy("Import %(source)s"),
        pending_rows=plan_apply.pending_rows,
        next_rows=plan_apply.next_rows,
        service=plan_apply.apply_rows,
        allowed_from=(State.READY, State.STOPPED, State.APPLYING),
        end_state=State.APPLIED,
    ),
    State.RETURNING: Operation(
        job_kind="import-return",
        job_title=gettext_lazy("Undo import of %(source)s"),
        pending_rows=revert.pending_rows,
        next_rows=revert.next_rows,
        service=revert.revert_rows,
        allowed_from=(State.APPLIED, State.STOPPED, State.RETURNING),
        end_state=State.RETURNED,
    ),
}


def start_operation(changes: Changes, plan_id: int, state: Plan.State) -> Job:
    """Start a job that applies or reverts the plan."""
    plan = enter_state(changes, plan_id, state)
    operation = OPERATIONS[state]
    title = operation.job_title % {"source": plan.source}
    total = operation.pending_rows(plan).count()
    job = add_job_within_limit(changes, operation.job_kind, title, {"plan": plan.pk}, total)
    set_plan_state(changes, plan.pk, state, job.pk)
    return job


def enter_state(changes: Changes, plan_id: int, state: Plan.State) -> Plan:
    """Put a plan into a state and return it; refuse if its state or an active job forbids that."""
    plan = Plan.objects.select_for_update().visible_to(changes.principal).filter(pk=plan_id).first()
    if plan is None:
        raise ValidationError(_("There is no such import."))
    unfinished_jobs = Job.objects.filter(state__in=[Job.State.WAITING, Job.State.RUNNING])
    has_job = plan.job is not None and unfinished_jobs.filter(pk=plan.job).exists()
    if state == State.APPLYING and plan.is_returning:
        raise ValidationError(_("Part of this import was already undone: undo the rest."))
    if plan.state not in OPERATIONS[state].allowed_from or has_job:
        raise ValidationError(
            _("This is not possible: the import is in the state “%(state)s”."),
            params={"state": plan.get_state_display()},
        )
    flags = {"is_returning": state == State.RETURNING}
    Plan.objects.filter(pk=plan.pk).update(state=state, job=None, **flags)
    return plan


def set_plan_state(
    changes: Changes, plan_id: int, state: Plan.State, job: int | None = None
) -> None:
    """Set a plan's state, and the job that works on it."""
    Plan.objects.filter(pk=plan_id).update(state=state, job=job)


def stop_plan(changes: Changes, plan_id: int) -> None:
    """Stop after the current step."""
    active_plans = Plan.objects.visible_to(changes.principal).filter(
        pk=plan_id, state__in=OPERATIONS
    )
    if not active_plans.update(state=State.STOPPED):
        raise ValidationError(_("There is nothing to stop."))


def discard_plan(changes: Changes, plan_id: int) -> None:
    """Discard a plan of which nothing was applied."""
    plans = Plan.objects.visible_to(changes.principal).filter(pk=plan_id)
    discardable = [State.READY, State.FAILED, State.READING]
    if not plans.filter(state__in=discardable).update(state=State.DISCARDED):
        raise ValidationError(
            _("This import has already started: undo it instead of discarding it.")
        )
    uploads.delete_upload(plan_id)
    delete_failed_jobs(plans)


def delete_failed_jobs(plans: QuerySet[Plan]) -> None:
    """Delete failed jobs of plans that are no longer wanted."""
    Job.objects.filter(pk__in=plans.values("job"), state=Job.State.FAILED).delete()


def next_operation_step(plan_id: int, state: Plan.State) -> JobStep | None:
    """Return the step that writes or reverts the next rows, then the one that ends the operation.

    None if the plan is no longer in that state: it was stopped.
    """
    plan = Plan.objects.filter(pk=plan_id, state=state).first()
    if plan is None:
        return None
    operation = OPERATIONS[state]
    if rows := operation.next_rows(plan):
        return operation.service, (plan, rows), len(rows)
    return set_plan_state, (plan.pk, operation.end_state), 0


def next_applying_step(job: Job) -> JobStep | None:
    return next_operation_step(job.arguments["plan"], State.APPLYING)


def next_reverting_step(job: Job) -> JobStep | None:
    return next_operation_step(job.arguments["plan"], State.RETURNING)


def run_in_foreground(
    actor: Actor,
    plan_id: int,
    state: Plan.State,
    progress: Callable[[int], object] = lambda rows: None,
) -> None:
    """Apply or revert a plan at once."""
    perform(actor, enter_state, plan_id, state)
    while step := next_operation_step(plan_id, state):
        service, arguments, rows = step
        perform(actor, service, *arguments)
        progress(rows)


# Housekeeping

PURGE_BATCH_SIZE = 5000
UNREVIEWED_PLAN_TTL = datetime.timedelta(days=3)


def find_expired_plans() -> list[Plan]:
    now = timezone.now()
    undo_limit = now - datetime.timedelta(days=settings.MAILADMIN_UNDO_DAYS)
    begun_states = [State.APPLYING, State.STOPPED, State.APPLIED, State.RETURNING, State.RETURNED]
    plans = Plan.objects
    return [
        *plans.filter(state=State.DISCARDED),
        *plans.exclude(state__in=begun_states).filter(created__lt=now - UNREVIEWED_PLAN_TTL),
        *plans.filter(state__in=begun_states, created__lt=undo_limit),
    ]


def purge_plans() -> None:
    """Delete plans that nobody applied, and those that are too old to be undone."""
    for plan in find_expired_plans():
        if not Plan.objects.filter(pk=plan.pk, state=plan.state).update(state=State.DISCARDED):
            continue  # somebody has started an operation on it
        while keys := list(plan.rows.values_list("pk", flat=True)[:PURGE_BATCH_SIZE]):
            PlanRow.objects.filter(pk__in=keys).delete()
        uploads.delete_upload(plan.pk)
        delete_failed_jobs(Plan.objects.filter(pk=plan.pk))
        Plan.objects.filter(pk=plan.pk).delete()
