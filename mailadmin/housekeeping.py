"""What the worker cleans up."""

import datetime

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from mailadmin.auth import WINDOW
from mailadmin.models import ChangeSecret, Job, LoginFailure, WorkerSign

DRAFTS_KEPT = datetime.timedelta(days=1)
SIGNS_KEPT = datetime.timedelta(days=7)  # of a machine that is gone for good


def forget():
    """Secrets of what was deleted long ago, old sessions and signs, failures that count no more."""
    now = timezone.now()
    kept = now - datetime.timedelta(days=settings.MAILADMIN_UNDO_DAYS)
    ChangeSecret.objects.filter(at__lt=kept).delete()
    Job.objects.filter(state=Job.State.DRAFT, created__lt=now - DRAFTS_KEPT).delete()
    WorkerSign.objects.filter(seen__lt=now - SIGNS_KEPT).delete()
    LoginFailure.objects.filter(since__lt=now - WINDOW).delete()
    SessionStore.clear_expired()
