"""Requests for a link: counted and stored by the page, answered by the worker.

The page does the same for every name, so its answer and its time say nothing about accounts.
"""

import datetime
import logging

from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest
from django.utils import timezone

from mailadmin.accounts.backends import PRINCIPAL_BACKENDS
from mailadmin.accounts.models import Principal
from mailadmin.accounts.networks import get_client_network
from mailadmin.accounts.recovery.links import RECOVERY, create_link
from mailadmin.accounts.recovery.models import RecoveryRequest
from mailadmin.accounts.recovery.policy import can_recover, get_recovery_address
from mailadmin.accounts.requests import as_panel_request
from mailadmin.accounts.signed_in import describe_device
from mailadmin.accounts.throttling import TooManyLoginFailures, increment_failures
from mailadmin.changes.perform import Actor, Changes, ConsolePrincipal, perform
from mailadmin.changes.records import get_row_domain
from mailadmin.mails.notices import build_notice
from mailadmin.mails.queue import queue_mails
from mailadmin.names import hash_account

logger = logging.getLogger("mailadmin.auth")

REQUEST_WINDOW = datetime.timedelta(hours=1)
MAX_REQUESTS_PER_NAME = 5  # so that nobody's mailbox is filled by others
MAX_REQUESTS_PER_NETWORK = 30
ACTOR_NAME = "recovery"  # in the log


def add_request(request: HttpRequest, name: str) -> None:
    """Count a request and store it; raise TooManyLoginFailures above the limits."""
    address = as_panel_request(request).client_address
    count_request(get_client_network(address), name)
    device = describe_device(request.headers.get("User-Agent", ""))
    RecoveryRequest.objects.create(name=name, address=address[:64], device=device)


def count_request(network: str, name: str) -> None:
    gate = f"recovery-network:{network}"
    limits = {
        gate: MAX_REQUESTS_PER_NETWORK,
        f"recovery:{hash_account('', name)}": MAX_REQUESTS_PER_NAME,
    }
    counts = increment_failures(limits, gate, REQUEST_WINDOW)
    starts = [since for key, (count, since) in counts.items() if count > limits[key]]
    if starts:
        remaining = (max(starts) + REQUEST_WINDOW - timezone.now()).total_seconds()
        raise TooManyLoginFailures(max(1, int(remaining) + 1))


def answer_next_request() -> bool:
    """Send the links of the request that waits longest; return whether there was one."""
    waiting = RecoveryRequest.objects.order_by("pk").first()
    if waiting is None:
        return False
    try:
        perform(Actor(ConsolePrincipal(), ACTOR_NAME, waiting.address), answer_request, waiting)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # a request that cannot be answered must not stop all others
        if not isinstance(error, ValidationError):  # such as of a row deleted meanwhile
            logger.exception("a request for a recovery link")
        RecoveryRequest.objects.filter(pk=waiting.pk).delete()
    return True


def answer_request(changes: Changes, waiting: RecoveryRequest) -> None:
    """Send a link to each person of the name who has an address elsewhere, and delete the request.

    Of several workers one does so. A link that comes too late would surprise its reader.
    """
    deleted, _by_model = RecoveryRequest.objects.filter(pk=waiting.pk).delete()
    if not deleted or waiting.requested < timezone.now() - REQUEST_WINDOW:
        return
    for backend in PRINCIPAL_BACKENDS:
        person = backend().find_principal(waiting.name)
        if person is not None:
            send_recovery_link(changes, person, waiting)


def send_recovery_link(changes: Changes, person: Principal, waiting: RecoveryRequest) -> None:
    person = changes.find_one(type(person), person.pk)
    recipient = get_recovery_address(person) if person.is_active and can_recover(person) else ""
    if not recipient:
        return
    values = {"address": waiting.address, "device": waiting.device, "when": waiting.requested}
    values["link"] = create_link(changes, person, RECOVERY)
    queue_mails("recovery_link", [build_notice(person, "recovery_link", values, recipient)])
    changes.log("request_recovery", get_row_domain(person), person.pk)


def purge_requests() -> None:
    """Delete requests that no worker has answered in time."""
    RecoveryRequest.objects.filter(requested__lt=timezone.now() - REQUEST_WINDOW).delete()
