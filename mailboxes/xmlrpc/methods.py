"""The methods of PostfixAdmin's `xmlrpc.php`, by its names and with its values.

As there, a value that is not accepted makes a method return False; the log says why.
"""

import datetime
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from mailadmin.accounts.login import open_session
from mailadmin.accounts.rehash import rehash_password
from mailadmin.changes.perform import Actor, perform
from mailadmin.db.fields import is_known_date
from mailadmin.tables.forms import ConflictCheckedForm
from mailboxes.models import Alias, Mailbox, Vacation
from mailboxes.owner.forms import ForwardingForm, PasswordChangeForm
from mailboxes.owner.password_sign_in import try_password
from mailboxes.services.vacations import set_vacations
from mailboxes.vacations.access import get_vacation_roles
from mailboxes.vacations.forms import MAX_TIMESTAMP_DATE, VacationForm

logger = logging.getLogger("mailadmin.xmlrpc")

DATE_FORMAT = "%Y-%m-%d %H:%M:%S"
LAST_DAY = MAX_TIMESTAMP_DATE.isoformat()  # PostfixAdmin's own default is none that MySQL stores


def sign_in(request: HttpRequest, username: str, password: str) -> bool:
    """Open a session of a mailbox owner, as far as a password alone is enough."""
    attempt, mailbox = try_password(request, username, password)
    if mailbox is None:
        return False
    request.session.flush()
    rehash_password(request, mailbox, password)
    open_session(request, attempt, mailbox)
    return True


# Methods of a mailbox owner who is signed in


def check_user(request: HttpRequest, username: str, password: str) -> bool:
    attempt, mailbox = try_password(request, username, password)
    if mailbox is not None:
        attempt.record_success(mailbox.account_key)
    return mailbox is not None


def change_password(request: HttpRequest, old: str, new: str) -> bool:
    values = {"old_password": old, "password": new, "password2": new}
    return save(PasswordChangeForm, values, get_actor(request), request=request)


def is_vacation_supported(request: HttpRequest) -> bool:
    return Mailbox.role in get_vacation_roles()


def check_vacation(request: HttpRequest) -> bool:
    """Return whether replies are sent, now or later."""
    vacation = Vacation.objects.filter(pk=get_mailbox(request).pk).first()
    return vacation is not None and vacation.active


def get_vacation(request: HttpRequest) -> dict[str, Any] | bool:
    vacation = Vacation.objects.filter(pk=get_mailbox(request).pk).first()
    if vacation is None:
        return False
    return {
        "subject": vacation.subject,
        "body": vacation.body,
        "active": vacation.active,
        "interval_time": vacation.interval_time,
        "activeFrom": format_date(vacation.activefrom),
        "activeUntil": format_date(vacation.activeuntil),
    }


def set_away(
    request: HttpRequest,
    subject: str,
    body: str,
    interval: int = 0,
    start: str = "",
    end: str = "",
) -> bool:
    if not is_vacation_supported(request):
        return False
    values = {
        "active": "on",
        "subject": subject,
        "body": body,
        "interval_time": interval,
        "activefrom": parse_moment(start) or timezone.now(),
        "activeuntil": parse_moment(end or LAST_DAY),
    }
    return save(VacationForm, values, get_actor(request), mailbox=get_mailbox(request))


def remove_vacation(request: HttpRequest) -> bool:
    """End the replies; subject and text are kept."""
    vacation = Vacation.objects.filter(pk=get_mailbox(request).pk).first()
    if vacation is None or not is_vacation_supported(request):
        return False
    actor = get_actor(request)
    try:  # without the form, which asks for more than PostfixAdmin does
        perform(actor, set_vacations, [vacation.pk], "active", False)
    except ValidationError as error:
        log_refusal(actor, "active", error.messages)
        return False
    return True


def get_targets(request: HttpRequest) -> list[str]:
    """Return where mail is forwarded, without the mailbox itself and the vacation reply."""
    alias = Alias.objects.filter(pk=get_mailbox(request).pk).first()
    return alias.others if alias else []


def update_targets(request: HttpRequest, targets: list[str], flag: str) -> bool:
    if not settings.MAILADMIN_EDIT_ALIAS or flag not in ("forward_and_store", "remote_only"):
        return False
    values = {"goto": "\n".join(targets)}
    if flag == "forward_and_store":
        values["goto_mailbox"] = "on"
    return save(ForwardingForm, values, get_actor(request), mailbox=get_mailbox(request))


def keeps_copy(request: HttpRequest) -> bool:
    alias = Alias.objects.filter(pk=get_mailbox(request).pk).first()
    return alias is None or alias.keeps_copy


LOGIN_METHODS: Mapping[str, Callable[..., Any]] = {"login": sign_in}
OWNER_METHODS: Mapping[str, Callable[..., Any]] = {
    "user.login": check_user,
    "user.changePassword": change_password,
    "vacation.isVacationSupported": is_vacation_supported,
    "vacation.checkVacation": check_vacation,
    "vacation.getDetails": get_vacation,
    "vacation.setAway": set_away,
    "vacation.remove": remove_vacation,
    "alias.get": get_targets,
    "alias.update": update_targets,
    "alias.hasStoreAndForward": keeps_copy,
}


def get_mailbox(request: HttpRequest) -> Mailbox:
    """Return the mailbox whose owner is signed in."""
    mailbox = request.user
    if not isinstance(mailbox, Mailbox):
        raise TypeError("this method is for mailbox owners who are signed in")
    return mailbox


def get_actor(request: HttpRequest) -> Actor:
    return Actor.of_person(request, get_mailbox(request))


def save(
    form_class: type[ConflictCheckedForm],
    values: Mapping[str, Any],
    actor: Actor,
    **options: Any,
) -> bool:
    """Save what the owner's own page of this form would save; log why it is refused."""
    seen = form_class(actor=actor, **options).initial.get("seen", "")
    form: Any = form_class(data={**values, "seen": seen}, actor=actor, **options)
    if form.is_valid() and form.save() is not None:
        return True
    for field, errors in form.errors.items():
        log_refusal(actor, field, errors)
    return False


def log_refusal(actor: Actor, field: str, errors: Iterable[str]) -> None:
    logger.warning("refused for %s: %s: %s", actor.principal.pk, field, "; ".join(errors))


def parse_moment(text: str) -> datetime.datetime | None:
    """Return a date, with or without a time, in the panel's time zone; None if it is none."""
    try:
        moment = parse_datetime(text)
        if moment is None and (day := parse_date(text)):
            moment = datetime.datetime.combine(day, datetime.time())
    except ValueError:
        return None
    return timezone.make_aware(moment) if moment and timezone.is_naive(moment) else moment


def format_date(moment: datetime.datetime | None) -> str:
    """Return a date as the database stores it."""
    if moment is None or not is_known_date(moment):
        return "2000-01-01 00:00:00"
    return timezone.localtime(moment).strftime(DATE_FORMAT)
