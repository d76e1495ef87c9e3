"""Postfix's and Dovecot's own tools, asked about many keys at once."""

import shutil
import subprocess
from pathlib import Path

from mailboxes.mailserver.reading import maps as lists

PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE = 60
NO_SUCH_USER = 67  # doveadm's EX_NOUSER


class Unavailable(Exception):
    """There is no such server here, or it does not answer."""


def program(name):
    found = shutil.which(name, path=PATHS)
    if not found:
        raise Unavailable(name)
    return found


def run(command, text=""):
    try:
        return subprocess.run(  # noqa: S603 (fixed programs, no shell)
            command, input=text, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{Path(command[0]).name}: no answer in {PATIENCE} s") from error


class LivePostfix:
    """What `postmap -q` answers for the maps of a running configuration."""

    def __init__(self, files):
        self.files, self.postmap = files, program("postmap")

    def answers(self, parameter, keys):
        """key → value of the first map that has it."""
        found = {}
        for reference in self.files.maps(parameter):
            left = [key for key in keys if key not in found]
            found |= self._table(reference, left) if left else {}
        return found

    def _table(self, reference, keys):
        place = reference.name
        if reference.is_file and reference.type in lists.FILES:
            place = str(self.files.path_of(reference))
        command = [self.postmap, "-c", str(self.files.directory), "-q", "-"]
        said = run([*command, f"{reference.type}:{place}"], "\n".join(keys) + "\n")
        if said.returncode not in (0, 1) or said.stderr.strip():
            raise Unavailable(said.stderr.strip() or f"postmap {reference.text}")
        pairs = (line.partition("\t") for line in said.stdout.splitlines())
        return {key: value for key, _tab, value in pairs}


class LiveDovecot:
    """What doveadm says of a user: that he can sign in, and where his mail is."""

    def __init__(self, folder):
        self.command = [program("doveadm"), "-c", str(Path(folder, "dovecot.conf"))]

    def may_sign_in(self, user):
        return self._known("auth", "lookup", user) is not None

    def home(self, user):
        said = self._known("user", "-f", "home", user)
        return None if said is None else said.strip()

    def _known(self, *arguments):
        said = run([*self.command, *arguments])
        if said.returncode == 0:
            return said.stdout
        if said.returncode == NO_SUCH_USER:
            return None
        raise Unavailable(said.stderr.strip() or "doveadm")
