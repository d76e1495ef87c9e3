"""The settings of scripts and webhooks, which run after changes."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from mailadmin.conf.environment_setting import EnvironmentSetting
from mailadmin.conf.parsers import integer_parser, list_parser, parse_text

# Setting, without `MAILADMIN_` and `_SCRIPT` → when it runs, with which arguments
SCRIPTS = {
    "MAILBOX_POSTCREATION": "after a mailbox is created: username, domain, maildir, quota in bytes",
    "MAILBOX_POSTEDIT": "after a mailbox is changed: username, domain, maildir, quota in bytes",
    "MAILBOX_POSTDELETION": "after a mailbox is deleted: username, domain",
    "MAILBOX_POSTPASSWORD": (
        "after a mailbox gets a password: username, domain; on standard input the old password and"
        " the new one, each followed by a zero byte; the old one is empty where nobody entered it"
    ),
    "MAILBOX_POST_TOTP_CHANGE_SECRET": (
        "after an authenticator app of a mailbox is set up or removed: username, domain; on"
        " standard input the secret, followed by a zero byte"
    ),
    "MAILBOX_POST_TOTP_EXCEPTION_ADD": (
        "after a TOTP exception is added: mailbox, domain or nothing, and IP address"
    ),
    "MAILBOX_POST_TOTP_EXCEPTION_DELETE": "after a TOTP exception is deleted: the same",
    "MAILBOX_POSTAPPPASSWORD": (
        "after an app password is added: username, description; on standard input its hash,"
        " followed by a zero byte"
    ),
    "DOMAIN_POSTCREATION": "after a domain is created: domain",
    "DOMAIN_POSTEDIT": "after a domain is changed: domain",
    "DOMAIN_POSTDELETION": "after a domain is deleted: domain",
}


def parse_command(value: str) -> tuple[str, ...]:
    """Accept a program with arguments, in the quoting of shells; no shell runs it."""
    try:
        return tuple(shlex.split(value))
    except ValueError as error:
        raise ValueError(f"is not a command: {error}") from None


def parse_webhook_url(value: str) -> str:
    """Accept an https:// URL, or an http:// one of this machine."""
    try:
        parts = urlsplit(value)
        is_local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        is_valid = bool(parts.hostname) and not parts.username and parts.port != 0
    except ValueError:
        is_valid = is_local = False
    if not is_valid or parts.scheme not in (("http", "https") if is_local else ("https",)):
        raise ValueError("is not a URL such as https://hooks.example.org/mailadmin")
    return value


def iter_hook_conflicts(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is missing, with the name of a variable."""
    if values["MAILADMIN_WEBHOOKS"] and not values["MAILADMIN_WEBHOOK_SECRET"]:
        yield "MAILADMIN_WEBHOOK_SECRET is required with MAILADMIN_WEBHOOKS: it signs the requests"


HOOK_SETTINGS = (
    *(
        EnvironmentSetting(
            f"MAILADMIN_{name}_SCRIPT", "", parse_command, f"program that the worker runs {text}"
        )
        for name, text in SCRIPTS.items()
    ),
    EnvironmentSetting(
        "MAILADMIN_SCRIPT_SECONDS",
        "60",
        integer_parser(1, 3600),
        "number of seconds after which a script is ended",
    ),
    EnvironmentSetting(
        "MAILADMIN_WEBHOOKS",
        "",
        list_parser(parse_webhook_url),
        "URLs that are told of changes of domains, mailboxes and aliases, see [Scripts and"
        " webhooks](hooks.md)",
    ),
    EnvironmentSetting(
        "MAILADMIN_WEBHOOK_SECRET",
        "",
        parse_text,
        "secret with which requests to webhooks are signed; required with `MAILADMIN_WEBHOOKS`",
        secret=True,
    ),
)
