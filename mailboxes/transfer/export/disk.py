"""Files on the disk: each whole or not at all, for their owner alone; of others none is touched."""

import contextlib
import stat
import tempfile
from pathlib import Path, PurePosixPath

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

INDEX_FILENAME = ".mailadmin-export"  # the names of all files that an export has made in a folder


def write_file(path, pieces):
    """One file, in place of what an earlier export left there."""
    path = Path(path)
    check_regular_file(path)
    new = write_temporary_file(path, pieces)
    new.replace(path)


def write_folder(folder, files):
    """All files of (name, pieces), and none that an earlier export made and this one does not."""
    folder = Path(folder)
    old = read_index(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = {}
    try:
        for name, pieces in files:
            new[name] = write_temporary_file(prepare_path(folder, name), pieces)
        write_file(folder / INDEX_FILENAME, format_index({*old, *new}))
        for name, made in new.items():
            made.replace(folder / name)
    except BaseException:
        delete_files(new.values())
        raise
    delete_files(prepare_path(folder, name) for name in old - set(new))
    write_file(folder / INDEX_FILENAME, format_index(new))


def write_temporary_file(path, pieces):
    """A new file beside the one that is meant, with all that is to be in it."""
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)  # its owner's alone
    new = Path(name)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.writelines(pieces)
    except BaseException:
        delete_files([new])
        raise
    return new


def delete_files(paths):
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def check_regular_file(path):
    """A device or a folder is not what a file may take the place of."""
    if path.is_symlink() or (path.exists() and not stat.S_ISREG(path.stat().st_mode)):
        raise ValidationError(_("%(path)s is there and is no file."), params={"path": path})


# A folder of ours


def read_index(folder):
    """What an earlier export has made there; a folder of anything else is not ours to fill."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return set()
    mark = folder / INDEX_FILENAME
    if not folder.is_dir() or mark.is_symlink() or not mark.is_file():
        text = _("%(path)s is there and was not made by an export: name a new folder.")
        raise ValidationError(text, params={"path": folder})
    names = mark.read_text(encoding="utf-8").splitlines()
    return {name for name in names if is_safe_name(name)}


def is_safe_name(name):
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def prepare_path(folder, name):
    """Where a file lies, its folders being there and no links to other places."""
    if not is_safe_name(name):
        raise ValueError(name)
    place = folder
    for part in PurePosixPath(name).parts[:-1]:
        place = place / part
        if place.is_symlink():
            text = _("%(path)s is a link; an export follows none.")
            raise ValidationError(text, params={"path": place})
        place.mkdir(mode=0o700, exist_ok=True)
    check_regular_file(folder / name)
    return folder / name


def format_index(names):
    return [f"{name}\n" for name in sorted(names)]
