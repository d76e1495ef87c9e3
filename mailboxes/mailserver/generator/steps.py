"""What is left to do when the files are written."""

import stat
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailboxes.mailserver.generator.database import DatabaseLocation
from mailboxes.mailserver.generator.files import PANEL_FOLDER

MAX_SHOWN_FILES = 5
SHARED_FOLDER_MESSAGE = gettext_lazy(
    "Postfix and Dovecot have to share the folder of the database, and %(folder)s holds more "
    "(%(files)s): move the database into a folder of its own, and the secret key elsewhere "
    "(MAILADMIN_SECRET_KEY_FILE)."
)


def iter_next_steps(choices, folders, keeps=False):
    """What root does once, in the order in which it is done."""
    database = DatabaseLocation.from_connection()
    yield _("What is left to do, as root:")
    yield (
        f"  adduser --system --group --home {choices.mail_directory} --no-create-home"
        f" {choices.mail_user}"
    )
    yield (
        f"  install -d -o {choices.mail_user} -g {choices.mail_group} -m 2770"
        f" {choices.mail_directory}"
    )
    yield (
        f"  adduser --system --group --home /nonexistent --no-create-home {choices.autoreply_user}"
    )
    if database.is_sqlite:
        yield from iter_sqlite_steps(Path(database.name), choices)
    else:
        yield from iter_autoreply_steps(choices, choices.autoreply_group)
        yield f"  mariadb < {choices.postfix_directory}/mailadmin/accounts.sql"
    if database.is_encrypted:
        yield _(
            "The panel’s connection to the database is encrypted, and these files do not say so:"
            " add tls_CAfile (Postfix), ssl_ca (Dovecot), ?ssl_ca=… (autoreply.env)."
        )
    if "postfix" in folders:
        where = choices.postfix_directory
        if keeps:
            yield f"  sh {where}/{PANEL_FOLDER}/postconf.sh"
        yield f"  postfix -c {where} check && postfix -c {where} reload"
    if "dovecot" in folders:
        if choices.sieve:
            yield "  apt-get install dovecot-sieve dovecot-managesieved"
        yield (
            f"  doveconf -c {choices.dovecot_directory}/dovecot.conf >/dev/null"
            " && systemctl restart dovecot"
        )


def iter_sqlite_steps(path, choices):
    """SQLite's file and its companions are written by whoever asks, hence the group."""
    group, folder = choices.database_group, path.parent
    if beside := find_other_files(path):
        yield SHARED_FOLDER_MESSAGE % {
            "folder": folder,
            "files": ", ".join(beside[:MAX_SHOWN_FILES]),
        }
        return
    yield f"  addgroup --system {group}"
    for user in ("postfix", choices.autoreply_user, get_file_owner(path)):
        yield f"  adduser {user} {group}"
    yield from iter_autoreply_steps(choices, group)
    yield f"  chgrp {group} {folder} {path}*"
    yield f"  chmod 2770 {folder}"
    if folder.is_relative_to("/var/lib"):
        yield _("  (as a service of systemd’s the panel needs StateDirectoryMode=2770 as well)")
    yield f"  chmod 0660 {path}*"
    for closed in find_closed_parents(folder):
        yield _("Others cannot enter %(folder)s; the database has to lie somewhere else.") % {
            "folder": closed
        }


def iter_autoreply_steps(choices, group):
    """The responder's settings, to those who run it."""
    if (settings := Path(choices.postfix_directory, PANEL_FOLDER, "autoreply.env")).exists():
        yield f"  chgrp {group} {settings}"


def find_other_files(path):
    """What else lies in the folder: who shares it could replace that, the secret key first."""
    own = {path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal"}
    return sorted(entry.name for entry in path.parent.iterdir() if entry.name not in own)


def get_file_owner(path):
    """Whose file it is: the panel's."""
    try:
        return path.owner()
    except KeyError:
        return path.stat().st_uid


def find_closed_parents(folder):
    return [parent for parent in folder.parents if not parent.stat().st_mode & stat.S_IXOTH]
