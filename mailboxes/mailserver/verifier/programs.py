"""Query Postfix and Dovecot by their own tools, many keys at once."""

import os
import pwd
import re
import socket
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mailadmin.translation import gettext as _
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.maps import MapReference
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.programs import find_program

PROGRAM_TIMEOUT_SECONDS = 60
# Warnings that do not concern the answers: an empty row, and lines of main.cf without effect.
HARMLESS_WARNING_RE = re.compile(
    r"empty lookup result|overriding earlier entry|(unused|undefined|unknown) parameter"
)
MAX_ERROR_LENGTH = 300
EX_NOUSER = 67  # of doveadm: at least one user is unknown
EX_NOPERM = 77  # of doveadm: the password is wrong
UNKNOWN_USER_RE = re.compile(r"(passdb|userdb) lookup: user .* doesn't exist$")
# A password of a scheme that Dovecot does not have: its owner cannot sign in, others can.
UNSUPPORTED_SCHEME_RE = re.compile(
    r"passdb lookup failed for .*: Configured passdbs don't support cred"
)
# Of each user: home, location of the mail, quota. Dovecot 2.4 wants a default for absent fields.
DOVEADM_USER_FORMATS = {
    "2.3": "%{user}\t%{home}\t%{userdb:mail}\t%{userdb:quota_rule}",
    "2.4": (
        "%{user}\t%{home}\t%{userdb:mail_path | default('')}"
        "\t%{userdb:quota_storage_size | default('')}"
    ),
}


class ServerUnavailable(Exception):
    """The server is not on this machine, or does not answer."""


def require_program(name: str) -> str:
    path = find_program(name)
    if not path:
        raise ServerUnavailable(name)
    return path


def run_program(
    command: list[str], text: str = "", user: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a tool, as another user if given."""
    try:
        return subprocess.run(  # noqa: S603 (fixed programs, no shell)
            command,
            input=text,
            capture_output=True,
            text=True,
            timeout=PROGRAM_TIMEOUT_SECONDS,
            **(get_process_identity(user) if user else {}),
        )
    except subprocess.TimeoutExpired as error:
        raise ServerUnavailable(
            f"{Path(command[0]).name}: no answer in {PROGRAM_TIMEOUT_SECONDS} s"
        ) from error


def get_process_identity(user: str) -> dict[str, Any]:
    """Return the user and groups that a daemon of this user has."""
    account = pwd.getpwnam(user)
    groups = os.getgrouplist(user, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": groups}


def get_first_error(lines: list[str]) -> str:
    """Return the first error only: the others repeat it for other users."""
    return lines[0][:MAX_ERROR_LENGTH] if lines else ""


class LivePostfix:
    """Look up keys in Postfix's maps, by their files and by the running proxymap.

    proxymap(8) opens maps as Postfix's user. Other daemons open theirs before they drop root's
    privileges, so there a file that only root can read is no fault.
    """

    def __init__(self, files: PostfixFiles) -> None:
        self.files, self.postmap = files, require_program("postmap")
        self.owner = find_postfix_user(files)

    def lookup_in_files(self, parameter: str, keys: list[str]) -> dict[str, str]:
        """Return the value of each key in the first map that has it, by the current files."""
        return self._find_first_answers(parameter, keys, self._query_file)

    def lookup_in_proxymap(self, parameter: str, keys: list[str]) -> dict[str, str]:
        """Return the same by the running proxymap, for maps that use it."""
        return self._find_first_answers(parameter, keys, self._query_proxymap)

    def is_proxied(self, parameter: str) -> bool:
        return any(reference.proxied for reference in self.files.maps(parameter))

    def _find_first_answers(
        self,
        parameter: str,
        keys: list[str],
        query: Callable[[MapReference, list[str]], dict[str, str]],
    ) -> dict[str, str]:
        found = self._get_listed_domains(parameter)
        for reference in self.files.maps(parameter):
            missing = [key for key in keys if key not in found]
            found |= query(reference, missing) if missing else {}
        return found

    def _get_listed_domains(self, parameter: str) -> dict[str, str]:
        """Return the domains that a list names beside its maps."""
        if not parameter.endswith("_domains"):
            return {}
        return {name: name for name, _line in self.files.names(parameter)}

    def _query_file(self, reference: MapReference, keys: list[str]) -> dict[str, str]:
        as_owner = reference.proxied or self._is_readable_by_postfix(reference)
        user = self.owner if as_owner else None
        return self._run_postmap(reference, self.files.postmap_name(reference), keys, user)

    def _is_readable_by_postfix(self, reference: MapReference) -> bool:
        """Check that Postfix's user can read the file; otherwise root opens it for them."""
        if not self.owner or not reference.is_file:
            return False
        command = [require_program("test"), "-r", str(self.files.get_map_path(reference))]
        return run_program(command, user=self.owner).returncode == 0

    def _query_proxymap(self, reference: MapReference, keys: list[str]) -> dict[str, str]:
        if not reference.proxied:
            return self._query_file(reference, keys)
        self._require_proxymap()
        return self._run_postmap(reference, f"proxy:{self.files.postmap_name(reference)}", keys)

    def _require_proxymap(self) -> None:
        """Raise ServerUnavailable without a proxymap, for which postmap would wait for ever."""
        path = Path(self.files.value("queue_directory"), "private/proxymap")
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
        except OSError as error:
            text = _("Postfix is not running (%(path)s: %(reason)s)")
            raise ServerUnavailable(text % {"path": path, "reason": error.strerror}) from error

    def _run_postmap(
        self, reference: MapReference, place: str, keys: list[str], user: str | None = None
    ) -> dict[str, str]:
        command = [self.postmap, "-c", str(self.files.directory), "-q", "-", place]
        result = run_program(command, "\n".join(keys) + "\n", user)
        lines = result.stderr.splitlines()
        errors = [line for line in lines if not HARMLESS_WARNING_RE.search(line)]
        if result.returncode not in (0, 1) or errors:
            reason = get_first_error(errors) or result.returncode
            raise ServerUnavailable(f"{reference.text}: {reason}")
        pairs = (line.partition("\t") for line in result.stdout.splitlines())
        return {key: value for key, _tab, value in pairs}


def find_postfix_user(files: PostfixFiles) -> str | None:
    """Return Postfix's user, if this process may become them."""
    name = files.value("mail_owner")
    try:
        run_program([require_program("true")], user=name)
    except (KeyError, PermissionError):
        return None
    return name


class LiveDovecot:
    """Query doveadm for users: who can sign in, and where their mail is."""

    def __init__(self, folder: str) -> None:
        self.command = [require_program("doveadm"), "-c", str(Path(folder, "dovecot.conf"))]
        self.files = DovecotFiles(Path(folder))
        self.service_field = "protocol" if self.files.is_version_2_4 else "service"

    def find_login_users(self, users: Iterable[str], service: str = "") -> set[str]:
        """Return the users that the password query finds, for a service such as `smtp` if given."""
        options = ("-x", f"{self.service_field}={service}") if service else ()
        lines = self._run_doveadm("auth", "lookup", *options, "-f", "user", "--", *users)
        return {line.lower() for line in lines}

    def fetch_users(self, users: Iterable[str]) -> dict[str, tuple[str, str, str]]:
        """Return (home, location of the mail, quota) of each user who has a home."""
        line_format = DOVEADM_USER_FORMATS["2.4" if self.files.is_version_2_4 else "2.3"]
        lines = self._run_doveadm("user", "-e", line_format, "--", *users)
        found = {}
        for fields in (line.split("\t") for line in lines):
            if len(fields) == 4:
                user, home, mail, quota = fields
                found[user.lower()] = home, mail, quota
        return found

    def accepts(self, user: str, password: str, service: str = "imap") -> bool:
        """Try to sign in; the password is not shown in the list of processes."""
        options = ["-x", f"{self.service_field}={service}", "--", user]
        result = run_program([*self.command, "auth", "test", *options], password)
        if result.returncode not in (0, EX_NOPERM):
            raise ServerUnavailable(
                get_first_error(result.stderr.splitlines()) or str(result.returncode)
            )
        return result.returncode == 0

    def _run_doveadm(self, *arguments: str) -> list[str]:
        result = run_program([*self.command, *arguments])
        lines = [
            line for line in result.stderr.splitlines() if line and not UNKNOWN_USER_RE.match(line)
        ]
        errors = [line for line in lines if not UNSUPPORTED_SCHEME_RE.search(line)]
        is_answer = result.returncode in (0, EX_NOUSER) or len(lines) > len(errors)
        if errors or not is_answer:
            raise ServerUnavailable(get_first_error(errors) or f"doveadm: {result.returncode}")
        return [line for line in result.stdout.splitlines() if line]
