"""Postfix's and Dovecot's own tools, asked about many keys at once."""

import re
import subprocess
from pathlib import Path

from mailboxes.mailserver.programs import find

PATIENCE = 60
EMPTY = "empty lookup result"  # a warning: a row that says nothing
LONGEST = 300  # letters of a complaint
NO_SUCH_USER = 67  # doveadm's EX_NOUSER, if it is true of one of them
STRANGER = re.compile(r"(passdb|userdb) lookup: user .* doesn't exist$")
HOME = "%{user}\t%{home}"


class Unavailable(Exception):
    """There is no such server here, or it does not answer."""


def program(name):
    found = find(name)
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


def shortened(lines):
    """The first complaint stands for all: the others are the same about other people."""
    return lines[0][:LONGEST] if lines else ""


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
        command = [self.postmap, "-c", str(self.files.directory), "-q", "-"]
        said = run([*command, self.files.place_of(reference)], "\n".join(keys) + "\n")
        trouble = [line for line in said.stderr.splitlines() if EMPTY not in line]
        if said.returncode not in (0, 1) or trouble:
            raise Unavailable(f"{reference.text}: {shortened(trouble) or said.returncode}")
        pairs = (line.partition("\t") for line in said.stdout.splitlines())
        return {key: value for key, _tab, value in pairs}


class LiveDovecot:
    """What doveadm says of users: who can sign in, and where their mail is."""

    def __init__(self, folder):
        self.command = [program("doveadm"), "-c", str(Path(folder, "dovecot.conf"))]

    def who_may_sign_in(self, users):
        return {line.lower() for line in self._lines("auth", "lookup", "-f", "user", "--", *users)}

    def homes(self, users):
        """user → folder, of those who have one."""
        found = (line.partition("\t") for line in self._lines("user", "-e", HOME, "--", *users))
        return {user.lower(): home for user, tab, home in found if tab}

    def _lines(self, *arguments):
        said = run([*self.command, *arguments])
        trouble = [line for line in said.stderr.splitlines() if line and not STRANGER.match(line)]
        if trouble or said.returncode not in (0, NO_SUCH_USER):
            raise Unavailable(shortened(trouble) or f"doveadm: {said.returncode}")
        return [line for line in said.stdout.splitlines() if line]
