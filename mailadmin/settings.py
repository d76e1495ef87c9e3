"""Django's settings, computed from the environment; `conf.settings_table` has the variables."""

import contextlib
import logging
import os
import secrets
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.utils.log import CallbackFilter

from mailadmin import __version__, conf
from mailadmin.db.mysql import timeouts

BASE_DIR = conf.BASE_DIR
ENV = conf.read_settings()
conf.check_combinations(ENV)
globals().update(ENV)  # every MAILADMIN_… variable is a setting of the same name

DEBUG = ENV["MAILADMIN_DEBUG"]
ROOT_URLCONF = "mailadmin.urls"
FORM_RENDERER = "mailadmin.form_renderer.WidgetRenderer"
WSGI_APPLICATION = "mailadmin.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
    "crispy_forms",
    "mailadmin",
    "domains",
    "mailboxes",
]
MIDDLEWARE = [
    "mailadmin.observability.middleware.ObservabilityMiddleware",
    "mailadmin.accounts.middleware.ClientAddressMiddleware",
    "mailadmin.foreign_hosts.ForeignHostMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "mailadmin.accounts.middleware.NoStoreMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "mailadmin.accounts.external_login.OriginMiddleware",
    "mailadmin.accounts.middleware.SignedInSessionMiddleware",
    "mailadmin.accounts.view_as.ViewAsMiddleware",
    "mailadmin.accounts.middleware.LoginRequiredMiddleware",
    "mailadmin.accounts.middleware.RequiredStepMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "mailadmin.context_processors.panel_context",
            ],
            "libraries": {"i18n": "mailadmin.templatetags.cached_i18n"},
        },
    },
]

# Database


def build_database(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of the URL with the options that every connection of its kind has."""
    if entry["ENGINE"] == "django.db.backends.sqlite3":
        return configure_sqlite(entry)
    return configure_mysql(entry)


def configure_sqlite(entry: dict[str, Any]) -> dict[str, Any]:
    folder = entry["NAME"].parent
    if not os.access(folder, os.W_OK | os.X_OK):
        conf.exit_with_error(
            f"MAILADMIN_DATABASE_URL: the folder {folder} is missing or not writable"
        )
    with contextlib.suppress(
        FileExistsError
    ):  # created here, since SQLite would make it readable for others
        os.close(os.open(entry["NAME"], os.O_CREAT | os.O_EXCL, 0o600))
    return entry | {
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        },
    }


def configure_mysql(entry: dict[str, Any]) -> dict[str, Any]:
    if not find_spec("MySQLdb"):
        conf.exit_with_error(
            "MAILADMIN_DATABASE_URL is a MySQL URL, which needs the package mysqlclient:"
            " apt install gcc pkg-config python3-dev libmariadb-dev && pip install"
            " mysqlclient"
        )
    return entry | {
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "charset": "utf8mb4",
            "isolation_level": "read committed",
            # The client's defaults run "SELECT 1; DELETE …" and let a server ask for files.
            "multi_statements": False,
            "local_infile": 0,
            "connect_timeout": 3,  # for each host
            **timeouts.driver_options(timeouts.COMMAND_SECONDS),
            **entry["OPTIONS"],
        },
        "TEST": {"CHARSET": "utf8mb4"},
    }


DATABASES = {
    "default": build_database(ENV["MAILADMIN_DATABASE_URL"])
    # PostfixAdmin writes the server's local time.
    | {"TIME_ZONE": ENV["MAILADMIN_TIME_ZONE"]}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# This check wants a length for unique generated text columns, which have one: 255.
SILENCED_SYSTEM_CHECKS = ["mysql.W003"]
SILENCED_SYSTEM_CHECKS += ["templates.W003"]  # the library `i18n` is meant to replace Django's
# How far browsers are bound to HTTPS is the operator's choice: MAILADMIN_HSTS.
SILENCED_SYSTEM_CHECKS += ["security.W004", "security.W005", "security.W021"]


# Secret key


def load_secret_key() -> str:
    if key := ENV["MAILADMIN_SECRET_KEY"]:
        if len(key) < 50:
            conf.print_warning(
                "MAILADMIN_SECRET_KEY is shorter than 50 characters; generate one with"
                " `openssl rand -hex 32`"
            )
        return key
    if DATABASES["default"]["ENGINE"] != "django.db.backends.sqlite3":
        conf.exit_with_error(
            "MAILADMIN_SECRET_KEY is required with MySQL; generate one with `openssl rand -hex 32`"
        )
    return read_secret_key_file(DATABASES["default"]["NAME"])


def read_secret_key_file(name: Path) -> str:
    """Return the key stored beside the SQLite database; two first starts agree on one."""
    path = Path(f"{name}.secret-key")
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name) as new:
            new.write(secrets.token_urlsafe(48))
            new.flush()
            with contextlib.suppress(FileExistsError):  # another start was first
                os.link(new.name, path)
    try:
        return path.read_text(encoding="ascii")
    except OSError as error:
        conf.exit_with_error(f"MAILADMIN_SECRET_KEY is not set, and {path}: {error.strerror}")


SECRET_KEY = load_secret_key()


# Users and their sessions

AUTH_USER_MODEL = "domains.Admin"
AUTHENTICATION_BACKENDS = [
    "mailadmin.accounts.backends.AdminBackend",
    "mailadmin.accounts.backends.MailboxBackend",
]
AUTH_PASSWORD_VALIDATORS: list[dict[str, str]] = []
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
SESSION_ENGINE = "mailadmin.accounts.sessions"
SESSION_COOKIE_NAME = "mailadmin_session"
SESSION_COOKIE_AGE = 8 * 60 * 60
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"


# The web

URL = urlsplit(ENV["MAILADMIN_URL"] or "")
HTTPS = URL.scheme == "https"
ALLOWED_HOSTS = [*ENV["MAILADMIN_ALLOWED_HOSTS"], *filter(None, [URL.hostname])]
CSRF_TRUSTED_ORIGINS = [*filter(None, [ENV["MAILADMIN_URL"]])]
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [
    r"^healthz$",
    r"^readyz$",
    r"^metrics$",
    # The host names of customers, for which there may be no certificate.
    r"^(\.well-known/autoconfig/)?mail/config-v1\.1\.xml$",
    r"^(?i:autodiscover/)",
]  # for monitors, which connect without the proxy, and for mail programs
HSTS = ENV["MAILADMIN_HSTS"] if HTTPS else "no"
SECURE_HSTS_SECONDS = 31536000 if HSTS != "no" else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HSTS in ("subdomains", "preload")
SECURE_HSTS_PRELOAD = HSTS == "preload"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if ENV["MAILADMIN_TRUSTED_PROXIES"]:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],  # Bootstrap's stylesheet has its small icons so
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000


# Static files: their address changes with the version, so that browsers may keep them for good

STATIC_URL = f"/static/{__version__}/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False


def WHITENOISE_IMMUTABLE_FILE_TEST(path: str, url: str) -> bool:
    return not DEBUG


CRISPY_ALLOWED_TEMPLATE_PACKS = CRISPY_TEMPLATE_PACK = "panel"


# Languages and time

LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("ru", "Русский")]
LANGUAGE_CODE = ENV["MAILADMIN_LANGUAGE"]
LOCALE_PATHS = [BASE_DIR / "mailadmin" / "locale"]
USE_THOUSAND_SEPARATOR = True
FORMAT_MODULE_PATH = ["mailadmin.formats"]
USE_TZ = True
TIME_ZONE = ENV["MAILADMIN_TIME_ZONE"]


# Mail and the log

globals().update(ENV["MAILADMIN_SMTP_URL"])
EMAIL_BACKEND = "mailadmin.email_backend.EmailBackend"
EMAIL_TIMEOUT = 20


def drop_traceback(record: logging.LogRecord) -> bool:
    """Drop the traceback of a request with a wrong host, which helps nobody."""
    record.exc_info = None
    return True


LOG_FORMATTER = {"format": ENV["MAILADMIN_LOG_FORMAT"]}
if ENV["MAILADMIN_LOG_FORMAT"] == "json":
    LOG_FORMATTER = {"()": "mailadmin.observability.log_records.JsonFormatter"}
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "brief": {"()": CallbackFilter, "callback": drop_traceback},
        "request": {"()": "mailadmin.observability.log_records.LogContextFilter"},
        "answer": {"()": "mailadmin.observability.log_records.PathRedactingFilter"},
    },
    "formatters": {"line": LOG_FORMATTER},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["request"],
        }
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        name: {"handlers": ["stderr"], "level": ENV["MAILADMIN_LOG_LEVEL"], "propagate": False}
        for name in ("mailadmin", "domains", "mailboxes", "django")
    },
}
LOGGING["loggers"] |= {
    "django.db.backends": {"level": "INFO"},  # statements carry secrets
    "django.security.DisallowedHost": {"filters": ["brief"]},
    "django.request": {"filters": ["answer"]},
    "django.security.csrf": {"filters": ["answer"]},
}
