"""Files on disk: what would change is shown, what is there stays unless asked."""

import contextlib
import difflib
import grp
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from mailboxes.mailserver.config_parser.lines import mask_secrets
from mailboxes.mailserver.generator.files import PANEL_FOLDER, GeneratedFile

IDENTIFIED_BY_RE = re.compile(r"ALTER USER 'mailadmin_(\w+)'@'[^']*' IDENTIFIED BY '(\w+)';")


@dataclass
class FileChange:
    """What is to be at a path, and what is there now."""

    path: Path
    file: GeneratedFile
    present: str | None

    @property
    def is_new(self):
        return self.present is None

    @property
    def is_different(self):
        return not self.is_new and self.present != self.file.text

    @property
    def is_user_edited(self):
        """A file that may hold an operator's own settings as well."""
        return self.file.name in ("main.cf", "master.cf", "dovecot.conf")

    @property
    def is_too_permissive(self):
        """A secret that others may read, whatever else is right with it."""
        if self.is_new or self.file.mode & stat.S_IROTH:
            return False
        return bool(stat.S_IMODE(self.path.stat().st_mode) & stat.S_IRWXO)

    def difference(self):
        """A unified diff for other people's eyes: no password is in it."""
        return "\n".join(
            difflib.unified_diff(
                mask_lines(self.present or ""),
                mask_lines(self.file.text),
                str(self.path),
                str(self.path),
                lineterm="",
            )
        )


def mask_lines(text):
    lines = (
        IDENTIFIED_BY_RE.sub(r"ALTER USER mailadmin_\1 …;", line) for line in text.splitlines()
    )
    return [mask_secrets(line) for line in lines]


def iter_file_changes(files, folders):
    """Each file beside what is at its place."""
    for file in files:
        if file.place in folders:
            path = Path(folders[file.place], file.name)
            yield FileChange(path, file, read_current_text(path))


def read_current_text(path):
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None


def read_known_passwords(folder):
    """Passwords of an earlier run, so that a second one changes nothing."""
    return dict(
        IDENTIFIED_BY_RE.findall(
            read_current_text(Path(folder, PANEL_FOLDER, "accounts.sql")) or ""
        )
    )


def write_change(change):
    """Put the file there whole or not at all; a secret is never readable on the way."""
    change.path.parent.mkdir(parents=True, exist_ok=True)
    new = change.path.with_name(f".{change.path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(change.file.text)
    set_permissions(new, change.file)
    new.replace(change.path)


def set_permissions(path, file):
    """To root and the group that reads it; an ordinary user keeps what he writes to himself."""
    if file.group and os.geteuid() == 0:
        with contextlib.suppress(KeyError):
            os.chown(path, 0, grp.getgrnam(file.group).gr_gid)
    path.chmod(file.mode)
