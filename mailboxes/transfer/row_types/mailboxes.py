"""Mailboxes, as sources give them."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import F, prefetch_related_objects

from domains.models import MAX_QUOTA_MB, Domain
from domains.quotas import QUOTA_DECIMALS, exact_megabytes, file_quota, megabytes_to_bytes
from mailadmin import passwords
from mailadmin.changes.perform import Changes
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import Alias, AppPassword, Fetchmail, Mailbox, Vacation
from mailboxes.services.mail_logins import get_own_rule
from mailboxes.services.mailboxes import create_mailboxes, edit_mailbox
from mailboxes.tables import MailboxTable
from mailboxes.transfer.row_types.addresses import AddressRowType
from mailboxes.transfer.row_types.base import Difference, ModelRow, RowValues, omit_keys
from mailboxes.transfer.row_types.fields import (
    BoundedIntegerField,
    DomainNameField,
    InheritedYesNoField,
    LineField,
    SecretField,
    YesNoField,
    deserialize_datetimes,
)

UNUSABLE_PASSWORD_HASH = passwords.UNUSABLE_HASH


class QuotaMegabytesField(forms.DecimalField):
    """A quota in MB, read into bytes; the fraction of a MB may be as small as one byte."""

    def __init__(self) -> None:
        super().__init__(
            min_value=-1, max_value=MAX_QUOTA_MB, decimal_places=QUOTA_DECIMALS, max_digits=40
        )

    def clean(self, value: Any) -> int:
        megabytes = super().clean(value)
        if -1 < megabytes < 0:
            raise ValidationError(_("Enter -1, 0 or a positive number."))
        if megabytes and not megabytes_to_bytes(megabytes):
            raise ValidationError(_("This is less than one byte, and 0 would mean unlimited."))
        return megabytes_to_bytes(megabytes)


class MailboxRowType(AddressRowType):
    panel_table = MailboxTable
    name = "mailbox"
    limit_name = "mailboxes"
    has_quota = True
    address_column = "username"
    extra_columns = {
        "local_part": LineField(max_length=64),
        "domain": DomainNameField(),
        "password": SecretField(strip=False, max_length=1024),
        "password_hash": SecretField(),
        "quota": QuotaMegabytesField(),
        "quota_bytes": BoundedIntegerField(max_value=2**62),
        "maildir": LineField(),
        "totp_secret": SecretField(),
        "welcome_mail": YesNoField(),
        "app_passwords_only": InheritedYesNoField(),
    }
    column_aliases = {"address": "username"}
    required_columns = ("username",)
    import_only_columns = ("local_part", "domain", "password", "welcome_mail")
    example = {
        "username": "bob@example.org",
        "password": "",
        "name": "Bob",
        "quota": "1024",
        "active": "1",
        "smtp_active": "1",
        "welcome_mail": "0",
    }

    def clean_row(self, values: RowValues) -> RowValues:
        values = self.clean_password(super().clean_row(values))
        if "quota_bytes" in values:
            values["quota"] = values.pop("quota_bytes")
        if ".." in values.get("maildir", "").split("/"):
            raise ValidationError(_("A maildir must be inside the mail directory."))
        return values

    def to_file_values(self, values: RowValues) -> RowValues:
        values = super().to_file_values(values)
        if "quota" in values:
            values = omit_keys(values, "quota") | build_quota_values(values["quota"])
        if values.get("app_passwords_only", "") is None:
            values["app_passwords_only"] = ""
        return values

    def prefetch_rows(self, rows: Iterable[ModelRow]) -> Iterable[ModelRow]:
        found = list(super().prefetch_rows(rows))
        prefetch_related_objects(found, "mail_login")
        return found

    def values_from_row(self, row: Mailbox) -> RowValues:
        return super().values_from_row(row) | {"app_passwords_only": get_own_rule(row)}

    def find_differences(self, row: Mailbox, values: RowValues) -> list[Difference]:
        return [
            [name, file_quota(old), file_quota(new)] if name == "quota" else [name, old, new]
            for name, old, new in super().find_differences(row, omit_keys(values, "welcome_mail"))
        ]

    def previous_values(self, row: Mailbox, columns: Iterable[str]) -> RowValues:
        """Include the expiry date, which a new password changes."""
        implied = {"password_expiry"} if "password" in columns else set()
        return super().previous_values(row, {*columns, *implied})

    def create(self, changes: Changes, rows: list[RowValues]) -> None:
        domains = {name: Domain(domain=name) for name in {row["domain"] for row in rows}}
        create_mailboxes(
            changes,
            [self.to_service_values(row) | {"domain": domains[row["domain"]]} for row in rows],
        )

    def edit(self, changes: Changes, key: str, values: RowValues) -> None:
        values = omit_keys(values, "username", "local_part", "domain", "welcome_mail")
        edit_mailbox(changes, key, self.to_service_values(values))

    def keys_with_dependents(self, keys: list[str]) -> set[str]:
        """Return mailboxes with a changed alias, a vacation, app passwords or fetchmail entries."""
        aliases = Alias.objects.filter(pk__in=keys).exclude(goto=F("address"))
        dependent_keys = set(aliases.values_list("pk", flat=True))
        for model in (Vacation, AppPassword, Fetchmail):
            rows = model.objects.filter(mailbox__in=keys)
            dependent_keys |= set(rows.values_list("mailbox", flat=True))
        return {fold(key) for key in dependent_keys}

    def to_service_values(self, values: RowValues) -> RowValues:
        values = deserialize_datetimes(self.to_column_values(values), "password_expiry")
        if "quota" in values:
            values["quota"] = exact_megabytes(values["quota"])
        return omit_keys(values, "username")


def build_quota_values(size: int) -> RowValues:
    """Return the quota in MB, or in bytes if no number of MB that may be typed equals it."""
    file_value = file_quota(size)
    megabytes = Decimal(file_value)
    is_exact = megabytes_to_bytes(megabytes) == size and megabytes <= MAX_QUOTA_MB
    return {"quota": file_value} if is_exact else {"quota_bytes": size}
