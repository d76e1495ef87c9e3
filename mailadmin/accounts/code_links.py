"""Links whose code lets somebody do one thing without signing in."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.generic import View

from mailadmin.accounts.models import Role
from mailadmin.sealing import seal_text, unseal_text

PURPOSE = b"code-link"


@method_decorator(login_not_required, name="dispatch")
class CodeLinkView(View):
    """Open a link: its code moves into the session, encrypted, out of the address of the page.

    Opening it changes nothing, as mail servers and browsers look at links as well.
    """

    roles = Role.ANYONE
    http_method_names = ["get", "head"]  # noqa: RUF012 (as of Django)
    session_key = ""
    page = ""  # the name of the URL that the link leads to

    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        if self.is_open(code):
            request.session[self.session_key] = seal_text(code, PURPOSE)
        else:
            request.session.pop(self.session_key, None)
        return redirect(self.page)

    def is_open(self, code: str) -> bool:
        """Return whether the link of this code can be used now."""
        raise NotImplementedError


def get_opened_code(request: HttpRequest, session_key: str) -> str:
    """Return the code of the link that was opened in this browser; empty if there is none."""
    return unseal_text(request.session.get(session_key, ""), PURPOSE)
