"""Create many rows by a job, where to hash their passwords takes longer than a request may.

Until then the rows are stored encrypted, like uploaded files: they hold plain passwords.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mailadmin import passwords, registry
from mailadmin.api.job_steps import CREATION_JOB_KIND
from mailadmin.changes.perform import AfterPerform, Changes, perform
from mailadmin.db.bulk import chunks
from mailadmin.jobs.models import Job, JobKeys
from mailadmin.jobs.runner import JobNotRepeatable, get_job_actor
from mailadmin.jobs.selections import load_selected_keys
from mailadmin.jobs.services import add_job_within_limit
from mailadmin.sealing import get_cipher
from mailadmin.tables.forms import TableForm
from mailadmin.tables.saving import (
    HASHING_THREADS,
    RowsRefused,
    SavedBatch,
    build_batch,
    hash_passwords,
    save_batch,
    validate_batch,
)
from mailadmin.tables.table import Table
from mailadmin.translation import compose, join_texts

MAX_HASHING_SECONDS = 20  # in a request; proxies wait 30 or 60 seconds for its answer
HASHED_PER_STEP = 25  # while other jobs of the worker wait


def takes_too_long(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether to hash the plain passwords of these rows takes longer than a request may."""
    count = sum(1 for values in rows if values.get("password"))
    if count <= HASHED_PER_STEP:
        return False
    return count * passwords.measure_hash_seconds() / HASHING_THREADS > MAX_HASHING_SECONDS


def start_creation_job(
    table: Table, forms: Sequence[TableForm], rows: Sequence[dict], after: AfterPerform
) -> Job:
    """Start the job that creates these rows; refuse what can be seen to be wrong beforehand."""
    actor = validate_batch(table, forms)[0].actor
    return perform(actor, add_creation_job, table, rows, after=after)


def add_creation_job(changes: Changes, table: Table, rows: Sequence[dict]) -> Job:
    cipher = get_cipher(CREATION_JOB_KIND.encode())
    sealed = [cipher.encrypt(json.dumps(values).encode()).decode() for values in rows]
    title, arguments = table.format_count(len(rows)), {"table": table.slug}
    return add_job_within_limit(
        changes, CREATION_JOB_KIND, title, arguments, len(rows), keys=sealed
    )


# Steps of the job


def get_next_step(job: Job) -> registry.JobStep | None:
    """Return the next step. A new worker begins again: what is hashed is not stored."""
    if "steps" not in vars(job):  # kept on the job while this worker holds it
        vars(job)["steps"] = iter_creation_steps(job)
    return next(vars(job)["steps"], None)


def iter_creation_steps(job: Job) -> Iterator[registry.JobStep]:
    """Yield the steps, unless a worker that died has taken the last one; fail if it was refused."""
    if sealed := load_selected_keys(job):
        yield reset_progress, (job.pk,), 0
        try:
            yield from iter_hashing_steps(job, unseal_rows(sealed))
        except RowsRefused as error:
            yield note_refusal, (job.pk, error), 0
    job.refresh_from_db(fields=["message"])
    if job.message:
        raise JobNotRepeatable(job.message)


def iter_hashing_steps(job: Job, rows: list[dict]) -> Iterator[registry.JobStep]:
    """Yield a step for each part of the passwords, and one that creates all rows."""
    table, actor = registry.tables[job.arguments["table"]], get_job_actor(job)
    forms = [table.form_class.from_values(values, actor) for values in rows]
    valid = validate_batch(table, forms)
    values: list[dict[str, Any]] = []
    for part in chunks(valid, HASHED_PER_STEP):
        values += hash_passwords(part)
        yield extend_lease, (), len(part)
    yield create_rows, (job.pk, build_batch(table.services, valid, values)), 0


def unseal_rows(sealed: list[str]) -> list[dict]:
    cipher = get_cipher(CREATION_JOB_KIND.encode())
    return [json.loads(cipher.decrypt(text)) for text in sealed]


def describe_refusal(refusal: RowsRefused) -> str:
    """Return which rows were refused and why, by their numbers in the request."""
    lines = [
        compose("%(row)s: %(field)s: %(text)s", row=number, field=field, text=" ".join(texts))
        for number, errors in refusal.errors_by_number.items()
        for field, texts in errors.items()
    ]
    return join_texts([refusal.messages[0], *lines], "\n")


# Services


def reset_progress(changes: Changes, job_id: int) -> None:
    Job.objects.filter(pk=job_id).update(done=0)


def extend_lease(changes: Changes) -> None:
    """Do nothing but what every step does: count what was hashed."""


def create_rows(changes: Changes, job_id: int, batch: SavedBatch) -> None:
    """Create the rows, or note why they were refused; forget their passwords in any case."""
    try:
        with changes.savepoint():
            save_batch(changes, batch)
    except RowsRefused as error:
        note_refusal(changes, job_id, error)
    JobKeys.objects.filter(job=job_id).delete()


def note_refusal(changes: Changes, job_id: int, error: RowsRefused) -> None:
    """Store why rows were refused, and forget all of them."""
    Job.objects.filter(pk=job_id).update(message=describe_refusal(error))
    JobKeys.objects.filter(job=job_id).delete()
