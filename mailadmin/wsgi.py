"""The panel as a WSGI application."""

import os
import re
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from mailadmin.db.mysql import timeouts

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailadmin.settings")

django_application = get_wsgi_application()
if settings.MAILADMIN_OIDC_ISSUER:  # before workers are forked, which share the memory of it
    import mailadmin.accounts.oidc.code_flow
    import mailadmin.accounts.oidc.logout_tokens  # noqa: F401
CHARSET_RE = re.compile(r";\s*charset\s*=[^;]*", re.IGNORECASE)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Run Django, without the charset of the request's content type.

    Django decodes by whatever charset a request names, and some of them are no text encodings. The
    panel uses UTF-8 only, in forms as in JSON.
    """
    environ["CONTENT_TYPE"] = CHARSET_RE.sub("", environ.get("CONTENT_TYPE", ""))
    return django_application(environ, start_response)


timeouts.activate(timeouts.PAGE_SECONDS)
