"""What scripts and webhooks hear of mailboxes, aliases and app passwords."""

from collections.abc import Iterator
from typing import Any

from mailadmin.changes.records import ChangeRecord
from mailadmin.hooks.events import HookedTable, ScriptCall, queue_script
from mailboxes.models import Alias, AppPassword, Mailbox

# Columns that owners change, for which PostfixAdmin does not call the script for edits.
OWN_COLUMNS = {"password", "password_expiry", "totp_secret", "token", "token_validity"}


def list_mailbox_calls(record: ChangeRecord, row: Any) -> Iterator[ScriptCall]:
    name, domain = record.key, record.domain
    if row is None:
        yield ScriptCall("MAILBOX_POSTDELETION", [name, domain])
        return
    place = [name, domain, row.maildir, str(max(0, row.quota))]
    if record.verb == "create":
        yield ScriptCall("MAILBOX_POSTCREATION", place)
    elif not OWN_COLUMNS.issuperset(record.values):
        yield ScriptCall("MAILBOX_POSTEDIT", place)
    if record.verb == "edit" and "totp_secret" in record.values:
        secret = f"{row.totp_secret or ''}\0"
        yield ScriptCall("MAILBOX_POST_TOTP_CHANGE_SECRET", [name, domain], secret)


def list_app_password_calls(record: ChangeRecord, row: Any) -> Iterator[ScriptCall]:
    if record.verb == "create":
        arguments = [str(row.mailbox_id), row.description or ""]
        yield ScriptCall("MAILBOX_POSTAPPPASSWORD", arguments, f"{row.password_hash}\0")


def queue_password_script(mailbox: Mailbox, old: str, new: str) -> None:
    """Queue the script for a new password; the old one is empty where nobody entered it."""
    call = ScriptCall("MAILBOX_POSTPASSWORD", [mailbox.pk, mailbox.domain_id], f"{old}\0{new}\0")
    queue_script("mailbox.password_changed", mailbox.pk, call)


HOOKED_TABLES = (
    HookedTable("mailbox", Mailbox, list_mailbox_calls),
    HookedTable("alias", Alias),
    HookedTable("app_password", AppPassword, list_app_password_calls),
)
