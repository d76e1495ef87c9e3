"""A change of password by programs that have no session, such as Roundcube's `httpapi` driver."""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.forms.utils import ErrorDict
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.generic import View

from mailadmin.accounts.models import Principal
from mailadmin.accounts.throttling import TooManyLoginFailures
from mailadmin.changes.perform import Actor
from mailboxes.models import Mailbox
from mailboxes.owner.forms import PasswordChangeForm
from mailboxes.owner.password_sign_in import try_password

CONTENT_TYPE = "application/x-www-form-urlencoded"
FIELDS = ("user", "curpass", "newpass")  # as the driver's documentation names them
SUCCESS = "ok"  # which the driver's documentation expects


class PasswordApiForm(PasswordChangeForm):
    """A new password of somebody who has just been identified by their current one."""

    def clean_old_password(self) -> str:
        typed: str = self.cleaned_data["old_password"]
        return typed

    def continue_session(self, person: Principal) -> None:
        """Do nothing: a request of a program has no session."""


@method_decorator([login_not_required, csrf_exempt], name="dispatch")
@method_decorator(sensitive_post_parameters(*FIELDS), name="dispatch")
class PasswordApiView(View):
    """Change the password of a mailbox by its current one.

    There is no token against forged requests: the password is in the request, and a cookie
    counts for nothing.
    """

    roles = None
    http_method_names = ["post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.MAILADMIN_PASSWORD_API:
            raise Http404
        return super().dispatch(request, *args, **kwargs)

    @method_decorator(sensitive_variables())
    def post(self, request: HttpRequest) -> HttpResponse:
        if request.content_type != CONTENT_TYPE:
            return answer(f"Content-Type: {CONTENT_TYPE}", 415)
        user, current, new = (request.POST.get(name, "") for name in FIELDS)
        if not (user and current and new):
            return answer(_("Required: %(names)s") % {"names": ", ".join(FIELDS)}, 400)
        try:
            attempt, mailbox = try_password(request, user, current)
        except TooManyLoginFailures as error:
            return refuse_throttled(error)
        if mailbox is None:
            return answer(
                _(
                    "Incorrect address or password, or the password of this account can only be"
                    " changed in the panel."
                ),
                403,
            )
        attempt.record_success(mailbox.account_key)
        return change_password(request, mailbox, current, new)


@sensitive_variables()
def change_password(request: HttpRequest, mailbox: Mailbox, current: str, new: str) -> HttpResponse:
    """Change the password by the rules of the panel, or answer with what they refuse."""
    actor = Actor.of_person(request, mailbox)
    values = {"old_password": current, "password": new, "password2": new}
    form = PasswordApiForm(data=values, actor=actor, request=request)
    if form.is_valid() and form.save():
        return answer(SUCCESS, 200)
    return answer("\n".join(get_error_texts(form.errors)), 422)


def get_error_texts(errors: ErrorDict) -> list[str]:
    texts = (str(text) for messages in errors.values() for text in messages)
    return list(dict.fromkeys(texts))


def refuse_throttled(error: TooManyLoginFailures) -> HttpResponse:
    text = _("Too many failed attempts. Try again in %(seconds)s seconds.")
    response = answer(text % {"seconds": error.retry_after}, 429)
    response["Retry-After"] = str(error.retry_after)
    return response


def answer(text: str, status: int) -> HttpResponse:
    response = HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
    response["Cache-Control"] = "no-store"
    return response
