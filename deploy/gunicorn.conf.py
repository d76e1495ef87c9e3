"""gunicorn's settings, for `deploy/run` and for `deploy/mailadmin.service`."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailadmin.settings")
from django.conf import settings  # noqa: E402

wsgi_app = "mailadmin.wsgi"
bind = settings.MAILADMIN_BIND
worker_class = "gthread"
workers = 2
threads = 4
timeout = 60
graceful_timeout = 20
loglevel = "warning"
control_socket_disable = True
# Who may say that a request came by https: the proxies named, or else one on this machine.
forwarded_allow_ips = ",".join(map(str, settings.MAILADMIN_TRUSTED_PROXIES)) or "127.0.0.1,::1"


def post_worker_init(worker):
    """Say where the panel is as soon as it answers there."""
    if worker.age == 1:
        print(f"mailadmin: {settings.MAILADMIN_URL or address()}", flush=True)


def address():
    if settings.MAILADMIN_BIND.startswith("unix:"):
        return settings.MAILADMIN_BIND
    return f"http://{settings.MAILADMIN_BIND.replace('0.0.0.0', 'localhost')}/"  # noqa: S104
