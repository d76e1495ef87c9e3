"""The switch of the language, which is also that of the mails to the person."""

import contextlib

from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.i18n import set_language

from mailadmin.accounts.models import Principal
from mailadmin.mails.languages import remember_language


def switch_language(request: HttpRequest) -> HttpResponseBase:
    """Switch the language as Django does, and remember it for mails to a signed-in person.

    This page replaces nobody's user: a superadmin who views the panel as another person switches
    the language of their own mails. It switches even if the database can write nothing now.
    """
    response = set_language(request)
    chosen = response.cookies.get(settings.LANGUAGE_COOKIE_NAME)
    if chosen is not None:
        with contextlib.suppress(OperationalError):
            if isinstance(request.user, Principal):
                remember_language(request.user, chosen.value)
    return response
