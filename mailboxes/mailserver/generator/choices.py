"""Options of a generated configuration, their defaults and validation."""

import functools
import re
import secrets
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from domains.models import Domain
from mailadmin.db.table_names import get_table_name
from mailadmin.passwords import schemes
from mailboxes.mailserver.generator.database import DatabaseLocation
from mailboxes.mailserver.programs import find_program
from mailboxes.models import AppPassword, Mailbox
from mailboxes.postfix.dovecot_queries import QUOTA_DICTIONARY
from mailboxes.postfix.maps import VACATION_SERVICE

PATH_PATTERN, WORD_PATTERN = r"/[\w./@+-]*", r"[A-Za-z0-9._-]+"
TABLE_LIST_PATTERN = r"(\w+:[\w./@+-]+(,\s*)?)*"
# Valid values: nothing that ends a line of a file or has a special meaning in it.
OPTION_PATTERNS = {
    "hostname": r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+",
    "mail_directory": PATH_PATTERN,
    "queue_directory": PATH_PATTERN,
    "certificate": PATH_PATTERN,
    "key": PATH_PATTERN,
    "command": PATH_PATTERN,
    "mail_user": rf"(?!root\b){WORD_PATTERN}",
    "mail_group": WORD_PATTERN,
    "autoreply_user": WORD_PATTERN,
    "autoreply_group": WORD_PATTERN,
    "database_group": WORD_PATTERN,
    "default_scheme": WORD_PATTERN,
    "postfix_version": r"3\.([5-9]|\d\d)(\.\d+)*|[4-9](\.\d+)*",
    "dovecot_version": r"2\.[34]",
    "delivery": "lmtp|lda",
    "alias_maps": TABLE_LIST_PATTERN,
}
# Schemes that CRAM-MD5 works with: its own (by two names), or plain text.
CRAM_MD5_SCHEMES = ("CRAM-MD5", "HMAC-MD5", "PLAIN", "CLEAR", "CLEARTEXT")
NO_CRAM_MD5_MESSAGE = _(
    "CRAM-MD5 needs passwords stored as CRAM-MD5 or as plain text, but"
    " MAILADMIN_PASSWORD_SCHEME is %(scheme)s."
)
PANEL_DOMAIN_MESSAGE = _(
    "%(name)s is a domain of the panel. Choose a host name for the mail server that is not."
)
DATABASE_ACCOUNTS = ("postfix", "dovecot", "autoreply", "panel")
# Each is a query and a hash more for a wrong password, if the mailbox has so many.
MIN_SALTED_APP_PASSWORDS, MAX_SALTED_APP_PASSWORDS = 5, 20
PROGRAM_TIMEOUT_SECONDS = 5  # to print its version


@dataclass
class MailServerOptions:
    hostname: str = "mail.example.org"
    postfix_directory: str = "/etc/postfix"
    dovecot_directory: str = "/etc/dovecot"
    queue_directory: str = "/var/spool/postfix"
    mail_directory: str = "/var/vmail"
    mail_user: str = "vmail"
    mail_group: str = ""  # default: the name of the user
    delivery: str = "lmtp"  # or lda
    proxied: bool = True  # through proxymap: few connections to the database
    postfix_version: str = "3.7"
    dovecot_version: str = "2.3"
    default_scheme: str = "CRYPT"
    cram_md5: bool = False  # in addition to plain and login
    sieve: bool = False  # ManageSieve; needs two more packages of Dovecot
    postfixadmin_app_passwords: int | None = None  # of one mailbox; default: as many as there are
    certificate: str = ""
    key: str = ""
    command: str = "/usr/local/bin/mailadmin"
    autoreply_user: str = "mailadmin-autoreply"
    autoreply_group: str = "mailadmin-autoreply"
    database_group: str = "mailadmin"  # of SQLite's file, which all servers open
    alias_maps: str = "hash:/etc/aliases"
    lda: str = "/usr/lib/dovecot/dovecot-lda"
    passwords: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mail_group = self.mail_group or self.mail_user
        folder = f"/etc/letsencrypt/live/{self.hostname}"
        self.certificate = self.certificate or f"{folder}/fullchain.pem"
        self.key = self.key or f"{folder}/privkey.pem"

    @property
    def map_type(self) -> str:
        return ("proxy:" if self.proxied else "") + DatabaseLocation.from_connection().driver

    @property
    def salted_app_passwords(self) -> int:
        """Return how many app passwords of a mailbox are found by trying them one by one."""
        given = self.postfixadmin_app_passwords
        return suggest_salted_app_passwords() if given is None else given

    def context(self) -> dict[str, Any]:
        """Return the variables of the templates."""
        database = DatabaseLocation.from_connection()
        has_levels = is_version_at_least(self.postfix_version, "3.6")
        return vars(self) | {
            "database": database,
            "connect": database.connect(self.passwords["dovecot"]),
            "url": database.url(self.passwords["autoreply"]),
            "compatibility_level": "3.6" if has_levels else "2",
            "quota_table": get_table_name("quota2"),
            "table_prefix": settings.MAILADMIN_TABLE_PREFIX,
            "table_names": settings.MAILADMIN_DATABASE_TABLES,
            "time_zone": settings.TIME_ZONE,
            "delimiter": settings.MAILADMIN_RECIPIENT_DELIMITER,
            "vacation_domain": settings.MAILADMIN_VACATION_DOMAIN,
            "vacation_service": VACATION_SERVICE,
            "quota": QUOTA_DICTIONARY,
            "last_login": settings.MAILADMIN_LAST_LOGIN_DAYS > 0,
        }


def is_valid_option(name: str, value: str) -> bool:
    if name == "default_scheme" and schemes.find_scheme(value) is None:
        return False
    return re.fullmatch(OPTION_PATTERNS[name], value) is not None


def is_panel_domain(hostname: str) -> bool:
    """Check for a name whose mail for root and cron would be delivered to mailboxes."""
    return Domain.objects.filter(pk=hostname.lower()).exists()


def can_offer_cram_md5() -> bool:
    """Check whether new passwords, or any stored ones, work with CRAM-MD5."""
    choice = schemes.parse_scheme_setting(settings.MAILADMIN_PASSWORD_SCHEME)
    if choice and choice.name in CRAM_MD5_SCHEMES:
        return True
    prefixes = (Q(password__istartswith=f"{{{name}") for name in CRAM_MD5_SCHEMES)
    return Mailbox.objects.filter(reduce(or_, prefixes), active=True).exists()


def suggest_salted_app_passwords() -> int:
    """Return how many app passwords made in PostfixAdmin a mailbox may have; none if none exist."""
    most = AppPassword.objects.count_most_salted()
    return min(max(most, MIN_SALTED_APP_PASSWORDS), MAX_SALTED_APP_PASSWORDS) if most else 0


def is_version_at_least(version: str, minimum: str) -> bool:
    def parse(text: str) -> list[int]:
        return [int(part) for part in text.split(".")[:2] if part.isdigit()]

    return parse(version) >= parse(minimum)


@functools.cache
def detect_options() -> dict[str, str]:
    """Return the options that can be detected on this machine."""
    options = {"hostname": socket.getfqdn()}
    if command := find_mailadmin_command():
        options["command"] = command
    if version := get_program_version("postconf", "-d", "-h", "mail_version"):
        options["postfix_version"] = version
    if version := get_program_version("dovecot", "--version"):
        options["dovecot_version"] = "2.4" if is_version_at_least(version, "2.4") else "2.3"
    return options


def detect_dovecot_version() -> str:
    """Return `2.3` or `2.4`: the installed version, or the default if there is none."""
    return detect_options().get("dovecot_version", MailServerOptions.dovecot_version)


def find_mailadmin_command() -> str | None:
    """Return the path of `mailadmin`: next to the running Python, or from PATH."""
    sibling = Path(sys.executable).with_name("mailadmin")
    return str(sibling) if sibling.is_file() else shutil.which("mailadmin")


def get_program_version(program: str, *arguments: str) -> str:
    path = find_program(program)
    if not path:
        return ""
    try:
        result = subprocess.run(  # noqa: S603
            [path, *arguments], capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return ""
    words = result.stdout.split()
    return words[0] if result.returncode == 0 and words else ""


def generate_passwords() -> dict[str, str]:
    """Generate alphanumeric passwords: they are written to files of four different syntaxes."""
    return {account: secrets.token_hex(16) for account in DATABASE_ACCOUNTS}
