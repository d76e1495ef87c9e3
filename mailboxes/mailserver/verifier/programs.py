"""Postfix's and Dovecot's own tools, asked about many keys at once."""

import os
import pwd
import re
import socket
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.utils.translation import gettext as _

from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.maps import MapReference
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.programs import find_program

PROGRAM_TIMEOUT_SECONDS = 60
# Warnings that say nothing of the answers: an empty row, and lines of main.cf without effect.
HARMLESS_WARNING_RE = re.compile(
    r"empty lookup result|overriding earlier entry|(unused|undefined|unknown) parameter"
)
MAX_ERROR_LENGTH = 300  # letters of a complaint
EX_NOUSER = 67  # doveadm's EX_NOUSER, if it is true of one of them
EX_NOPERM = 77  # doveadm's EX_NOPERM: the password is wrong
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
    """There is no such server here, or it does not answer."""


def require_program(name: str) -> str:
    found = find_program(name)
    if not found:
        raise ServerUnavailable(name)
    return found


def run_program(
    command: list, text: str = "", user: str | None = None
) -> subprocess.CompletedProcess:
    """Run a tool, as another user if one is named."""
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


def get_process_identity(user: str) -> dict:
    """The user and groups that a daemon of this user has."""
    person = pwd.getpwnam(user)
    groups = os.getgrouplist(user, person.pw_gid)
    return {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": groups}


def get_first_error(lines: list[str]) -> str:
    """The first complaint stands for all: the others are the same about other people."""
    return lines[0][:MAX_ERROR_LENGTH] if lines else ""


class LivePostfix:
    """What Postfix's maps answer: by their files, and by the proxymap that is running.

    proxymap(8) opens maps as Postfix's user. Other daemons open theirs before they give up
    root's rights, so there a file that only root can read is no fault.
    """

    def __init__(self, files: PostfixFiles):
        self.files, self.postmap = files, require_program("postmap")
        self.owner = find_postfix_user(files)

    def lookup_in_files(self, parameter: str, keys: list[str]) -> dict[str, str]:
        """key → value of the first map that has it, by the files as they are now."""
        return self._find_first_answers(parameter, keys, self._query_file)

    def lookup_in_proxymap(self, parameter: str, keys: list[str]) -> dict[str, str]:
        """The same by the running proxymap, where the map is asked through it."""
        return self._find_first_answers(parameter, keys, self._query_proxymap)

    def is_proxied(self, parameter: str) -> bool:
        return any(reference.proxied for reference in self.files.maps(parameter))

    def _find_first_answers(self, parameter, keys, ask) -> dict[str, str]:
        found = self._listed(parameter)
        for reference in self.files.maps(parameter):
            left = [key for key in keys if key not in found]
            found |= ask(reference, left) if left else {}
        return found

    def _listed(self, parameter: str) -> dict[str, str]:
        """The domains that a list spells out beside its maps."""
        if not parameter.endswith("_domains"):
            return {}
        return {name: name for name, _line in self.files.names(parameter)}

    def _query_file(self, reference: MapReference, keys: list[str]) -> dict[str, str]:
        reader = (
            self.owner if reference.proxied or self._is_readable_by_postfix(reference) else None
        )
        return self._run_postmap(reference, self.files.postmap_name(reference), keys, reader)

    def _is_readable_by_postfix(self, reference: MapReference) -> bool:
        """Whether Postfix's user can read the file; otherwise root has opened it for them."""
        if not self.owner or not reference.is_file:
            return False
        path = self.files.get_map_path(reference)
        return (
            run_program([require_program("test"), "-r", str(path)], user=self.owner).returncode == 0
        )

    def _query_proxymap(self, reference: MapReference, keys: list[str]) -> dict[str, str]:
        if not reference.proxied:
            return self._query_file(reference, keys)
        self._require_proxymap()
        return self._run_postmap(reference, f"proxy:{self.files.postmap_name(reference)}", keys)

    def _require_proxymap(self) -> None:
        """postmap would wait for ever for one that is not there."""
        path = Path(self.files.value("queue_directory"), "private/proxymap")
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
        except OSError as error:
            text = _("Postfix does not run (%(path)s: %(reason)s)")
            raise ServerUnavailable(text % {"path": path, "reason": error.strerror}) from error

    def _run_postmap(self, reference, place: str, keys: list[str], user=None) -> dict[str, str]:
        command = [self.postmap, "-c", str(self.files.directory), "-q", "-", place]
        said = run_program(command, "\n".join(keys) + "\n", user)
        trouble = [
            line for line in said.stderr.splitlines() if not HARMLESS_WARNING_RE.search(line)
        ]
        if said.returncode not in (0, 1) or trouble:
            raise ServerUnavailable(
                f"{reference.text}: {get_first_error(trouble) or said.returncode}"
            )
        pairs = (line.partition("\t") for line in said.stdout.splitlines())
        return {key: value for key, _tab, value in pairs}


def find_postfix_user(files: PostfixFiles) -> str | None:
    """Postfix's user, if this process may become them."""
    name = files.value("mail_owner")
    try:
        run_program([require_program("true")], user=name)
    except (KeyError, PermissionError):
        return None
    return name


class LiveDovecot:
    """What doveadm says of users: who can sign in, and where their mail is."""

    def __init__(self, folder: str):
        self.command = [require_program("doveadm"), "-c", str(Path(folder, "dovecot.conf"))]
        self.files = DovecotFiles(Path(folder))
        self.named = "protocol" if self.files.is_version_2_4 else "service"

    def find_login_users(self, users: Iterable[str], service: str = "") -> set[str]:
        """Those whom the password query finds, for a service such as `smtp` if one is named."""
        more = ("-x", f"{self.named}={service}") if service else ()
        lines = self._lines("auth", "lookup", *more, "-f", "user", "--", *users)
        return {line.lower() for line in lines}

    def fetch_users(self, users: Iterable[str]) -> dict[str, tuple[str, str, str]]:
        """user → (home, location of the mail, quota), of those who have a home."""
        wanted = DOVEADM_USER_FORMATS["2.4" if self.files.is_version_2_4 else "2.3"]
        found = (line.split("\t") for line in self._lines("user", "-e", wanted, "--", *users))
        return {line[0].lower(): tuple(line[1:4]) for line in found if len(line) == 4}

    def accepts(self, user: str, password: str) -> bool:
        """Whether this password signs in; it is not shown in the list of processes."""
        options = ["-x", f"{self.named}=imap", "--", user]
        said = run_program([*self.command, "auth", "test", *options], password)
        if said.returncode not in (0, EX_NOPERM):
            raise ServerUnavailable(
                get_first_error(said.stderr.splitlines()) or str(said.returncode)
            )
        return said.returncode == 0

    def _lines(self, *arguments: str) -> Iterator[str]:
        said = run_program([*self.command, *arguments])
        lines = [
            line for line in said.stderr.splitlines() if line and not UNKNOWN_USER_RE.match(line)
        ]
        trouble = [line for line in lines if not UNSUPPORTED_SCHEME_RE.search(line)]
        is_answer = said.returncode in (0, EX_NOUSER) or len(lines) > len(trouble)
        if trouble or not is_answer:
            raise ServerUnavailable(get_first_error(trouble) or f"doveadm: {said.returncode}")
        return [line for line in said.stdout.splitlines() if line]
