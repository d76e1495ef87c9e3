"""Folders of Postfix's with its maps as files, and Dovecot's passwd-files beside them."""

from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.utils.translation import gettext as _

from mailboxes.transfer.entries import SourceEntry, SourceError
from mailboxes.transfer.readers import detect, passwdfiles
from mailboxes.transfer.readers.hashes import build_password_values, check_scheme
from mailboxes.transfer.readers.maildirs import note_mbox
from mailboxes.transfer.readers.mapfiles import MapFiles
from mailboxes.transfer.readers.routes import (
    ALIAS_COLUMNS,
    iter_alias_entries,
    map_domain_transports,
    note_catch_alls,
)
from mailboxes.transfer.readers.staging import Staging
from mailboxes.transfer.readers.unpacking import open_folder_or_archive

MAIN_CF = "main.cf"
MAILBOX_CLASS, ALIAS_CLASS, RELAY_CLASS = (
    "mailbox",
    "alias",
    "relay",
)  # Postfix's classes of domains
UNSUPPORTED_PARAMETERS = (
    *("virtual_uid_maps", "virtual_gid_maps", "virtual_minimum_uid", "virtual_mailbox_limit"),
    *("virtual_mailbox_limit_maps", "smtpd_sender_login_maps", "canonical_maps"),
    *("sender_canonical_maps", "recipient_canonical_maps", "relocated_maps", "smtp_generic_maps"),
    *("relay_recipient_maps", "recipient_bcc_maps", "sender_bcc_maps", "always_bcc", "relayhost"),
    *("sender_dependent_relayhost_maps", "mydestination", "alias_maps", "local_recipient_maps"),
)


class MapFolderSource(NamedTuple):
    """What the operator has named: a folder, or one file; and where its rows are kept."""

    path: Path
    staging: Staging


@contextmanager
def open_map_folder(text):
    """The folder that is meant by a path to it, to its main.cf or to an archive of it."""
    path = Path(text).absolute()
    if not path.exists():
        raise SourceError(_("There is no such file or folder."), str(text))
    if path.name == MAIN_CF and path.is_file():
        path = path.parent
    with open_folder_or_archive(path, MAIN_CF) as folder, Staging() as staging:
        yield MapFolderSource(folder, staging)


def read(source, losses, scheme=""):
    """Domains, mailboxes, aliases, alias domains and transports."""
    check_scheme(scheme)
    staging = source.staging
    staging.create("_domains", ["name", "class", "place"])
    staging.create("_mailboxes", ["address", "maildir", "place"])
    staging.create("_aliases", ALIAS_COLUMNS)
    staging.create("_transports", ["pattern", "transport", "place"])
    staging.create("_logins", passwdfiles.LOGIN_COLUMNS)
    load_source(source, losses)
    delete_duplicate_keys(staging, losses)
    note_catch_alls(staging, losses, "_mailboxes", "address", "_aliases")
    return iter_map_entries(staging, losses, scheme)


def load_source(source, losses):
    """Fill the tables: by main.cf if there is one, else by what the files look like."""
    folder = source.path if source.path.is_dir() else source.path.parent
    files = MapFiles(folder, losses)
    if (source.path / MAIN_CF).is_file():
        load_from_main_cf(files, source.staging)
        load_passwd_files(files, source.staging)
    else:
        paths = files.files() if source.path.is_dir() else [source.path]
        detect.load_by_content(files, paths, source.staging)
    if not any(map(source.staging.count, ("_domains", "_mailboxes", "_aliases", "_logins"))):
        text = _("Nothing there names virtual domains, mailboxes or aliases in files.")
        raise SourceError(text, str(source.path))


# By main.cf


def load_from_main_cf(files, staging):
    check_main_cf(files)
    staging.insert("_domains", iter_domain_rows(files, "virtual_mailbox_domains", MAILBOX_CLASS))
    staging.insert("_mailboxes", iter_mailbox_rows(files))
    staging.insert("_aliases", iter_alias_rows(files))
    load_alias_domains(files, staging)
    staging.insert("_domains", iter_relay_rows(files))
    staging.insert("_transports", files.pairs("transport_maps"))
    note_mail_directory(files)
    for name in UNSUPPORTED_PARAMETERS:
        if files.postfix.is_set(name):
            text = _("What main.cf sets here is not carried over.")
            files.losses.add(text, files.setting(name))


def check_main_cf(files):
    if problems := files.postfix.main_settings.problems:
        text = problems[0].reason or _("This is no line of a main.cf.")
        raise SourceError(text, files.place_of(problems[0].line))


def iter_domain_rows(files, parameter, kind):
    """Rows of `_domains`; a key that is an address is none of a domain's."""
    for name, place in files.names(parameter):
        if "@" not in name:
            yield name, kind, place


def iter_mailbox_rows(files):
    for address, path, place in files.pairs("virtual_mailbox_maps"):
        if address.startswith("@"):
            text = _("A mailbox for everybody in a domain is left out: make a catch-all of it.")
            files.losses.add(text, place)
        elif "@" in address:
            yield address, path, place


def iter_alias_rows(files):
    for number, (address, goto, place) in enumerate(files.pairs("virtual_alias_maps")):
        yield address, goto, place, number


def load_alias_domains(files, staging):
    """Those of virtual_alias_domains; where it is not set, those that stand among the aliases."""
    if files.postfix.is_set("virtual_alias_domains"):
        staging.insert("_domains", iter_domain_rows(files, "virtual_alias_domains", ALIAS_CLASS))
    else:
        sql = "SELECT address, ?, place FROM _aliases WHERE address LIKE '%.%'"
        found = staging.rows(f"{sql} AND address NOT LIKE '%@%'", [ALIAS_CLASS])
        staging.insert("_domains", found)


def iter_relay_rows(files):
    """Domains for which mail is kept and sent on; not those that main.cf means for itself."""
    if not files.postfix.is_set("relay_domains"):
        return
    own = {word.lower() for word in files.postfix.words("mydestination")}
    for name, kind, place in iter_domain_rows(files, "relay_domains", RELAY_CLASS):
        if name.lower() not in own:
            yield name, kind, place


def note_mail_directory(files):
    """Where mail lies is for the panel's configuration to know."""
    if not files.postfix.is_set("virtual_mailbox_maps"):
        return
    base = files.postfix.value("virtual_mailbox_base").rstrip("/") or "/"
    text = _("Mail lies below %(folder)s: write the panel's configuration with that folder.")
    files.losses.add(text % {"folder": base}, files.setting("virtual_mailbox_base"))


def load_passwd_files(files, staging):
    """By Dovecot's own files, else by what looks like a passwd-file there."""
    folders = {files.folder, files.folder / "dovecot", files.root / "dovecot"}
    folders = [folder for folder in sorted(folders) if files.reaches(folder)]
    found = list(passwdfiles.iter_configured_files(folders, files.reaches))
    for file in found or detect.find_passwd_files(files, folders):
        if file.path.is_file() and files.reaches(file.path):
            staging.insert("_logins", passwdfiles.iter_login_rows(file, files))
        else:
            text = _("A passwd-file that Dovecot names is not there.")
            files.losses.add(text, files.shown(file.path))


# What counts


def delete_duplicate_keys(staging, losses):
    """Of a key that is there twice the first counts, as for Postfix; a domain is of one class."""
    staging.delete("_aliases", DOMAIN_DECLARATIONS_SQL)
    for table, key in KEY_COLUMNS.items():
        for place in staging.delete_duplicates(table, key):
            losses.add(_("A key that is there again: only the first of them counts."), place)


KEY_COLUMNS = {
    "_domains": "name",
    "_mailboxes": "address",
    "_aliases": "address",
    "_transports": "pattern",
    "_logins": "address",
}
# A domain on the left of an alias says that it is one without mailboxes, where it has none.
DOMAIN_DECLARATIONS_SQL = f"""
    address IN (SELECT name FROM _domains WHERE class = '{ALIAS_CLASS}')
    AND address NOT IN (SELECT name FROM _domains WHERE class = '{MAILBOX_CLASS}')
"""  # noqa: S608 (our own words)


def iter_map_entries(staging, losses, scheme):
    yield from iter_domain_entries(staging)
    yield from iter_mailbox_entries(staging, losses, scheme)
    yield from iter_alias_entries(staging)
    for row in staging.rows("SELECT * FROM _transports ORDER BY rowid"):
        if row["pattern"] == settings.MAILADMIN_VACATION_DOMAIN:
            losses.add(
                _("The answers of people who are away are not in these files."), row["place"]
            )
            continue
        values = {"pattern": row["pattern"], "transport": row["transport"]}
        yield SourceEntry("transport", values, row["place"])


def iter_domain_entries(staging):
    rows = staging.rows("SELECT pattern, transport FROM _transports ORDER BY rowid")
    ways = map_domain_transports(tuple(row) for row in rows)
    for row in staging.rows("SELECT * FROM _domains ORDER BY rowid"):
        values = {"domain": row["name"]}
        if row["class"] == RELAY_CLASS:
            values["backupmx"] = "1"
        if way := ways.get(row["name"].lower()):
            values["transport"] = way
        yield SourceEntry("domain", values, row["place"])


MAILBOXES_SQL = """SELECT m.*, l.password, l.quota, l.scheme FROM _mailboxes m
    LEFT JOIN _logins l ON l.address = m.address ORDER BY m.rowid"""


def iter_mailbox_entries(staging, losses, scheme):
    """Mailboxes with their passwords, those of them that have one."""
    add_mailboxes_of_logins(staging, losses)
    staging.index("_logins", "address")
    for row in staging.rows(MAILBOXES_SQL):
        values = {"username": row["address"]}
        if row["maildir"]:
            note_mbox(row["maildir"], row["place"], losses)
            values["maildir"] = row["maildir"]
        if row["quota"]:
            values["quota_bytes"] = row["quota"]
        scheme_here = scheme or row["scheme"] or ""
        values |= build_password_values(row["password"], row["place"], losses, scheme_here)
        yield SourceEntry("mailbox", values, row["place"])


def add_mailboxes_of_logins(staging, losses):
    """Who logs in has a mailbox where no map says who has one; else the map is right."""
    if not staging.count("_mailboxes"):
        staging.insert("_mailboxes", staging.rows("SELECT address, NULL, place FROM _logins"))
        return
    staging.index("_mailboxes", "address")
    sql = "SELECT place FROM _logins WHERE address NOT IN (SELECT address FROM _mailboxes)"
    for row in staging.rows(sql):
        losses.add(_("A login without a mailbox is left out."), row["place"])
