"""Folders with Postfix's maps as files, and Dovecot's passwd-files beside them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from mailadmin.translation import gettext as _
from mailboxes.transfer.entries import Losses, SourceEntry, SourceError
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
MAILBOX_CLASS, ALIAS_CLASS, RELAY_CLASS = "mailbox", "alias", "relay"  # Postfix's address classes
UNSUPPORTED_PARAMETERS = (
    *("virtual_uid_maps", "virtual_gid_maps", "virtual_minimum_uid", "virtual_mailbox_limit"),
    *("virtual_mailbox_limit_maps", "smtpd_sender_login_maps", "canonical_maps"),
    *("sender_canonical_maps", "recipient_canonical_maps", "relocated_maps", "smtp_generic_maps"),
    *("relay_recipient_maps", "recipient_bcc_maps", "sender_bcc_maps", "always_bcc", "relayhost"),
    *("sender_dependent_relayhost_maps", "mydestination", "alias_maps", "local_recipient_maps"),
)


class MapFolderSource(NamedTuple):
    """The folder or the file that the operator named, and the tables of its rows."""

    path: Path
    staging: Staging


@contextmanager
def open_map_folder(text: str) -> Iterator[MapFolderSource]:
    """Open the folder named by its path, by its main.cf or by an archive of it."""
    path = Path(text).absolute()
    if not path.exists():
        raise SourceError(_("No such file or folder."), str(text))
    if path.name == MAIN_CF and path.is_file():
        path = path.parent
    with open_folder_or_archive(path, MAIN_CF) as folder, Staging() as staging:
        yield MapFolderSource(folder, staging)


def read(source: MapFolderSource, losses: Losses, scheme: str = "") -> Iterator[SourceEntry]:
    """Yield domains, mailboxes, aliases, alias domains and transports."""
    check_scheme(scheme)
    staging = source.staging
    staging.create_table("_domains", ["name", "class", "place"])
    staging.create_table("_mailboxes", ["address", "maildir", "place"])
    staging.create_table("_aliases", ALIAS_COLUMNS)
    staging.create_table("_transports", ["pattern", "transport", "place"])
    staging.create_table("_logins", passwdfiles.LOGIN_COLUMNS)
    load_source(source, losses)
    delete_duplicate_keys(staging, losses)
    note_catch_alls(staging, losses, "_mailboxes", "address", "_aliases")
    return iter_map_entries(staging, losses, scheme)


def load_source(source: MapFolderSource, losses: Losses) -> None:
    """Fill the tables: by main.cf if there is one, else by the content of the files."""
    folder = source.path if source.path.is_dir() else source.path.parent
    files = MapFiles(folder, losses)
    if (source.path / MAIN_CF).is_file():
        load_from_main_cf(files, source.staging)
        load_passwd_files(files, source.staging)
    else:
        paths = files.list_files() if source.path.is_dir() else [source.path]
        detect.load_by_content(files, paths, source.staging)
    if not any(map(source.staging.count_rows, ("_domains", "_mailboxes", "_aliases", "_logins"))):
        text = _("No files with virtual domains, mailboxes or aliases found.")
        raise SourceError(text, str(source.path))


# By main.cf


def load_from_main_cf(files: MapFiles, staging: Staging) -> None:
    check_main_cf(files)
    staging.insert_rows(
        "_domains", iter_domain_rows(files, "virtual_mailbox_domains", MAILBOX_CLASS)
    )
    staging.insert_rows("_mailboxes", iter_mailbox_rows(files))
    staging.insert_rows("_aliases", iter_alias_rows(files))
    load_alias_domains(files, staging)
    staging.insert_rows("_domains", iter_relay_rows(files))
    staging.insert_rows("_transports", files.iter_pairs("transport_maps"))
    note_mail_directory(files)
    for name in UNSUPPORTED_PARAMETERS:
        if files.postfix.is_set(name):
            text = _("Other parameters of main.cf: not imported.")
            files.losses.add(text, files.format_setting(name))


def check_main_cf(files: MapFiles) -> None:
    if problems := files.postfix.main_settings.problems:
        text = problems[0].reason or _("This line is not valid in main.cf.")
        raise SourceError(text, files.place_of_line(problems[0].line))


def iter_domain_rows(
    files: MapFiles, parameter: str, domain_class: str
) -> Iterator[tuple[str, str, str]]:
    """Yield rows of `_domains`; keys that are addresses are not domains."""
    for name, place in files.iter_names(parameter):
        if "@" not in name:
            yield name, domain_class, place


def iter_mailbox_rows(files: MapFiles) -> Iterator[tuple[str, str, str]]:
    for address, path, place in files.iter_pairs("virtual_mailbox_maps"):
        if address.startswith("@"):
            text = _("Mailbox for a whole domain: skipped. Create a catch-all instead.")
            files.losses.add(text, place)
        elif "@" in address:
            yield address, path, place


def iter_alias_rows(files: MapFiles) -> Iterator[tuple[str, str, str, int]]:
    for number, (address, goto, place) in enumerate(files.iter_pairs("virtual_alias_maps")):
        yield address, goto, place, number


def load_alias_domains(files: MapFiles, staging: Staging) -> None:
    """Load virtual_alias_domains; if that is not set, the domains among the aliases' keys."""
    if files.postfix.is_set("virtual_alias_domains"):
        staging.insert_rows(
            "_domains", iter_domain_rows(files, "virtual_alias_domains", ALIAS_CLASS)
        )
    else:
        sql = "SELECT address, ?, place FROM _aliases WHERE address LIKE '%.%'"
        rows = staging.query(f"{sql} AND address NOT LIKE '%@%'", [ALIAS_CLASS])
        staging.insert_rows("_domains", rows)


def iter_relay_rows(files: MapFiles) -> Iterator[tuple[str, str, str]]:
    """Yield relay domains, without those of mydestination."""
    if not files.postfix.is_set("relay_domains"):
        return
    own_domains = {word.lower() for word in files.postfix.words("mydestination")}
    for name, domain_class, place in iter_domain_rows(files, "relay_domains", RELAY_CLASS):
        if name.lower() not in own_domains:
            yield name, domain_class, place


def note_mail_directory(files: MapFiles) -> None:
    """Note where the mail is: only the panel's mail server configuration stores that."""
    if not files.postfix.is_set("virtual_mailbox_maps"):
        return
    base = files.postfix.value("virtual_mailbox_base").rstrip("/") or "/"
    text = _(
        "The mail is stored in %(folder)s: generate the mail server configuration with"
        " this mail directory."
    )
    files.losses.add(text % {"folder": base}, files.format_setting("virtual_mailbox_base"))


def load_passwd_files(files: MapFiles, staging: Staging) -> None:
    """Load the passwd-files that Dovecot's configuration names, else files that look like one."""
    candidates = {files.folder, files.folder / "dovecot", files.root / "dovecot"}
    folders = [folder for folder in sorted(candidates) if files.is_in_source(folder)]
    configured = list(passwdfiles.iter_configured_files(folders, files.is_in_source))
    for file in configured or detect.find_passwd_files(files, folders):
        if file.path.is_file() and files.is_in_source(file.path):
            staging.insert_rows("_logins", passwdfiles.iter_login_rows(file, files))
        else:
            text = _("A passwd-file named in Dovecot's configuration does not exist.")
            files.losses.add(text, files.display_path(file.path))


# Entries


def delete_duplicate_keys(staging: Staging, losses: Losses) -> None:
    """Keep the first of equal keys, as Postfix does, and one class for each domain."""
    staging.delete_rows("_aliases", DOMAIN_DECLARATIONS_SQL)
    for table, key in KEY_COLUMNS.items():
        for place in staging.delete_duplicates(table, key):
            losses.add(_("Duplicate key: only the first one is used."), place)


KEY_COLUMNS = {
    "_domains": "name",
    "_mailboxes": "address",
    "_aliases": "address",
    "_transports": "pattern",
    "_logins": "address",
}
# A domain as key of an alias row declares an alias domain, unless it is a mailbox domain.
DOMAIN_DECLARATIONS_SQL = f"""
    address IN (SELECT name FROM _domains WHERE class = '{ALIAS_CLASS}')
    AND address NOT IN (SELECT name FROM _domains WHERE class = '{MAILBOX_CLASS}')
"""  # noqa: S608 (our own words)


def iter_map_entries(staging: Staging, losses: Losses, scheme: str) -> Iterator[SourceEntry]:
    yield from iter_domain_entries(staging)
    yield from iter_mailbox_entries(staging, losses, scheme)
    yield from iter_alias_entries(staging)
    for row in staging.query("SELECT * FROM _transports ORDER BY rowid"):
        if row["pattern"] == settings.MAILADMIN_VACATION_DOMAIN:
            losses.add(_("Vacation replies are not stored in these files."), row["place"])
            continue
        values = {"pattern": row["pattern"], "transport": row["transport"]}
        yield SourceEntry("transport", values, row["place"])


def iter_domain_entries(staging: Staging) -> Iterator[SourceEntry]:
    rows = staging.query("SELECT pattern, transport FROM _transports ORDER BY rowid")
    transports = map_domain_transports(tuple(row) for row in rows)
    for row in staging.query("SELECT * FROM _domains ORDER BY rowid"):
        values = {"domain": row["name"]}
        if row["class"] == RELAY_CLASS:
            values["backupmx"] = "1"
        if transport := transports.get(row["name"].lower()):
            values["transport"] = transport
        yield SourceEntry("domain", values, row["place"])


MAILBOXES_SQL = """SELECT m.*, l.password, l.quota, l.scheme FROM _mailboxes m
    LEFT JOIN _logins l ON l.address = m.address ORDER BY m.rowid"""


def iter_mailbox_entries(staging: Staging, losses: Losses, scheme: str) -> Iterator[SourceEntry]:
    """Yield mailboxes, with their passwords if there are any."""
    add_mailboxes_of_logins(staging, losses)
    staging.create_index("_logins", "address")
    for row in staging.query(MAILBOXES_SQL):
        values = {"username": row["address"]}
        if row["maildir"]:
            note_mbox(row["maildir"], row["place"], losses)
            values["maildir"] = row["maildir"]
        if row["quota"]:
            values["quota_bytes"] = row["quota"]
        row_scheme = scheme or row["scheme"] or ""
        values |= build_password_values(row["password"], row["place"], losses, row_scheme)
        yield SourceEntry("mailbox", values, row["place"])


def add_mailboxes_of_logins(staging: Staging, losses: Losses) -> None:
    """Take logins as mailboxes if no map lists mailboxes; else leave out logins without one."""
    if not staging.count_rows("_mailboxes"):
        staging.insert_rows("_mailboxes", staging.query("SELECT address, NULL, place FROM _logins"))
        return
    staging.create_index("_mailboxes", "address")
    sql = "SELECT place FROM _logins WHERE address NOT IN (SELECT address FROM _mailboxes)"
    for row in staging.query(sql):
        losses.add(_("Login without a mailbox: skipped."), row["place"])
