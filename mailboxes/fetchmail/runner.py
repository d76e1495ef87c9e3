"""Run fetchmail for the entries that are due, several at a time, on one or several machines.

An entry is leased before it is run, and its time and result are written back to it, as the script
of PostfixAdmin does. The numbers of messages that stay on their server are kept in the database,
so that any machine can continue.
"""

import datetime
import logging
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from mailadmin.db.fields import is_known_date
from mailadmin.db.pagination import iter_pages
from mailadmin.db.retry import retry_on_deadlock
from mailadmin.jobs.row_leases import claim_rows, create_holder, release_rows
from mailboxes.fetchmail.run_control import UnusableEntry, build_run_control, find_address
from mailboxes.models import Fetchmail, FetchmailRun
from mailboxes.services.fetchmail import decode_password

logger = logging.getLogger("mailadmin.fetchmail")

LEASE_MARGIN = datetime.timedelta(minutes=2)
TIMEOUT_SECONDS = 60  # of the server's answers
MAX_TEXT_LINES, MAX_TEXT_LENGTH = 4, 500  # of what fetchmail has said
MAX_SEEN_LENGTH = 4_000_000
SUCCESSES = (0, 1)  # codes of fetchmail: mail was fetched, there was none


class Result(NamedTuple):
    """What became of one run."""

    code: int | None  # of fetchmail; None if it was not run or was ended
    text: str
    seen_messages: str = ""

    @property
    def is_success(self) -> bool:
        return self.code in SUCCESSES


class Task(NamedTuple):
    """An entry that this process has leased."""

    entry: Fetchmail
    holder: str
    seen_messages: str


class Totals(NamedTuple):
    """How many entries were run."""

    fetched: int
    failed: int


def run_due_entries(ignores_interval: bool = False) -> Totals:
    """Run fetchmail for all entries that are due."""
    fetched = failed = 0
    processes = settings.MAILADMIN_FETCHMAIL_PROCESSES
    with ThreadPoolExecutor(processes) as pool:
        running: dict[Future[Result], Task] = {}
        tasks = iter_claimed(ignores_interval)
        while True:
            while len(running) < processes and (task := next(tasks, None)):
                running[pool.submit(run_entry, task.entry, task.seen_messages)] = task
            if not running:
                return Totals(fetched, failed)
            done, _waiting = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                task, result = running.pop(future), future.result()
                record_result(task, result)
                fetched, failed = fetched + result.is_success, failed + (not result.is_success)


def iter_claimed(ignores_interval: bool) -> Iterator[Task]:
    """Yield the entries that are due and that no other process has leased."""
    rows = Fetchmail.objects.filter(active=True, mailbox__active=True, mailbox__domain__active=True)
    for page in iter_pages(rows):
        for row in page:
            if (ignores_interval or is_due(row)) and (task := claim(row, ignores_interval)):
                yield task


def is_due(entry: Fetchmail) -> bool:
    """Return whether the interval since the last run has passed."""
    if not is_known_date(entry.date):
        return True
    return entry.date + datetime.timedelta(minutes=entry.poll_time) <= timezone.now()


def claim(entry: Fetchmail, ignores_interval: bool) -> Task | None:
    """Lease an entry, and return it as it is now; None if it is leased or no longer due."""
    new = FetchmailRun(entry_id=entry.pk, until=timezone.now())
    FetchmailRun.objects.bulk_create([new], ignore_conflicts=True)
    holder, rows = create_holder(), FetchmailRun.objects.filter(entry=entry.pk)
    seconds = datetime.timedelta(seconds=settings.MAILADMIN_FETCHMAIL_SECONDS)
    if not claim_rows(rows, holder, seconds + LEASE_MARGIN):
        return None
    run = FetchmailRun.objects.select_related("entry").get(entry=entry.pk)
    if run.entry.active and (ignores_interval or is_due(run.entry)):
        return Task(run.entry, holder, run.seen_messages or "")
    release_rows(rows, holder)
    return None


def run_entry(entry: Fetchmail, seen_messages: str) -> Result:
    """Run fetchmail for one entry; it does not use the database."""
    try:
        password = decode_password(entry.src_password)
        control = build_run_control(entry, find_address(entry.src_server), password)
    except UnusableEntry as error:
        return Result(None, str(error), seen_messages)
    except ValueError:
        return Result(None, "the stored password cannot be read", seen_messages)
    with tempfile.TemporaryDirectory(prefix="fetchmail-") as folder:  # for this user alone
        seen = Path(folder, "seen")
        seen.touch(0o600)
        seen.write_text(seen_messages)
        code, output = run_program(control, Path(folder))
        text = output.replace(password, "…") if password else output
        noted = read_seen(seen, "" if code in SUCCESSES else seen_messages)
        return Result(code, shorten(text), noted)


def read_seen(path: Path, default: str) -> str:
    """Return what fetchmail has noted; it deletes the file if it has nothing to note."""
    if not path.exists():
        return default
    return path.read_text(errors="replace")[:MAX_SEEN_LENGTH]


def run_program(control: str, folder: Path) -> tuple[int | None, str]:
    """Run fetchmail in a folder of its own; return its code and what it said."""
    arguments = [
        settings.MAILADMIN_FETCHMAIL_PROGRAM,
        *("--fetchmailrc", "-", "--idfile", str(folder / "seen"), "--nosyslog"),
        *("--pidfile", str(folder / "pid"), "--timeout", str(TIMEOUT_SECONDS)),
    ]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "FETCHMAILHOME": str(folder),
        "LC_ALL": "C.UTF-8",
    }
    try:
        process = subprocess.Popen(  # noqa: S603 (none of the arguments is an entry's)
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
    except OSError as error:
        return None, f"{arguments[0]} cannot be started: {error.strerror}"
    try:
        output, _errors = process.communicate(
            control.encode(), timeout=settings.MAILADMIN_FETCHMAIL_SECONDS
        )
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None, f"it took longer than {settings.MAILADMIN_FETCHMAIL_SECONDS} s and was ended"
    return process.returncode, output.decode(errors="replace")


def shorten(text: str) -> str:
    """Return the end of a text, which says what went wrong, in characters that are shown."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    shown = [line for line in lines if line.isprintable() and line]
    return "\n".join(shown[-MAX_TEXT_LINES:])[-MAX_TEXT_LENGTH:]


def record_result(task: Task, result: Result) -> None:
    """Write time and result to the entry, as long as this process holds its lease."""
    now = timezone.now()
    values = {
        "until": now,
        "holder": "",
        "failures": 0 if result.is_success else F("failures") + 1,
        "seen_messages": result.seen_messages,
    }
    held = FetchmailRun.objects.filter(entry=task.entry.pk, holder=task.holder)
    if not retry_on_deadlock(lambda: held.update(**values)):
        logger.warning("fetchmail entry %s: the lease was lost", task.entry.pk)
        return
    text = result.text.encode("latin-1", "replace").decode("latin-1")
    entry = Fetchmail.objects.filter(pk=task.entry.pk)
    retry_on_deadlock(lambda: entry.update(date=now, returned_text=text))
    if result.is_success:
        logger.info("fetchmail entry %s: done", task.entry.pk)
    else:
        logger.warning("fetchmail entry %s: %s", task.entry.pk, result.text)
