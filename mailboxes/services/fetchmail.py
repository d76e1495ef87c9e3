"""Create, edit and delete entries of fetchmail: where mail of a mailbox is fetched from.

The password is stored as PostfixAdmin stores it, which is no encryption: fetchmail needs it. It is
shown to nobody, and it is sent to no other server than the one that it was entered for.
"""

import base64
import binascii
import datetime
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from domains.models import Domain
from domains.services.locks import check_not_being_deleted, lock_domains
from mailadmin.accounts.models import Role
from mailadmin.changes.perform import Changes
from mailadmin.db.bulk import chunks
from mailadmin.names import fold, normalize_domain, validate_domain, validate_single_line
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import Fetchmail, Mailbox

# Whoever changes one of them may be somebody else than who entered the password.
CONNECTION_COLUMNS = ("src_server", "src_port", "src_user", "protocol", "usessl", "sslcertck")
KEY_COLUMNS = ("mailbox_id", "src_server", "src_user", "src_folder")
MAX_ENTRIES = 50  # of one mailbox


def create_fetchmail_entries(
    changes: Changes, rows: Sequence[Mapping[str, Any]]
) -> list[Fetchmail]:
    """Create entries; each row has the mailbox and the password as it was typed."""
    _refuse_owners(changes)
    entries = [_build_entry(row) for row in rows]
    _check_mailboxes(changes, entries)
    _refuse_taken(entries)
    changes.create(entries)
    _log(changes, "create_fetchmail", entries)
    return entries


def edit_fetchmail_entry(changes: Changes, key: int, values: Mapping[str, Any]) -> Fetchmail:
    """Edit an entry; without a new password, it still goes to the same server and account."""
    _refuse_owners(changes)
    entry = changes.find_one(Fetchmail, key)
    columns = {name: value for name, value in values.items() if name != "mailbox"}
    password = columns.pop("src_password", "")
    if "src_server" in columns:
        columns["src_server"] = clean_server(columns["src_server"])
    if password:
        columns["src_password"] = encode_password(password)
    elif any(columns.get(n, getattr(entry, n)) != getattr(entry, n) for n in CONNECTION_COLUMNS):
        text = _("Enter the password again: it is not sent to another server or account.")
        raise ValidationError({"src_password": text})
    if any(columns.get(name, getattr(entry, name)) != getattr(entry, name) for name in KEY_COLUMNS):
        merged = {name: columns.get(name, getattr(entry, name)) for name in KEY_COLUMNS}
        _refuse_taken([Fetchmail(**merged)])
    if changes.update([entry], **columns):
        _log(changes, "edit_fetchmail", [entry])
    return entry


def set_fetchmail_entries(changes: Changes, keys: Sequence[int], field: str, value: bool) -> None:
    """Set a boolean column of entries."""
    _refuse_owners(changes)
    entries = changes.find(Fetchmail, keys)
    _log(changes, "edit_fetchmail", changes.update(entries, **{field: value}))


def delete_fetchmail_entries(changes: Changes, keys: Sequence[int]) -> None:
    _refuse_owners(changes)
    entries = changes.find(Fetchmail, keys)
    changes.delete(entries)
    _log(changes, "delete_fetchmail", entries)


def encode_password(text: str) -> str:
    """Return a password as PostfixAdmin stores it."""
    return base64.b64encode(text.encode()).decode()


def decode_password(stored: str) -> str:
    """Return a stored password as it was typed; raise ValueError if it cannot be read."""
    try:
        return base64.b64decode(stored, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None


def clean_server(text: str) -> str:
    """Return a host name or an IP address as it is stored."""
    try:
        return str(ipaddress.ip_address(text.strip().strip("[]")))
    except ValueError:
        name = normalize_domain(text)
    try:
        validate_domain(name)
    except ValidationError:
        error = _("“%(name)s” is neither a host name nor an IP address.") % {"name": text}
        raise ValidationError({"src_server": error}) from None
    return name


def _build_entry(row: Mapping[str, Any]) -> Fetchmail:
    values = dict(row)
    password = values.pop("src_password", "")
    if not password:
        raise ValidationError({"src_password": _("Enter the password.")})
    validate_single_line(password)
    values["src_server"] = clean_server(values["src_server"])
    domain = values["mailbox"].domain_id
    stored = {"src_password": encode_password(password), "domain_id": domain, "mda": ""}
    never = timezone.make_aware(datetime.datetime(2000, 1, 1))  # as in PostfixAdmin
    return Fetchmail(**values | stored | {"date": never})


def _check_mailboxes(changes: Changes, entries: Sequence[Fetchmail]) -> None:
    """Lock the domains; refuse mailboxes out of scope, and too many entries of one."""
    names = {each.domain_id for each in entries if each.domain_id}
    lock_domains(changes, names)
    keys = {str(each.mailbox_id) for each in entries}
    found: set[str] = set()
    for part in chunks(sorted(keys)):
        rows = Mailbox.objects.visible_to(changes.principal).filter(pk__in=part)
        found |= {fold(key) for key in rows.values_list("pk", flat=True)}
    if missing := [key for key in keys if fold(key) not in found]:
        text = _("The mailbox %(name)s does not exist.") % {"name": missing[0]}
        raise ValidationError({"mailbox": text})
    check_not_being_deleted(Domain.objects.filter(pk__in=names))
    for key in keys:
        new = sum(fold(each.mailbox_id) == fold(key) for each in entries)
        if Fetchmail.objects.filter(mailbox=key).count() + new > MAX_ENTRIES:
            raise ValidationError({"mailbox": _("This mailbox has too many fetchmail entries.")})


def _refuse_taken(entries: Sequence[Fetchmail]) -> None:
    """Refuse to fetch from a folder twice for the same mailbox."""
    seen: set[tuple[str, ...]] = set()
    for part in chunks(sorted({str(each.mailbox_id) for each in entries})):
        rows = Fetchmail.objects.filter(mailbox__in=part)
        seen |= {tuple(map(fold, row)) for row in rows.values_list(*KEY_COLUMNS)}
    for each in entries:
        key = tuple(fold(getattr(each, name)) for name in KEY_COLUMNS)
        if key in seen:
            text = _("Mail of this account and folder is fetched for this mailbox already.")
            raise ValidationError({"src_user": ValidationError(text, code="taken")})
        seen.add(key)


def _refuse_owners(changes: Changes) -> None:
    if changes.principal.role not in Role.ADMINS:
        raise PermissionDenied


def _log(changes: Changes, action: str, entries: Iterable[Fetchmail]) -> None:
    for each in entries:
        name = str(each.mailbox_id)
        changes.log(action, name.rpartition("@")[2], name)
