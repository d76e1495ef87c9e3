"""The panel as a WSGI application."""

import os
import re

from django.core.wsgi import get_wsgi_application

from mailadmin.db.mysql import timeouts

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailadmin.settings")

panel = get_wsgi_application()
CHARSET = re.compile(r";\s*charset\s*=[^;]*", re.IGNORECASE)


def application(environ, start_response):
    """Django decodes by whatever charset a request names, and some are no charsets of texts.

    We have no use for any but UTF-8, in forms as in JSON.
    """
    environ["CONTENT_TYPE"] = CHARSET.sub("", environ.get("CONTENT_TYPE", ""))
    return panel(environ, start_response)


timeouts.allow(timeouts.PAGE)
