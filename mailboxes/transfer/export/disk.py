"""Files on disk: each written completely or not at all, readable for its owner only.

No file is touched that an export has not made.
"""

import contextlib
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

INDEX_FILENAME = ".mailadmin-export"  # lists the files that an export has made in a folder


def write_file(path: str | Path, pieces: Iterable[str]) -> None:
    """Write one file, replacing that of an earlier export."""
    path = Path(path)
    check_regular_file(path)
    temporary = write_temporary_file(path, pieces)
    temporary.replace(path)


def write_folder(folder: str | Path, files: Iterable[tuple[str, Iterable[str]]]) -> None:
    """Write all files of (name, pieces), and delete other files of an earlier export."""
    folder = Path(folder)
    earlier = read_index(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = {}
    try:
        for name, pieces in files:
            written[name] = write_temporary_file(prepare_path(folder, name), pieces)
        write_file(folder / INDEX_FILENAME, format_index({*earlier, *written}))
        for name, temporary in written.items():
            temporary.replace(folder / name)
    except BaseException:
        delete_files(written.values())
        raise
    delete_files(prepare_path(folder, name) for name in earlier - set(written))
    write_file(folder / INDEX_FILENAME, format_index(written))


def write_temporary_file(path: Path, pieces: Iterable[str]) -> Path:
    """Write the pieces to a new file beside the path, and return its name."""
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)  # mode 0600
    temporary = Path(name)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.writelines(pieces)
    except BaseException:
        delete_files([temporary])
        raise
    return temporary


def delete_files(paths: Iterable[Path]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def check_regular_file(path: Path) -> None:
    """Refuse to replace a device, a link or a folder."""
    if path.is_symlink() or (path.exists() and not stat.S_ISREG(path.stat().st_mode)):
        raise ValidationError(_("%(path)s exists and is not a file."), params={"path": path})


# Folders


def read_index(folder: Path) -> set[str]:
    """Return the names of files that an earlier export made there.

    Raise ValidationError if the folder holds anything but an export.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return set()
    index = folder / INDEX_FILENAME
    if not folder.is_dir() or index.is_symlink() or not index.is_file():
        text = _("%(path)s exists and was not created by an export. Use a new folder.")
        raise ValidationError(text, params={"path": folder})
    names = index.read_text(encoding="utf-8").splitlines()
    return {name for name in names if is_safe_name(name)}


def is_safe_name(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def prepare_path(folder: Path, name: str) -> Path:
    """Return the path of a file, with its folders created; refuse links to other places."""
    if not is_safe_name(name):
        raise ValueError(name)
    parent = folder
    for part in PurePosixPath(name).parts[:-1]:
        parent = parent / part
        if parent.is_symlink():
            text = _("%(path)s is a symbolic link. Exports do not follow links.")
            raise ValidationError(text, params={"path": parent})
        parent.mkdir(mode=0o700, exist_ok=True)
    check_regular_file(folder / name)
    return folder / name


def format_index(names: Iterable[str]) -> list[str]:
    return [f"{name}\n" for name in sorted(names)]
