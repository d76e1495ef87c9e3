"""gunicorn's settings, for `deploy/run` and for `deploy/mailadmin.service`."""

import ctypes
import gc
import os
import shutil
import signal
import tempfile
from importlib import import_module
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailadmin.settings")
from django.conf import settings  # noqa: E402

# Where the workers keep what they count, for whichever of them is asked for /metrics.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="mailadmin-metrics-")

PR_SET_PDEATHSIG = 1
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
if settings.MAILADMIN_LOG_FORMAT == "json":
    logconfig_dict = settings.LOGGING | {
        "loggers": {"gunicorn.error": {"handlers": ["stderr"], "propagate": False}}
    }


def post_fork(server, worker):
    """End with the process that leads the workers, should it be killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def when_ready(server):
    """Load the panel before the workers are forked: they share the memory of what is loaded."""
    from mailadmin import wsgi  # noqa: F401 (sets Django up, which the pages need)

    import_module(settings.ROOT_URLCONF)
    gc.freeze()  # a collection in a worker would copy the memory of all that it looks at


def post_worker_init(worker):
    """Say where the panel is as soon as it answers there."""
    gc.set_threshold(50_000, 20, 50)
    if worker.age == 1:
        print(f"mailadmin: {settings.MAILADMIN_URL or address()}", flush=True)


def address():
    if settings.MAILADMIN_BIND.startswith("unix:"):
        return settings.MAILADMIN_BIND
    return f"http://{settings.MAILADMIN_BIND.replace('0.0.0.0', 'localhost')}/"  # noqa: S104


def child_exit(server, worker):
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def on_exit(server):
    """The folder is ours, unless somebody has named one."""
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    if folder.name.startswith("mailadmin-metrics-"):
        shutil.rmtree(folder, ignore_errors=True)
