"""A panel that starts with given variables."""

import os
import subprocess
import sys

from mailadmin import conf

ROOT = conf.BASE_DIR
KEY = "0123456789" * 6
HTTPS = "https://panel.example.org"
SHOW = "from mailadmin import settings; print(settings.{})"


def panel(*arguments, **environ):
    """Run Python with only a database, a key and the given variables for the panel."""
    ours = ("MAILADMIN_", "DJANGO_")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    bare |= {
        "MAILADMIN_ENV_FILE": "/dev/null",
        "MAILADMIN_DATABASE_URL": os.environ["TEST_DATABASE_URL"],
        "MAILADMIN_SECRET_KEY": KEY,
    }
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=bare | environ, capture_output=True, text=True
    )


def value(name, given):
    return conf.read_settings({name: given, "MAILADMIN_ENV_FILE": "/dev/null"})[name]
