"""The tables and columns of PostfixAdmin, and which of them are imported."""

from django.conf import settings

from mailadmin.conf.custom_columns import TABLES
from mailadmin.db.custom_columns import get_custom_names
from mailadmin.translation import gettext_lazy

TRANSPORT_TABLE = "mailadmin_transport"  # in a database that this panel has been used on
# Columns that are imported as they are
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
CUSTOM_COLUMNS = {table: get_custom_names(table) for table in TABLES}
IMPORTED_COLUMNS |= {
    table: (*IMPORTED_COLUMNS[table], *names) for table, names in CUSTOM_COLUMNS.items()
}
SINGLE_LINE_COLUMNS = (  # line breaks become blanks
    *("description", "name", "subject"),
    *(each.name for each in settings.MAILADMIN_CUSTOM_COLUMNS if each.kind != "multiline"),
)
TIMESTAMP_COLUMNS = ("created", "modified")
# Columns that are imported otherwise, or not, without a note
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
# Tables that are not imported, and the note on each
SKIPPED_TABLE_NOTES = {
    "log": gettext_lazy("The log: not imported."),
    "vacation_notification": gettext_lazy(
        "Record of senders who got a vacation reply: not imported; each sender gets a new reply."
    ),
    "quota": gettext_lazy("Quota usage: not imported; Dovecot counts it again."),
    "quota2": gettext_lazy("Quota usage: not imported; Dovecot counts it again."),
    "config": gettext_lazy("Settings of PostfixAdmin itself: not imported."),
    "admin_preferences": gettext_lazy("Settings of PostfixAdmin itself: not imported."),
}
