"""What the worker cleans up."""

import datetime

from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from mailadmin.accounts.models import KnownNetwork, LoginFailure, SessionEpoch
from mailadmin.accounts.throttling import WINDOW
from mailadmin.api.models import RequestCount, StoredResponse
from mailadmin.changes.models import ChangeSecret
from mailadmin.changes.perform import again_on_deadlock
from mailadmin.db.bulk import ROWS_A_STATEMENT
from mailadmin.jobs.models import Job, WorkerSign

RESPONSE_TTL = datetime.timedelta(days=1)  # of requests with an Idempotency-Key
DRAFTS_KEPT = datetime.timedelta(days=1)
NETWORKS_KEPT = datetime.timedelta(days=180)
EPOCHS_KEPT = datetime.timedelta(days=7)  # longer than any session lives
SIGNS_KEPT = datetime.timedelta(days=7)  # of a machine that is gone for good


def forget():
    """Secrets of what was deleted long ago, old sessions and signs, failures that count no more."""
    now = timezone.now()
    kept = now - datetime.timedelta(days=settings.MAILADMIN_UNDO_DAYS)
    delete(ChangeSecret.objects.filter(at__lt=kept))
    delete(Job.objects.filter(state=Job.State.DRAFT, created__lt=now - DRAFTS_KEPT))
    delete(WorkerSign.objects.filter(seen__lt=now - SIGNS_KEPT))
    delete(LoginFailure.objects.filter(since__lt=now - WINDOW))
    delete(KnownNetwork.objects.filter(seen__lt=now - NETWORKS_KEPT))
    delete(RequestCount.objects.filter(window_start__lt=now - WINDOW))
    delete(Session.objects.filter(expire_date__lt=now))
    delete(StoredResponse.objects.filter(at__lt=now - RESPONSE_TTL))
    delete(SessionEpoch.objects.filter(at__lt=now - EPOCHS_KEPT))


def delete(rows):
    """Some at a time: a cluster takes a transaction as a whole, and all its nodes wait for it.

    The workers of several machines do this at once, so one of them may have to try again.
    """
    keys = rows.order_by().values_list("pk", flat=True)
    while some := list(keys[:ROWS_A_STATEMENT]):
        again_on_deadlock(rows.model._base_manager.filter(pk__in=some).delete)
