"""The panel as a WSGI application."""

import os
import re

from django.core.wsgi import get_wsgi_application

from mailadmin.db.mysql import timeouts

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailadmin.settings")

django_application = get_wsgi_application()
CHARSET_RE = re.compile(r";\s*charset\s*=[^;]*", re.IGNORECASE)


def application(environ, start_response):
    """Django decodes by whatever charset a request names, and some are no charsets of texts.

    We have no use for any but UTF-8, in forms as in JSON.
    """
    environ["CONTENT_TYPE"] = CHARSET_RE.sub("", environ.get("CONTENT_TYPE", ""))
    return django_application(environ, start_response)


timeouts.activate(timeouts.PAGE_SECONDS)
