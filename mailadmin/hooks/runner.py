"""Run the scripts and requests that are due; the worker does this between jobs."""

import datetime
import logging

from django.conf import settings
from django.utils import timezone

from mailadmin.db.retry import retry_on_deadlock
from mailadmin.hooks.events import SEAL_PURPOSE, get_command
from mailadmin.hooks.models import HookDelivery
from mailadmin.hooks.scripts import run_script
from mailadmin.hooks.webhooks import send_request
from mailadmin.jobs.queued_rows import claim_row, get_next_attempt, update_held
from mailadmin.sealing import unseal_text

logger = logging.getLogger("mailadmin.hooks")

PAUSE = datetime.timedelta(minutes=1)  # of a webhook that failed


def run_next_delivery() -> bool:
    """Run what has been due for longest; return whether there was something."""
    delivery = claim_row(HookDelivery)
    if delivery is None:
        return False
    values = run_delivery(delivery) if delivery.is_script else send_delivery(delivery)
    if not update_held(delivery, **values):
        logger.warning("delivery %s: the lease was lost", delivery.pk)
    return True


def run_delivery(delivery: HookDelivery) -> dict[str, object]:
    """Run a script; return what is stored of it. It is not run again: it may have done a part."""
    command = get_command(delivery.target)
    if not command:
        return finish(HookDelivery.State.FAILED, None, "The setting of this script is empty now.")
    secret_input = unseal_text(delivery.sealed_input, SEAL_PURPOSE) if delivery.sealed_input else ""
    if delivery.sealed_input and not secret_input:
        text = "The input cannot be decrypted: MAILADMIN_SECRET_KEY was changed."
        return finish(HookDelivery.State.FAILED, None, text)
    seconds = settings.MAILADMIN_SCRIPT_SECONDS
    code, output = run_script([*command, *delivery.arguments], secret_input, seconds)
    if code == 0:
        logger.info("%s after %s %s: done", delivery.target, delivery.event, delivery.key)
        return finish(HookDelivery.State.DONE, code, output)
    logger.warning("%s after %s %s failed", delivery.target, delivery.event, delivery.key)
    return finish(HookDelivery.State.FAILED, code, output)


def send_delivery(delivery: HookDelivery) -> dict[str, object]:
    """Send a request; return what is stored of it. It is tried for a day."""
    if delivery.target not in settings.MAILADMIN_WEBHOOKS:
        return finish(HookDelivery.State.FAILED, None, "MAILADMIN_WEBHOOKS no longer has this URL.")
    response = send_request(delivery)
    if response.is_success:
        return finish(HookDelivery.State.DONE, response.code, response.output)
    logger.warning("webhook %s: %s %s", delivery.target, response.code, response.output)
    now = timezone.now()
    postpone_others(delivery, now + PAUSE)
    due = get_next_attempt(delivery, now)
    if due is None:
        return finish(HookDelivery.State.FAILED, response.code, response.output)
    state = HookDelivery.State.WAITING
    return {"state": state, "due": due, "code": response.code, "output": response.output}


def postpone_others(delivery: HookDelivery, moment: datetime.datetime) -> None:
    """Leave a webhook that failed alone for a while, so that it does not hold up everything."""
    others = HookDelivery.objects.filter(
        target=delivery.target, state=HookDelivery.State.WAITING, due__lt=moment
    )
    retry_on_deadlock(lambda: others.update(due=moment))


def finish(state: str, code: int | None, output: str) -> dict[str, object]:
    return {
        "state": state,
        "code": code,
        "output": output,
        "finished": timezone.now(),
        "sealed_input": "",
    }
