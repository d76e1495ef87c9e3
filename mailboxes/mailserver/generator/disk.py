"""Compare generated files with those on disk, and write them."""

import contextlib
import difflib
import grp
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mailboxes.mailserver.config_parser.lines import mask_secrets
from mailboxes.mailserver.generator.files import PANEL_FOLDER, GeneratedFile

IDENTIFIED_BY_RE = re.compile(r"ALTER USER 'mailadmin_(\w+)'@'[^']*' IDENTIFIED BY '(\w+)';")


@dataclass
class FileChange:
    """A generated file, its path, and the current text of the file there."""

    path: Path
    file: GeneratedFile
    current: str | None

    @property
    def is_new(self) -> bool:
        return self.current is None

    @property
    def is_different(self) -> bool:
        return not self.is_new and self.current != self.file.text

    @property
    def is_user_edited(self) -> bool:
        """Check for files that may contain settings of the administrator."""
        return self.file.name in ("main.cf", "master.cf", "dovecot.conf")

    @property
    def is_too_permissive(self) -> bool:
        """Check whether others can read an existing file with secrets."""
        if self.is_new or self.file.mode & stat.S_IROTH:
            return False
        return bool(stat.S_IMODE(self.path.stat().st_mode) & stat.S_IRWXO)

    def difference(self) -> str:
        """Return a unified diff with passwords masked."""
        return "\n".join(
            difflib.unified_diff(
                mask_lines(self.current or ""),
                mask_lines(self.file.text),
                str(self.path),
                str(self.path),
                lineterm="",
            )
        )


def mask_lines(text: str) -> list[str]:
    lines = (
        IDENTIFIED_BY_RE.sub(r"ALTER USER mailadmin_\1 …;", line) for line in text.splitlines()
    )
    return [mask_secrets(line) for line in lines]


def iter_file_changes(
    files: Iterable[GeneratedFile], folders: Mapping[str, Path]
) -> Iterator[FileChange]:
    """Yield the change for each file whose server has a folder."""
    for file in files:
        if file.server in folders:
            path = Path(folders[file.server], file.name)
            yield FileChange(path, file, read_current_text(path))


def read_current_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None


def read_known_passwords(folder: Path) -> dict[str, str]:
    """Return the passwords of an earlier run, so that a second one changes nothing."""
    text = read_current_text(Path(folder, PANEL_FOLDER, "accounts.sql"))
    return dict(IDENTIFIED_BY_RE.findall(text or ""))


def write_change(change: FileChange) -> None:
    """Write the file atomically, with the bytes it was read with; others never read secrets."""
    change.path.parent.mkdir(parents=True, exist_ok=True)
    new = change.path.with_name(f".{change.path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(change.file.text)
        set_permissions(new, change.file)
        new.replace(change.path)
    finally:
        new.unlink(missing_ok=True)  # if it is still there, an error has occurred


def set_permissions(path: Path, file: GeneratedFile) -> None:
    """Set mode and group; only root can change the group."""
    if file.group and os.geteuid() == 0:
        with contextlib.suppress(KeyError):
            os.chown(path, 0, grp.getgrnam(file.group).gr_gid)
    path.chmod(file.mode)
