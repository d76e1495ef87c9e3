"""What an operator chooses about his mail server, with what most choose."""

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

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from domains.models import Domain
from mailadmin.passwords import schemes
from mailboxes.mailserver.generator.database import DatabaseLocation
from mailboxes.mailserver.programs import find_program
from mailboxes.models import Mailbox
from mailboxes.postfix import maps

PATH_PATTERN, WORD_PATTERN = r"/[\w./@+-]*", r"[A-Za-z0-9._-]+"
TABLE_LIST_PATTERN = r"(\w+:[\w./@+-]+(,\s*)?)*"
# What each choice may be: nothing that ends a line of a file, or means more than itself in it.
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
# What CRAM-MD5 can be answered with: its own hash (by two names), or the password itself.
CRAM_MD5_SCHEMES = ("CRAM-MD5", "HMAC-MD5", "PLAIN", "CLEAR", "CLEARTEXT")
NO_CRAM_MD5_MESSAGE = _(
    "CRAM-MD5 needs passwords that are stored as CRAM-MD5 or as plain text, and there are none: "
    "MAILADMIN_PASSWORD_SCHEME is %(scheme)s."
)
PANEL_DOMAIN_MESSAGE = _(
    "%(name)s is a domain of the panel; the mail server needs a name of its own."
)
DATABASE_ACCOUNTS = ("postfix", "dovecot", "autoreply", "panel")
PROGRAM_TIMEOUT_SECONDS = 5  # seconds for a program to say its version


@dataclass
class MailServerOptions:
    hostname: str = "mail.example.org"
    postfix_directory: str = "/etc/postfix"
    dovecot_directory: str = "/etc/dovecot"
    queue_directory: str = "/var/spool/postfix"
    mail_directory: str = "/var/vmail"
    mail_user: str = "vmail"
    mail_group: str = ""  # the user's own name
    delivery: str = "lmtp"  # or lda
    proxied: bool = True  # through proxymap: few connections to the database
    postfix_version: str = "3.7"
    dovecot_version: str = "2.3"
    default_scheme: str = "CRYPT"
    cram_md5: bool = False  # offered beside plain and login
    sieve: bool = False  # users' own filters; Dovecot needs two packages more for them
    certificate: str = ""
    key: str = ""
    command: str = "/usr/local/bin/mailadmin"
    autoreply_user: str = "mailadmin-autoreply"
    autoreply_group: str = "mailadmin-autoreply"
    database_group: str = "mailadmin"  # of SQLite's file, which all of them open
    alias_maps: str = "hash:/etc/aliases"
    lda: str = "/usr/lib/dovecot/dovecot-lda"
    passwords: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        self.mail_group = self.mail_group or self.mail_user
        folder = f"/etc/letsencrypt/live/{self.hostname}"
        self.certificate = self.certificate or f"{folder}/fullchain.pem"
        self.key = self.key or f"{folder}/privkey.pem"

    @property
    def map_type(self):
        return ("proxy:" if self.proxied else "") + DatabaseLocation.from_connection().driver

    def context(self):
        """What the templates are filled with."""
        database = DatabaseLocation.from_connection()
        return vars(self) | {
            "database": database,
            "connect": database.connect(self.passwords["dovecot"]),
            "url": database.url(self.passwords["autoreply"]),
            "compatibility_level": "3.6"
            if is_version_at_least(self.postfix_version, "3.6")
            else "2",
            "table_prefix": settings.MAILADMIN_TABLE_PREFIX,
            "time_zone": settings.TIME_ZONE,
            "delimiter": settings.MAILADMIN_RECIPIENT_DELIMITER,
            "vacation_domain": settings.MAILADMIN_VACATION_DOMAIN,
            "vacation_service": maps.VACATION_SERVICE,
            "quota": maps.QUOTA_DICTIONARY,
        }


def is_valid_option(name, value):
    if name == "default_scheme" and schemes.find_scheme(value) is None:
        return False
    return re.fullmatch(OPTION_PATTERNS[name], value) is not None


def is_panel_domain(hostname):
    """Mail for root and cron would be looked for among the mailboxes."""
    return Domain.objects.filter(pk=hostname.lower()).exists()


def can_offer_cram_md5() -> bool:
    """Whether new passwords, or any that are stored, can answer a challenge."""
    choice = schemes.parse_scheme_setting(settings.MAILADMIN_PASSWORD_SCHEME)
    if choice and choice.name in CRAM_MD5_SCHEMES:
        return True
    prefixes = (Q(password__istartswith=f"{{{name}") for name in CRAM_MD5_SCHEMES)
    return Mailbox.objects.filter(reduce(or_, prefixes), active=True).exists()


def is_version_at_least(version, wanted):
    def numbers(text):
        return [int(part) for part in text.split(".")[:2] if part.isdigit()]

    return numbers(version) >= numbers(wanted)


@functools.cache
def detect_options():
    """What this machine itself says; a machine without mail servers gets what is usual."""
    found = {"hostname": socket.getfqdn()}
    if command := find_mailadmin_command():
        found["command"] = command
    if version := get_program_version("postconf", "-d", "-h", "mail_version"):
        found["postfix_version"] = version
    if version := get_program_version("dovecot", "--version"):
        found["dovecot_version"] = "2.4" if is_version_at_least(version, "2.4") else "2.3"
    return found


def detect_dovecot_version() -> str:
    """`2.3` or `2.4`: the version on this machine, or the usual one where there is none."""
    return detect_options().get("dovecot_version", MailServerOptions.dovecot_version)


def find_mailadmin_command():
    """Where `mailadmin` is: beside the Python that runs us, or on the path."""
    beside = Path(sys.executable).with_name("mailadmin")
    return str(beside) if beside.is_file() else shutil.which("mailadmin")


def get_program_version(program, *arguments):
    path = find_program(program)
    if not path:
        return ""
    try:
        said = subprocess.run(  # noqa: S603
            [path, *arguments], capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return ""
    words = said.stdout.split()
    return words[0] if said.returncode == 0 and words else ""


def generate_passwords():
    """Letters and digits only: they are written into files of four different grammars."""
    return {account: secrets.token_hex(16) for account in DATABASE_ACCOUNTS}
