"""The steps that remain for root after the files are written."""

import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailboxes.mailserver.generator.choices import MailServerOptions
from mailboxes.mailserver.generator.client_settings import iter_client_steps
from mailboxes.mailserver.generator.database import DatabaseLocation
from mailboxes.mailserver.generator.files import PANEL_FOLDER

MAX_SHOWN_FILES = 5
SHARED_FOLDER_MESSAGE = gettext_lazy(
    "Postfix and Dovecot must share the folder of the database, but %(folder)s contains"
    " other files (%(files)s). Move the database into a folder of its own, and the secret"
    " key elsewhere (MAILADMIN_SECRET_KEY_FILE)."
)


def iter_next_steps(
    choices: MailServerOptions, folders: Collection[str], keeps_files: bool = False
) -> Iterator[str]:
    """Yield the steps in the order in which they have to be done."""
    yield _("Next steps, as root:")
    yield from iter_user_steps(choices)
    yield from iter_database_steps(choices)
    if "postfix" in folders:
        yield from iter_postfix_steps(choices.postfix_directory, keeps_files)
    if "dovecot" in folders:
        yield from iter_dovecot_steps(choices)
    yield from iter_client_steps(choices)


def iter_user_steps(choices: MailServerOptions) -> Iterator[str]:
    directory, user = choices.mail_directory, choices.mail_user
    yield f"  adduser --system --group --home {directory} --no-create-home {user}"
    yield f"  install -d -o {user} -g {choices.mail_group} -m 2770 {directory}"
    yield (
        f"  adduser --system --group --home /nonexistent --no-create-home {choices.autoreply_user}"
    )


def iter_database_steps(choices: MailServerOptions) -> Iterator[str]:
    database = DatabaseLocation.from_connection()
    if database.is_sqlite:
        yield from iter_sqlite_steps(Path(database.name), choices)
    else:
        yield from iter_autoreply_steps(choices, choices.autoreply_group)
        yield f"  mariadb < {choices.postfix_directory}/{PANEL_FOLDER}/accounts.sql"
    if database.is_encrypted:
        yield _(
            "The panel’s database connection is encrypted, but these files do not set"
            " that up: add tls_CAfile (Postfix), ssl_ca (Dovecot) and ?ssl_ca=…"
            " (autoreply.env)."
        )


def iter_postfix_steps(folder: str, keeps_files: bool) -> Iterator[str]:
    if keeps_files:
        yield f"  sh {folder}/{PANEL_FOLDER}/postconf.sh"
    yield f"  postfix -c {folder} check && postfix -c {folder} reload"


def iter_dovecot_steps(choices: MailServerOptions) -> Iterator[str]:
    if choices.sieve:
        yield "  apt-get install dovecot-sieve dovecot-managesieved"
    file = f"{choices.dovecot_directory}/dovecot.conf"
    yield f"  doveconf -c {file} >/dev/null && systemctl restart dovecot"


def iter_sqlite_steps(path: Path, choices: MailServerOptions) -> Iterator[str]:
    """Give SQLite's files to a group, as every reader writes to them too."""
    group, folder = choices.database_group, path.parent
    if files := find_other_files(path):
        shown = ", ".join(files[:MAX_SHOWN_FILES])
        yield SHARED_FOLDER_MESSAGE % {"folder": folder, "files": shown}
        return
    yield f"  addgroup --system {group}"
    for user in ("postfix", choices.autoreply_user, get_file_owner(path)):
        yield f"  adduser {user} {group}"
    yield from iter_autoreply_steps(choices, group)
    yield f"  chgrp {group} {folder} {path}*"
    yield f"  chmod 2770 {folder}"
    if folder.is_relative_to("/var/lib"):
        yield _("  (if the panel runs as a systemd service, also set StateDirectoryMode=2770)")
    yield f"  chmod 0660 {path}*"
    for closed in find_closed_parents(folder):
        yield _("Other users cannot access %(folder)s. Move the database to another folder.") % {
            "folder": closed
        }


def iter_autoreply_steps(choices: MailServerOptions, group: str) -> Iterator[str]:
    """Let the autoresponder's group read its settings."""
    if (settings := Path(choices.postfix_directory, PANEL_FOLDER, "autoreply.env")).exists():
        yield f"  chgrp {group} {settings}"


def find_other_files(path: Path) -> list[str]:
    """Return the other files in the folder, which its new group could replace."""
    own = {path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal"}
    return sorted(entry.name for entry in path.parent.iterdir() if entry.name not in own)


def get_file_owner(path: Path) -> str | int:
    """Return the user name or number of a file's owner: the panel."""
    try:
        return path.owner()
    except KeyError:
        return path.stat().st_uid


def find_closed_parents(folder: Path) -> list[Path]:
    return [parent for parent in folder.parents if not parent.stat().st_mode & stat.S_IXOTH]
