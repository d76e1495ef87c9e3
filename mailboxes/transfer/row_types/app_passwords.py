"""App passwords, with the limits of those that the panel has generated."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import prefetch_related_objects

from mailadmin.changes.perform import Changes
from mailadmin.names import fold
from mailadmin.tables.limit_fields import normalize_network
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import AppPassword
from mailboxes.models.app_passwords import GENERATED_PREFIX, MAX_NETWORKS_LENGTH
from mailboxes.services.app_passwords import (
    LIMITS_OF_GENERATED_MESSAGE,
    delete_rows_of_former,
    set_app_password_limits,
)
from mailboxes.transfer.row_types import related_services
from mailboxes.transfer.row_types.base import ModelRow, RowValues
from mailboxes.transfer.row_types.fields import (
    AddressKeyField,
    ClearableLineField,
    LineField,
    PostfixAdminDateTimeField,
    SecretField,
    YesNoField,
    deserialize_datetime,
    serialize_datetime,
)
from mailboxes.transfer.row_types.related import MailboxRelatedRowType


class NetworksField(ClearableLineField):
    """Networks with commas between them, as they are stored."""

    def to_python(self, value: Any) -> str:
        names = (super().to_python(value) or "").split(",")
        return ",".join(normalize_network(name) for name in names if name.strip())


LIMIT_COLUMNS = {
    **{name: YesNoField() for name in AppPassword.PROTOCOLS},
    "networks": NetworksField(max_length=MAX_NETWORKS_LENGTH),
    "expires": PostfixAdminDateTimeField(),
}


class AppPasswordRowType(MailboxRelatedRowType):
    name = "app-password"
    table = "app-passwords"
    title = _("app passwords")
    model = AppPassword
    key_columns = ("mailbox", "description")
    required_columns = ("mailbox", "password_hash")
    log_action = "app_password"
    extra_columns = {
        "mailbox": AddressKeyField(),
        "description": LineField(),
        "password_hash": SecretField(),
        **LIMIT_COLUMNS,
    }

    def clean_row(self, values: RowValues) -> RowValues:
        """Refuse limits that would be without effect: Dovecot tries salted passwords one by one."""
        stored = values.get("password_hash", GENERATED_PREFIX)
        if not stored.startswith(GENERATED_PREFIX) and has_limits(values):
            raise ValidationError(LIMITS_OF_GENERATED_MESSAGE)
        return values

    def prefetch_rows(self, rows: Iterable[ModelRow]) -> Iterable[ModelRow]:
        found = list(rows)
        prefetch_related_objects(found, "limits")
        return found

    def values_from_row(self, row: Any) -> RowValues:
        values = super().values_from_row(row)
        limits = row.known_limits
        if limits is None:
            return values
        current = {name: getattr(limits, name) for name in LIMIT_COLUMNS}
        return values | current | {"expires": serialize_datetime(limits.expires)}

    def create(self, changes: Changes, rows: list[RowValues]) -> None:
        instances = [self.model(**self.to_model_attributes(row)) for row in rows]
        related_services.create_related_rows(changes, instances, self.log_action)
        delete_rows_of_former(instances)
        for row, values in zip(instances, rows, strict=True):
            self.set_limits(changes, row, values)

    def edit(self, changes: Changes, key: str, values: RowValues) -> None:
        super().edit(changes, key, values)
        row = self.find_existing_rows([key])[fold(key)]
        self.set_limits(changes, row, values)

    def set_limits(self, changes: Changes, row: Any, values: RowValues) -> None:
        """Store the limits that a row has; a generated password needs them to work at all."""
        limits = {name: values[name] for name in LIMIT_COLUMNS if name in values}
        if limits.get("expires"):
            limits["expires"] = deserialize_datetime(limits["expires"])
        if row.is_generated:
            set_app_password_limits(changes, row, limits)
        elif has_limits(values):
            raise ValidationError(LIMITS_OF_GENERATED_MESSAGE)


def has_limits(values: RowValues) -> bool:
    return any(values.get(name) not in ("", None) for name in LIMIT_COLUMNS)
