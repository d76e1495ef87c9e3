"""Sender permissions, identified by address and mailbox: their numbers differ everywhere."""

from typing import Any

from django.core.exceptions import ValidationError

from mailadmin.changes.perform import Changes
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import Mailbox
from mailboxes.sender_permission_tables import SenderPermissionTable
from mailboxes.services.sender_permissions import (
    create_sender_permissions,
    delete_sender_permissions,
    edit_sender_permission,
    get_address_domain,
    validate_sender_address,
)
from mailboxes.transfer.row_types.base import RowValues, omit_keys
from mailboxes.transfer.row_types.fields import AddressKeyField
from mailboxes.transfer.row_types.related import RelatedRowType


class SenderPermissionRowType(RelatedRowType):
    panel_table = SenderPermissionTable
    name = "sender-permission"
    key_columns = ("address", "mailbox")
    required_columns = ("address", "mailbox")
    extra_columns = {"address": AddressKeyField()}

    def clean_row(self, values: RowValues) -> RowValues:
        if address := values.get("address", "").removeprefix("*"):
            validate_sender_address(address)
            values["address"] = address
        return values

    def check_key_columns(self, values: RowValues) -> None:
        self.check_required_columns(values, self.key_columns)

    def get_domain(self, values: RowValues) -> str:
        return get_address_domain(values.get("address", ""))

    def referenced_domains(self, values: RowValues) -> list[str]:
        return [get_address_domain(values.get(name, "")) for name in self.key_columns]

    def values_from_row(self, row: Any) -> RowValues:
        values = super().values_from_row(row)
        return values | {name: fold(values[name]) for name in self.key_columns}

    def create(self, changes: Changes, rows: list[RowValues]) -> None:
        values = [row | {"mailbox": Mailbox(pk=row["mailbox"])} for row in rows]
        create_sender_permissions(changes, values)

    def edit(self, changes: Changes, key: str, values: RowValues) -> None:
        [number] = self.find_numbers([key])
        edit_sender_permission(changes, number, omit_keys(values, *self.key_columns))

    def delete(self, changes: Changes, keys: list[str]) -> None:
        delete_sender_permissions(changes, self.find_numbers(keys))

    def find_numbers(self, keys: list[str]) -> list[int]:
        """Return the numbers by which services know these rows."""
        existing = self.find_existing_rows(keys)
        if missing := [key for key in keys if fold(key) not in existing]:
            raise ValidationError(_("%(key)s no longer exists."), params={"key": missing[0]})
        return [existing[fold(key)].pk for key in keys]
