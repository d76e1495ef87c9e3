"""The panel as a WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

from mailadmin.mysql import patience

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailadmin.settings")

application = get_wsgi_application()
patience.allow(patience.PAGE)
