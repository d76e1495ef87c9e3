"""PostfixAdmin's databases of any version, and parts of one: from the tables that there are."""

import re
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailadmin.db.fields import split_goto
from mailboxes.transfer.entries import SourceEntry, SourceError
from mailboxes.transfer.readers.hashes import (
    DOVECOT_HEX_SCHEMES,
    build_password_values,
    check_scheme,
)
from mailboxes.transfer.readers.maildirs import note_mbox
from mailboxes.transfer.readers.routes import find_alias_error, note_catch_alls, unique_targets
from mailboxes.transfer.readers.staging import (
    check_schema,
    format_table_count,
    note_unknown_columns,
    quote_identifier,
)

SYSTEM = "PostfixAdmin"
ALL_DOMAINS = "ALL"  # stands for every domain, and is none
# What a row of each kind takes from the table of its name
ACCOUNT_COLUMNS = ("username", "active", "phone", "email_other", "totp_secret")
IMPORTED_COLUMNS = {
    "domain": (
        *("domain", "description", "aliases", "mailboxes", "maxquota", "quota", "transport"),
        *("backupmx", "active", "password_expiry"),
    ),
    "alias_domain": ("alias_domain", "target_domain", "description", "active"),
    "admin": ACCOUNT_COLUMNS,
    "mailbox": (*ACCOUNT_COLUMNS, "name", "maildir", "smtp_active", "password_expiry"),
    "alias": ("active", "description"),
    "vacation": (
        *("email", "subject", "body", "active", "activefrom", "activeuntil", "interval_time"),
    ),
    "fetchmail": (
        *("mailbox", "src_server", "src_auth", "src_user", "src_password", "src_folder"),
        *("src_port", "poll_time", "fetchall", "keep", "protocol", "usessl", "sslcertck"),
        *("sslcertpath", "sslfingerprint", "extra_options", "mda", "active"),
    ),
    "mailbox_app_password": ("description",),
    "dkim": ("domain_name", "selector", "description", "private_key", "public_key"),
    "dkim_signing": ("author",),
    "totp_exception_address": ("ip", "username", "description"),
    "mailadmin_transport": ("pattern", "transport", "active", "description"),
}
TIMESTAMP_COLUMNS = ("created", "modified")
# What else these tables have, without being told of
OTHER_COLUMNS = {
    "admin": ("password", "superadmin", "token", "token_validity"),
    "domain_admins": ("id", "username", "domain", "active"),
    "mailbox": ("password", "quota", "local_part", "domain", "token", "token_validity"),
    "alias": ("address", "goto", "domain"),
    "vacation": ("cache", "domain"),
    "fetchmail": ("id", "ssl", "domain", "date", "returned_text"),
    "mailbox_app_password": ("id", "username", "password_hash"),
    "dkim": ("id",),
    "dkim_signing": ("id", "dkim_id"),
    "totp_exception_address": ("id",),
}
KNOWN_COLUMNS = {
    table: (*IMPORTED_COLUMNS.get(table, ()), *OTHER_COLUMNS.get(table, ()), *TIMESTAMP_COLUMNS)
    for table in IMPORTED_COLUMNS | OTHER_COLUMNS
}
REQUIRED_COLUMNS = {
    "domain": ("domain",),
    "mailbox": ("username", "password", "maildir"),
    "alias": ("address", "goto"),
}
# Tables that stay behind, and what to know of it
SKIPPED_TABLE_NOTES = {
    "log": gettext_lazy("The log stays where it is."),
    "vacation_notification": gettext_lazy(
        "Who has had an answer is not carried over: everybody gets one anew."
    ),
    "quota": gettext_lazy("What mailboxes hold is not carried over: Dovecot counts anew."),
    "quota2": gettext_lazy("What mailboxes hold is not carried over: Dovecot counts anew."),
    "config": gettext_lazy("The settings of PostfixAdmin itself are not carried over."),
    "admin_preferences": gettext_lazy("The settings of PostfixAdmin itself are not carried over."),
}
ZERO_DATE = "0000-00-00"
DATE_COLUMNS = ("password_expiry", "activefrom", "activeuntil")
SINGLE_LINE_COLUMNS = ("description", "name", "subject")  # texts of one line, whatever they hold
TRANSPORT_TABLE = "mailadmin_transport"  # in a database that a panel like this one has kept
PANEL_TABLE_PREFIXES = ("mailadmin_", "django_")


def is_wanted(table):
    """Any that may be PostfixAdmin's: which prefix its names have is known when all are seen."""
    return table.endswith(tuple(KNOWN_COLUMNS))


def read(staging, losses, scheme=""):
    """Everything that the panel keeps as well, kind by kind."""
    check_scheme(scheme)
    strip_table_prefix(staging)
    check_schema(staging, SYSTEM, REQUIRED_COLUMNS)
    note_skipped_tables(staging, losses)
    note_unknown_columns(staging, KNOWN_COLUMNS, losses)
    for table, column in (
        *(("mailbox", "username"), ("admin", "username"), ("domain_admins", "username")),
        *(("domain", "domain"), ("dkim", "id"), ("alias", "address")),
    ):
        staging.index(table, column)
    note_catch_alls(staging, losses, "mailbox", "username", "alias")
    return iter_postfixadmin_entries(PostfixAdminSource(staging, losses, scheme))


# Which tables


def strip_table_prefix(staging):
    """Call PostfixAdmin's tables by their own names, and leave out what is not of them."""
    tables = staging.tables()
    prefixes = sorted(
        {name.removesuffix("domain") for name in tables if is_complete_installation(name, tables)}
    )
    if len(prefixes) > 1:
        text = _("It holds several PostfixAdmins, their prefixes being %(prefixes)s: copy one.")
        raise SourceError(text % {"prefixes": ", ".join(f"“{name}”" for name in prefixes)})
    prefix = prefixes[0] if prefixes else ""
    own = {prefix + table: table for table in KNOWN_COLUMNS if table != TRANSPORT_TABLE}
    staging.keep(own | {TRANSPORT_TABLE: TRANSPORT_TABLE})
    staging.left_out = {
        table.removeprefix(prefix): count for table, count in staging.left_out.items()
    }


def is_complete_installation(name, tables):
    prefix = name.removesuffix("domain")
    return name.endswith("domain") and {prefix + "mailbox", prefix + "alias"} <= set(tables)


def note_skipped_tables(staging, losses):
    for table in list(staging.left_out):
        if text := describe_skipped_table(table):
            count = staging.left_out.pop(table)
            if count != 0:
                losses.add(text, format_table_count(table, count))


def describe_skipped_table(table):
    if table.startswith(PANEL_TABLE_PREFIXES):
        return _("What another panel noted for itself is not carried over.")
    return SKIPPED_TABLE_NOTES.get(table)


# Values


class PostfixAdminSource(NamedTuple):
    """What is read, what is lost on the way, and how hashes without a scheme are meant."""

    staging: object
    losses: object
    scheme: str

    def rows(self, table, more=""):
        """The rows of a table in their order, none if it is not there."""
        if not self.staging.has(table):
            return iter(())
        return self.staging.rows(f"SELECT * FROM {quote_identifier(table)} {more} ORDER BY rowid")  # noqa: S608

    def values(self, table, row, place):
        """The columns that the panel has as well; a missing one is not for us to make up."""
        given = {name: row[name] for name in IMPORTED_COLUMNS[table] if name in row.keys()}  # noqa: SIM118
        return {
            name: self.clean(name, value, place)
            for name, value in given.items()
            if value is not None
        }

    def clean(self, name, value, place):
        if name in DATE_COLUMNS and value.startswith(ZERO_DATE):
            return None
        if name in SINGLE_LINE_COLUMNS and re.search(r"[\r\n\t]", value):
            self.losses.add(_("A text with line ends is made one line."), place)
            return " ".join(value.split())
        return value

    def password(self, row, place):
        return build_password_values(
            row["password"], place, self.losses, self.scheme, DOVECOT_HEX_SCHEMES
        )


def iter_postfixadmin_entries(reading):
    note_unsupported_values(reading)
    for read_kind in (
        *(
            iter_domain_entries,
            iter_admin_entries,
            iter_mailbox_entries,
            iter_alias_entries,
            iter_alias_domain_entries,
            iter_vacation_entries,
            iter_transport_entries,
        ),
        *(
            iter_fetchmail_entries,
            iter_app_password_entries,
            iter_dkim_key_entries,
            iter_dkim_signing_entries,
            iter_totp_exception_entries,
        ),
    ):
        yield from read_kind(reading)


def note_unsupported_values(reading):
    staging, losses = reading.staging, reading.losses
    for table in ("domain", "mailbox", "alias"):
        if staging.has(table, *TIMESTAMP_COLUMNS) and (count := staging.count(table)):
            text = _("When rows were made and changed is not carried over.")
            losses.add(text, format_table_count(table, count), count)
    for table in ("admin", "mailbox"):
        if staging.has(table, "token") and (count := staging.count(table, "token <> ''")):
            text = _("Codes for a new password that were sent out are void.")
            losses.add(text, format_table_count(table, count), count)


# Kinds


def iter_domain_entries(reading):
    for row in reading.rows("domain", "WHERE domain <> 'ALL'"):
        place = f"domain, {row['domain']}"
        yield SourceEntry("domain", reading.values("domain", row, place), place)


def iter_alias_domain_entries(reading):
    for row in reading.rows("alias_domain"):
        place = f"alias_domain, {row['alias_domain']}"
        yield SourceEntry("alias-domain", reading.values("alias_domain", row, place), place)


def iter_admin_entries(reading):
    for row in reading.rows("admin"):
        place = f"admin, {row['username']}"
        values = reading.values("admin", row, place) | reading.password(row, place)
        assigned = list(iter_assigned_domains(reading, row["username"]))
        names = [name for name in assigned if name != ALL_DOMAINS]
        has_column = "superadmin" in row.keys()  # noqa: SIM118 (a row is no dictionary)
        values["superadmin"] = row["superadmin"] if has_column else ALL_DOMAINS in assigned
        yield SourceEntry("admin", values | {"domains": names}, place)
    note_orphaned_assignments(reading)


def iter_assigned_domains(reading, username):
    """The domains of an admin, and `ALL`; what is switched off or gone is a loss."""
    if not reading.staging.has("domain_admins"):
        return
    sql = """SELECT a.*, d.domain AS known FROM domain_admins a
        LEFT JOIN domain d ON d.domain = a.domain WHERE a.username = ? ORDER BY a.rowid"""
    seen = set()
    for row in reading.staging.rows(sql, [username]):
        place = f"domain_admins, {username}, {row['domain']}"
        if row["active"] == "0":
            reading.losses.add(_("An admin's domain that is switched off is left out."), place)
        elif not (row["known"] or row["domain"] == ALL_DOMAINS):
            reading.losses.add(_("An admin's domain that does not exist is left out."), place)
        elif row["domain"].lower() not in seen:
            seen.add(row["domain"].lower())
            yield row["domain"]


def note_orphaned_assignments(reading):
    if not (reading.staging.has("domain_admins") and reading.staging.has("admin")):
        return
    sql = """SELECT username, domain FROM domain_admins
        WHERE username NOT IN (SELECT username FROM admin WHERE username IS NOT NULL)"""
    for row in reading.staging.rows(sql):
        text = _("A domain of an admin who does not exist is left out.")
        reading.losses.add(text, f"domain_admins, {row['username']}, {row['domain']}")


def iter_mailbox_entries(reading):
    for row in reading.rows("mailbox"):
        place = f"mailbox, {row['username']}"
        values = reading.values("mailbox", row, place) | reading.password(row, place)
        if "quota" in row.keys() and row["quota"] is not None:  # noqa: SIM118
            values["quota_bytes"] = row["quota"]
        note_mbox(row["maildir"], place, reading.losses)
        yield SourceEntry("mailbox", values, place)


ALIASES_SQL = """SELECT a.*, m.username AS mailbox FROM alias a
    LEFT JOIN mailbox m ON m.username = a.address ORDER BY a.rowid"""


def iter_alias_entries(reading):
    """What leads elsewhere; that a mailbox keeps its own mail goes without saying."""
    for row in reading.staging.rows(ALIASES_SQL):
        address, place = row["address"] or "", f"alias, {row['address']}"
        targets = unique_targets(split_goto(row["goto"]))
        kept = [target for target in targets if not is_own_vacation_target(address, target)]
        if row["mailbox"] and not kept and targets:
            reading.losses.add(_("Mail was answered and not kept: it is kept from now on."), place)
        if row["mailbox"] and [target.lower() for target in kept] in ([], [address.lower()]):
            continue
        values = {"address": address, "goto": kept} | reading.values("alias", row, place)
        yield SourceEntry("alias", values, place, find_alias_error(address, kept))


def is_own_vacation_target(address, target):
    """Whether a target hands the address's mail to PostfixAdmin's responder."""
    return target.lower().rpartition("@")[0] == address.lower().replace("@", "#") != ""


def iter_vacation_entries(reading):
    if not reading.staging.has("vacation"):
        return
    sql = """SELECT v.*, a.goto AS goto FROM vacation v
        LEFT JOIN alias a ON a.address = v.email ORDER BY v.rowid"""
    for row in reading.staging.rows(sql):
        place = f"vacation, {row['email']}"
        values = reading.values("vacation", row, place)
        answers = any(
            is_own_vacation_target(row["email"] or "", goto) for goto in split_goto(row["goto"])
        )
        if values.get("active") != "0" and not answers:
            text = _("A vacation that got no mail to answer is switched off.")
            reading.losses.add(text, place)
            values["active"] = "0"
        yield SourceEntry("vacation", values, place)


def iter_transport_entries(reading):
    for row in reading.rows(TRANSPORT_TABLE):
        place = f"{TRANSPORT_TABLE}, {row['pattern']}"
        yield SourceEntry("transport", reading.values(TRANSPORT_TABLE, row, place), place)


def iter_fetchmail_entries(reading):
    for row in reading.rows("fetchmail"):
        place = f"fetchmail, id {row['id']}"
        values = reading.values("fetchmail", row, place)
        if "ssl" in row.keys() and row["ssl"] is not None:  # noqa: SIM118 (its name of old)
            values.setdefault("usessl", row["ssl"])
        yield SourceEntry("fetchmail", values, place)


def iter_app_password_entries(reading):
    for row in reading.rows("mailbox_app_password"):
        place = f"mailbox_app_password, id {row['id']}"
        if row["username"] is None:
            reading.losses.add(_("A password of no mailbox is left out."), place)
            continue
        values = {"mailbox": row["username"]} | reading.values("mailbox_app_password", row, place)
        hashed = build_password_values(row["password_hash"], place, reading.losses, reading.scheme)
        yield SourceEntry("app-password", values | hashed, place)


def iter_dkim_key_entries(reading):
    for row in reading.rows("dkim"):
        place = f"dkim, id {row['id']}"
        yield SourceEntry("dkim-key", reading.values("dkim", row, place), place)


def iter_dkim_signing_entries(reading):
    if not (reading.staging.has("dkim_signing") and reading.staging.has("dkim")):
        return
    sql = """SELECT s.id, s.author, k.selector, k.domain_name FROM dkim_signing s
        LEFT JOIN dkim k ON k.id = s.dkim_id ORDER BY s.rowid"""
    for row in reading.staging.rows(sql):
        names = ("author", "selector", "domain_name")
        values = {name: row[name] for name in names if row[name] is not None}
        trouble = "" if "domain_name" in values else _("Its key is not in the source.")
        yield SourceEntry("dkim-signing", values, f"dkim_signing, id {row['id']}", trouble)


def iter_totp_exception_entries(reading):
    for row in reading.rows("totp_exception_address"):
        place = f"totp_exception_address, id {row['id']}"
        yield SourceEntry(
            "totp-exception", reading.values("totp_exception_address", row, place), place
        )
