"""Delete what has expired; the worker runs this."""

import datetime

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.utils import timezone

from mailadmin.accounts.factors.models import CHALLENGE_SECONDS, UsedChallenge
from mailadmin.accounts.models import (
    KnownNetwork,
    LoginFailure,
    PasswordRequest,
    SessionEpoch,
    SignedInSession,
)
from mailadmin.accounts.oidc.models import ProviderSession
from mailadmin.accounts.throttling import LONGEST_WINDOW
from mailadmin.api.job_steps import CREATION_JOB_KIND
from mailadmin.api.models import RequestCount, StoredResponse
from mailadmin.api.throttling import RATE_WINDOW
from mailadmin.changes.models import ChangeSecret
from mailadmin.db.bulk import MAX_ROWS_PER_STATEMENT
from mailadmin.db.retry import retry_on_deadlock
from mailadmin.hooks.models import HookDelivery
from mailadmin.jobs.models import Job, WorkerHeartbeat
from mailadmin.jobs.queued_rows import QueuedRow
from mailadmin.mails.models import OutgoingMail, ReaderLanguage

RESPONSE_TTL = datetime.timedelta(days=1)  # for requests with an Idempotency-Key
DRAFT_TTL = datetime.timedelta(days=1)
FAILED_CREATION_TTL = datetime.timedelta(days=3)  # of new rows of the API
KNOWN_NETWORK_TTL = datetime.timedelta(days=180)
SIGNED_IN_SESSION_TTL = datetime.timedelta(days=1)  # longer than any session lasts
SESSION_EPOCH_TTL = datetime.timedelta(days=7)  # longer than any session lasts
WORKER_HEARTBEAT_TTL = datetime.timedelta(days=7)  # of machines that no longer run a worker
SENT_MAIL_TTL = datetime.timedelta(days=30)
FAILED_MAIL_TTL = datetime.timedelta(days=90)
DONE_DELIVERY_TTL = datetime.timedelta(days=30)
FAILED_DELIVERY_TTL = datetime.timedelta(days=90)
PASSWORD_REQUEST_TTL = datetime.timedelta(days=730)  # most are fulfilled long before
READER_LANGUAGE_TTL = datetime.timedelta(days=730)  # after which the next sign-in stores it again


def purge_expired() -> None:
    """Delete expired secrets, drafts, worker signs, counters, sessions and responses."""
    now = timezone.now()
    undo_start = now - datetime.timedelta(days=settings.MAILADMIN_UNDO_DAYS)
    delete_in_batches(ChangeSecret.objects.filter(at__lt=undo_start))
    delete_in_batches(Job.objects.filter(state=Job.State.DRAFT, created__lt=now - DRAFT_TTL))
    delete_in_batches(get_failed_creations(now - FAILED_CREATION_TTL))
    delete_in_batches(WorkerHeartbeat.objects.filter(seen__lt=now - WORKER_HEARTBEAT_TTL))
    delete_in_batches(LoginFailure.objects.filter(since__lt=now - LONGEST_WINDOW))
    delete_in_batches(KnownNetwork.objects.filter(seen__lt=now - KNOWN_NETWORK_TTL))
    delete_in_batches(RequestCount.objects.filter(window_start__lt=now - RATE_WINDOW))
    delete_in_batches(Session.objects.filter(expire_date__lt=now))
    delete_in_batches(SignedInSession.objects.filter(seen__lt=now - SIGNED_IN_SESSION_TTL))
    delete_in_batches(ProviderSession.objects.filter(since__lt=now - SIGNED_IN_SESSION_TTL))
    delete_in_batches(StoredResponse.objects.filter(at__lt=now - RESPONSE_TTL))
    challenge_start = now - datetime.timedelta(seconds=CHALLENGE_SECONDS)
    delete_in_batches(UsedChallenge.objects.filter(used__lt=challenge_start))
    delete_in_batches(SessionEpoch.objects.filter(at__lt=now - SESSION_EPOCH_TTL))
    delete_in_batches(PasswordRequest.objects.filter(at__lt=now - PASSWORD_REQUEST_TTL))
    delete_in_batches(ReaderLanguage.objects.filter(used__lt=now - READER_LANGUAGE_TTL))
    purge_finished(OutgoingMail, OutgoingMail.State.SENT, now - SENT_MAIL_TTL)
    purge_finished(OutgoingMail, OutgoingMail.State.FAILED, now - FAILED_MAIL_TTL)
    purge_finished(HookDelivery, HookDelivery.State.DONE, now - DONE_DELIVERY_TTL)
    purge_finished(HookDelivery, HookDelivery.State.FAILED, now - FAILED_DELIVERY_TTL)


def purge_finished(model: type[QueuedRow], state: str, before: datetime.datetime) -> None:
    """Delete rows of a queue that were finished in this state before this time."""
    delete_in_batches(model._default_manager.filter(state=state, finished__lt=before))


def get_failed_creations(before: datetime.datetime) -> QuerySet[Job]:
    """Return failed jobs that may still hold encrypted passwords of new rows."""
    return Job.objects.filter(kind=CREATION_JOB_KIND, state=Job.State.FAILED, finished__lt=before)


def delete_in_batches(rows: QuerySet) -> None:
    """Delete rows in batches: a cluster replicates a transaction as a whole, while all nodes wait.

    Workers of several machines do this at once, so one of them may have to try again.
    """
    keys = rows.order_by().values_list("pk", flat=True)
    while batch := list(keys[:MAX_ROWS_PER_STATEMENT]):
        retry_on_deadlock(rows.model._base_manager.filter(pk__in=batch).delete)
