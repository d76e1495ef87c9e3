"""PostfixAdmin's databases of any version, complete or partly: read from the tables that exist."""

import re
import sqlite3
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from mailadmin.translation import gettext as _
from mailboxes.models.goto import split_goto
from mailboxes.transfer.entries import Losses, SourceEntry, SourceError
from mailboxes.transfer.readers.hashes import (
    DOVECOT_HEX_SCHEMES,
    build_password_values,
    check_scheme,
)
from mailboxes.transfer.readers.maildirs import note_mbox
from mailboxes.transfer.readers.postfixadmin_schema import (
    CUSTOM_COLUMNS,
    IMPORTED_COLUMNS,
    KNOWN_COLUMNS,
    REQUIRED_COLUMNS,
    SINGLE_LINE_COLUMNS,
    SKIPPED_TABLE_NOTES,
    TIMESTAMP_COLUMNS,
    TRANSPORT_TABLE,
)
from mailboxes.transfer.readers.routes import find_alias_error, note_catch_alls, unique_targets
from mailboxes.transfer.readers.staging import (
    Staging,
    check_schema,
    format_table_count,
    note_unknown_columns,
    quote_identifier,
)

SYSTEM = "PostfixAdmin"
ALL_DOMAINS = "ALL"  # PostfixAdmin's name for every domain
ZERO_DATE = "0000-00-00"
DATE_COLUMNS = ("password_expiry", "activefrom", "activeuntil")
PANEL_TABLE_PREFIXES = ("mailadmin_", "django_")


def is_wanted(table: str) -> bool:
    """Tell whether it may be PostfixAdmin's; table prefixes are known only when all are loaded."""
    return table.endswith(tuple(KNOWN_COLUMNS))


def read(staging: Staging, losses: Losses, scheme: str = "") -> Iterator[SourceEntry]:
    """Yield everything that the panel stores as well, one row type after the other."""
    check_scheme(scheme)
    strip_table_prefix(staging)
    check_schema(staging, SYSTEM, REQUIRED_COLUMNS)
    note_skipped_tables(staging, losses)
    note_unknown_columns(staging, KNOWN_COLUMNS, losses)
    for table, column in (
        *(("mailbox", "username"), ("admin", "username"), ("domain_admins", "username")),
        *(("domain", "domain"), ("dkim", "id"), ("alias", "address")),
    ):
        staging.create_index(table, column)
    note_catch_alls(staging, losses, "mailbox", "username", "alias")
    return iter_postfixadmin_entries(PostfixAdminSource(staging, losses, scheme))


# Tables


def strip_table_prefix(staging: Staging) -> None:
    """Rename PostfixAdmin's tables to their names without prefix, and drop all others."""
    tables = staging.tables()
    prefixes = sorted(
        {name.removesuffix("domain") for name in tables if is_complete_installation(name, tables)}
    )
    if len(prefixes) > 1:
        text = _(
            "The source contains several PostfixAdmin installations, with the prefixes"
            " %(prefixes)s. Dump only one of them."
        )
        raise SourceError(text % {"prefixes": ", ".join(f"“{name}”" for name in prefixes)})
    prefix = prefixes[0] if prefixes else ""
    names = {prefix + table: table for table in KNOWN_COLUMNS if table != TRANSPORT_TABLE}
    staging.keep_tables(names | {TRANSPORT_TABLE: TRANSPORT_TABLE})
    staging.skipped_tables = {
        table.removeprefix(prefix): count for table, count in staging.skipped_tables.items()
    }


def is_complete_installation(name: str, tables: Collection[str]) -> bool:
    prefix = name.removesuffix("domain")
    return name.endswith("domain") and {prefix + "mailbox", prefix + "alias"} <= set(tables)


def note_skipped_tables(staging: Staging, losses: Losses) -> None:
    for table in list(staging.skipped_tables):
        if text := describe_skipped_table(table):
            count = staging.skipped_tables.pop(table)
            if count != 0:
                losses.add(text, format_table_count(table, count))


def describe_skipped_table(table: str) -> object:
    if table.startswith(PANEL_TABLE_PREFIXES):
        return _("Internal data of another panel: not imported.")
    return SKIPPED_TABLE_NOTES.get(table)


# Values


class PostfixAdminSource(NamedTuple):
    """The tables to read, the losses to note, and the scheme of hashes without a prefix."""

    staging: Staging
    losses: Losses
    scheme: str

    def rows(self, table: str, where: str = "") -> Iterator[sqlite3.Row]:
        """Return the rows of a table in their order, none if it does not exist."""
        if not self.staging.has_table(table):
            return iter(())
        return self.staging.query(f"SELECT * FROM {quote_identifier(table)} {where} ORDER BY rowid")  # noqa: S608

    def imported_values(self, table: str, row: sqlite3.Row, place: str) -> dict[str, Any]:
        """Return the columns that the panel has as well, without those that are missing or NULL."""
        present = {name: row[name] for name in IMPORTED_COLUMNS[table] if name in row.keys()}  # noqa: SIM118
        return {
            name: self.clean_value(name, value, place)
            for name, value in present.items()
            if value is not None
        }

    def clean_value(self, name: str, value: str, place: str) -> str | None:
        if name in DATE_COLUMNS and value.startswith(ZERO_DATE):
            return None
        if name in SINGLE_LINE_COLUMNS and re.search(r"[\r\n\t]", value):
            self.losses.add(_("Line breaks in a text: replaced by spaces."), place)
            return " ".join(value.split())
        return value

    def build_password(self, row: sqlite3.Row, place: str) -> dict[str, str]:
        return build_password_values(
            row["password"], place, self.losses, self.scheme, DOVECOT_HEX_SCHEMES
        )


def iter_postfixadmin_entries(source: PostfixAdminSource) -> Iterator[SourceEntry]:
    note_unsupported_values(source)
    yield from iter_domain_entries(source)
    yield from iter_admin_entries(source)
    yield from iter_mailbox_entries(source)
    yield from iter_alias_entries(source)
    yield from iter_alias_domain_entries(source)
    yield from iter_vacation_entries(source)
    yield from iter_transport_entries(source)
    yield from iter_fetchmail_entries(source)
    yield from iter_app_password_entries(source)
    yield from iter_dkim_key_entries(source)
    yield from iter_dkim_signing_entries(source)
    yield from iter_totp_exception_entries(source)


def note_unsupported_values(source: PostfixAdminSource) -> None:
    staging, losses = source.staging, source.losses
    for table in ("domain", "mailbox", "alias"):
        if staging.has_table(table, *TIMESTAMP_COLUMNS) and (count := staging.count_rows(table)):
            text = _("Creation and modification dates: not imported.")
            losses.add(text, format_table_count(table, count), count)
    for table in ("admin", "mailbox"):
        if staging.has_table(table, "token") and (
            count := staging.count_rows(table, "token <> ''")
        ):
            text = _("Password reset codes that were sent become invalid.")
            losses.add(text, format_table_count(table, count), count)


# Entries


def iter_domain_entries(source: PostfixAdminSource) -> Iterator[SourceEntry]:
    for row in source.rows("domain", "WHERE domain <> 'ALL'"):
        place = f"domain, {row['domain']}"
        yield SourceEntry("domain", source.imported_values("domain", row, place), place)


def iter_alias_domain_entries(source: PostfixAdminSource) -> Iterator[SourceEntry]:
    for row in source.rows("alias_domain"):
        place = f"alias_domain, {row['alias_domain']}"
        yield SourceEntry("alias-domain", source.imported_values("alias_domain", row, place), place)


def iter_admin_entries(source: PostfixAdminSource) -> Iterator[SourceEntry]:
    for row in source.rows("admin"):
        place = f"admin, {row['username']}"
        values = source.imported_values("admin", row, place) | source.build_password(row, place)
        assigned = list(iter_assigned_domains(source, row["username"]))
        names = [name for name in assigned if name != ALL_DOMAINS]
        has_column = "superadmin" in row.keys()  # noqa: SIM118 (a row is no dictionary)
        values["superadmin"] = row["superadmin"] if has_column else ALL_DOMAINS in assigned
        yield SourceEntry("admin", values | {"domains": names}, place)
    note_orphaned_assignments(source)


def iter_assigned_domains(source: PostfixAdminSource, username: str) -> Iterator[str]:
    """Yield the domains of an admin, and `ALL`; note those that are inactive or missing."""
    if not source.staging.has_table("domain_admins"):
        return
    sql = """SELECT a.*, d.domain AS known FROM domain_admins a
        LEFT JOIN domain d ON d.domain = a.domain WHERE a.username = ? ORDER BY a.rowid"""
    seen = set()
    for row in source.staging.query(sql, [username]):
        place = f"domain_admins, {username}, {row['domain']}"
        if row["active"] == "0":
            source.losses.add(_("Inactive domain assignment of an admin: skipped."), place)
        elif not (row["known"] or row["domain"] == ALL_DOMAINS):
            source.losses.add(_("Assignment of a domain that does not exist: skipped."), place)
        elif row["domain"].lower() not in seen:
            seen.add(row["domain"].lower())
            yield row["domain"]


def note_orphaned_assignments(source: PostfixAdminSource) -> None:
    if not (source.staging.has_table("domain_admins") and source.staging.has_table("admin")):
        return
    sql = """SELECT username, domain FROM domain_admins
        WHERE username NOT IN (SELECT username FROM admin WHERE username IS NOT NULL)"""
    for row in source.staging.query(sql):
        text = _("Domain assignment of an admin who does not exist: skipped.")
        source.losses.add(text, f"domain_admins, {row['username']}, {row['domain']}")


def iter_mailbox_entries(source: PostfixAdminSource) -> Iterator[SourceEntry]:
    for row in source.rows("mailbox"):
        place = f"mailbox, {row['username']}"
        values = source.imported_values("mailbox", row, place) | source.build_password(row, place)
        if "quota" in row.keys() and row["quota"] is not None:  # noqa: SIM118
            values["quota_bytes"] = row["quota"]
        note_mbox(row["maildir"], place, source.losses)
        yield SourceEntry("mailbox", values, place)


ALIASES_SQL = """SELECT a.*, m.username AS mailbox FROM alias a
    LEFT JOIN mailbox m ON m.username = a.address ORDER BY a.rowid"""


def iter_alias_entries(source: PostfixAdminSource) -> Iterator[SourceEntry]:
    """Yield aliases, without those that only deliver to their own mailbox."""
    for row in source.staging.query(ALIASES_SQL):
        address, place = row["address"] or "", f"alias, {row['address']}"
        targets = unique_targets(split_goto(row["goto"]))
        other_targets = [
            target for target in targets if not is_own_vacation_target(address, target)
        ]
        if row["mailbox"] and not other_targets and targets:
            source.losses.add(
                _("Mail was answered but not kept: a copy is now kept in the mailbox."), place
            )
        imported = source.imported_values("alias", row, place)
        is_default = [target.lower() for target in other_targets] in ([], [address.lower()])
        if row["mailbox"] and is_default and not any(map(imported.get, CUSTOM_COLUMNS["alias"])):
            continue
        values = {"address": address, "goto": other_targets} | imported
        yield SourceEntry("alias", values, place, find_alias_error(address, other_targets))


def is_own_vacation_target(address: str, target: str) -> bool:
    """Tell whether a target passes the address's mail to PostfixAdmin's responder."""
    return target.lower().rpartition("@")[0] == address.lower().replace("@", "#") != ""


def iter_vacation_entries(source: PostfixAdminSource) -> Iterator[SourceEntry]:
    if not source.staging.has_table("vacation"):
        return
    sql = """SELECT v.*, a.goto AS goto FROM vacation v
        LEFT JOIN alias a ON a.address = v.email ORDER BY v.rowid"""
    for row in source.staging.query(sql):
        place = f"vacation, {row['email']}"
        values = source.imported_values("vacation", row, place)
        is_used = any(
            is_own_vacation_target(row["email"] or "", goto) for goto in split_goto(row["goto"])
        )
        if values.get("active") != "0" and not is_used:
            text = _("Vacation reply that received no mail: imported as inactive.")
            source.losses.add(text, place)
            values["active"] = "0"
        yield SourceEntry("vacation", values, place)


def iter_transport_entries(source: PostfixAdminSource) -> Iterator[SourceEntry]:
    for row in source.rows(TRANSPORT_TABLE):
        place = f"{TRANSPORT_TABLE}, {row['pattern']}"
        yield SourceEntry("transport", source.imported_values(TRANSPORT_TABLE, row, place), place)


def iter_fetchmail_entries(source: PostfixAdminSource) -> Iterator[SourceEntry]:
    for row in source.rows("fetchmail"):
        place = f"fetchmail, id {row['id']}"
        values = source.imported_values("fetchmail", row, place)
        if "ssl" in row.keys() and row["ssl"] is not None:  # noqa: SIM118 (its name of old)
            values.setdefault("usessl", row["ssl"])
        yield SourceEntry("fetchmail", values, place)


def iter_app_password_entries(source: PostfixAdminSource) -> Iterator[SourceEntry]:
    for row in source.rows("mailbox_app_password"):
        place = f"mailbox_app_password, id {row['id']}"
        if row["username"] is None:
            source.losses.add(_("App password without a mailbox: skipped."), place)
            continue
        values = {"mailbox": row["username"]} | source.imported_values(
            "mailbox_app_password", row, place
        )
        hashed = build_password_values(row["password_hash"], place, source.losses, source.scheme)
        yield SourceEntry("app-password", values | hashed, place)


def iter_dkim_key_entries(source: PostfixAdminSource) -> Iterator[SourceEntry]:
    for row in source.rows("dkim"):
        place = f"dkim, id {row['id']}"
        yield SourceEntry("dkim-key", source.imported_values("dkim", row, place), place)


def iter_dkim_signing_entries(source: PostfixAdminSource) -> Iterator[SourceEntry]:
    if not (source.staging.has_table("dkim_signing") and source.staging.has_table("dkim")):
        return
    sql = """SELECT s.id, s.author, k.selector, k.domain_name FROM dkim_signing s
        LEFT JOIN dkim k ON k.id = s.dkim_id ORDER BY s.rowid"""
    for row in source.staging.query(sql):
        names = ("author", "selector", "domain_name")
        values = {name: row[name] for name in names if row[name] is not None}
        error = "" if "domain_name" in values else _("Its key is not in the source.")
        yield SourceEntry("dkim-signing", values, f"dkim_signing, id {row['id']}", error)


def iter_totp_exception_entries(source: PostfixAdminSource) -> Iterator[SourceEntry]:
    for row in source.rows("totp_exception_address"):
        place = f"totp_exception_address, id {row['id']}"
        yield SourceEntry(
            "totp-exception", source.imported_values("totp_exception_address", row, place), place
        )
