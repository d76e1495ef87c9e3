"""What is left to do when the files are written."""

import stat
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailboxes.mailserver.generator.database import Database
from mailboxes.mailserver.generator.files import OWN

SHOWN = 5
ALONE = gettext_lazy(
    "Postfix and Dovecot have to share the folder of the database, and %(folder)s holds more "
    "(%(files)s): move the database into a folder of its own, and the secret key elsewhere "
    "(MAILADMIN_SECRET_KEY_FILE)."
)


def steps(choices, folders, keeps=False):
    """What root does once, in the order in which it is done."""
    database = Database.of_the_panel()
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
        yield from shared_file(Path(database.name), choices)
    else:
        yield from handed_over(choices, choices.autoreply_group)
        yield f"  mariadb < {choices.postfix_directory}/mailadmin/accounts.sql"
    if database.is_encrypted:
        yield _(
            "The panel’s connection to the database is encrypted, and these files do not say so:"
            " add tls_CAfile (Postfix), ssl_ca (Dovecot), ?ssl_ca=… (autoreply.env)."
        )
    if "postfix" in folders:
        where = choices.postfix_directory
        if keeps:
            yield f"  sh {where}/{OWN}/postconf.sh"
        yield f"  postfix -c {where} check && postfix -c {where} reload"
    if "dovecot" in folders:
        if choices.sieve:
            yield "  apt-get install dovecot-sieve dovecot-managesieved"
        yield (
            f"  doveconf -c {choices.dovecot_directory}/dovecot.conf >/dev/null"
            " && systemctl restart dovecot"
        )


def shared_file(path, choices):
    """SQLite's file and its companions are written by whoever asks, hence the group."""
    group, folder = choices.database_group, path.parent
    if beside := strangers(path):
        yield ALONE % {"folder": folder, "files": ", ".join(beside[:SHOWN])}
        return
    yield f"  addgroup --system {group}"
    for user in ("postfix", choices.autoreply_user, owner(path)):
        yield f"  adduser {user} {group}"
    yield from handed_over(choices, group)
    yield f"  chgrp {group} {folder} {path}*"
    yield f"  chmod 2770 {folder}"
    if folder.is_relative_to("/var/lib"):
        yield _("  (as a service of systemd’s the panel needs StateDirectoryMode=2770 as well)")
    yield f"  chmod 0660 {path}*"
    for closed in closed_above(folder):
        yield _("Others cannot enter %(folder)s; the database has to lie somewhere else.") % {
            "folder": closed
        }


def handed_over(choices, group):
    """The responder's settings, to those who run it."""
    if (settings := Path(choices.postfix_directory, OWN, "autoreply.env")).exists():
        yield f"  chgrp {group} {settings}"


def strangers(path):
    """What else lies in the folder: who shares it could replace that, the secret key first."""
    own = {path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal"}
    return sorted(entry.name for entry in path.parent.iterdir() if entry.name not in own)


def owner(path):
    """Whose file it is: the panel's."""
    try:
        return path.owner()
    except KeyError:
        return path.stat().st_uid


def closed_above(folder):
    return [parent for parent in folder.parents if not parent.stat().st_mode & stat.S_IXOTH]
