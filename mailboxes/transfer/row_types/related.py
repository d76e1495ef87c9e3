"""Rows that PostfixAdmin keeps beside mailboxes and domains; the panel has no pages for them."""

from typing import Any

from django.core.exceptions import ValidationError

from domains.models import DkimKey, DkimSigning, TotpException
from mailadmin.changes.perform import Changes
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import Fetchmail
from mailboxes.transfer.row_types import related_services
from mailboxes.transfer.row_types.base import ModelRow, RowType, RowValues, omit_keys
from mailboxes.transfer.row_types.fields import (
    AddressKeyField,
    BoundedIntegerField,
    DomainNameField,
    LineField,
    MultilineField,
    SecretField,
    SecretMultilineField,
    YesNoField,
)

KEY_SEPARATOR = " / "


class RelatedRowType(RowType):
    """Rows identified by several columns together, since their numeric keys differ everywhere."""

    key_columns: tuple[str, ...] = ()
    log_action = ""

    @property
    def required_key_columns(self) -> tuple[str, ...]:
        return self.key_columns[:1]

    def key(self, values: RowValues) -> str:
        return KEY_SEPARATOR.join(str(values.get(name, "") or "") for name in self.key_columns)

    def values_from_key(self, key: str) -> RowValues:
        return dict(zip(self.key_columns, key.split(KEY_SEPARATOR), strict=False))

    def find_existing_rows(self, keys: list[str]) -> dict[str, Any]:
        """Return the rows with these keys; of duplicates the first."""
        first = {key.partition(KEY_SEPARATOR)[0] for key in keys}
        rows = self.model._default_manager.filter(**{f"{self.key_columns[0]}__in": first})
        found: dict[str, ModelRow] = {}
        for row in self.prefetch_rows(rows.order_by("pk")):
            found.setdefault(fold(self.key(self.values_from_row(row))), row)
        return found

    def create(self, changes: Changes, rows: list[RowValues]) -> None:
        instances = [self.model(**self.to_model_attributes(row)) for row in rows]
        related_services.create_related_rows(changes, instances, self.log_action)

    def edit(self, changes: Changes, key: str, values: RowValues) -> None:
        row = self.find_existing_rows([key]).get(fold(key))
        if row is None:
            raise ValidationError(_("%(key)s no longer exists."), params={"key": key})
        attributes = self.to_model_attributes(omit_keys(values, *self.key_columns))
        related_services.edit_related_row(changes, row, attributes, self.log_action)

    def delete(self, changes: Changes, keys: list[str]) -> None:
        existing = self.find_existing_rows(keys)
        rows = [existing[fold(key)] for key in keys if fold(key) in existing]
        related_services.delete_related_rows(changes, rows, self.log_action)

    def to_model_attributes(self, values: RowValues) -> dict[str, Any]:
        """Return the values by the model's attribute names: foreign keys by their column."""
        fields = {f.name: f for f in self.model._meta.concrete_fields}
        return {fields[name].attname: value for name, value in values.items() if name in fields}


class MailboxRelatedRowType(RelatedRowType):
    def get_domain(self, values: RowValues) -> str:
        return values.get("mailbox", "").rpartition("@")[2]

    def values_from_row(self, row: Any) -> RowValues:
        return super().values_from_row(row) | {"mailbox": row.mailbox_id}


class FetchmailRowType(MailboxRelatedRowType):
    name = "fetchmail"
    table = "fetchmail"
    title = _("fetchmail entries")
    model = Fetchmail
    key_columns = ("mailbox", "src_server", "src_user", "src_folder")
    required_columns = ("mailbox", "src_server", "src_user")
    program_columns = ("extra_options", "mda")
    log_action = "fetchmail"
    extra_columns = {
        "mailbox": AddressKeyField(),
        "domain": DomainNameField(),
        "src_server": LineField(),
        "src_auth": LineField(),
        "src_user": LineField(),
        "src_password": SecretField(strip=False),
        "src_folder": LineField(),
        "src_port": BoundedIntegerField(min_value=0),
        "poll_time": BoundedIntegerField(min_value=0),
        "fetchall": YesNoField(),
        "keep": YesNoField(),
        "protocol": LineField(),
        "usessl": YesNoField(),
        "sslcertck": YesNoField(),
        "sslcertpath": LineField(),
        "sslfingerprint": LineField(),
        "extra_options": MultilineField(),
        "mda": LineField(),
        "active": YesNoField(),
    }

    def clean_row(self, values: RowValues) -> RowValues:
        if "mailbox" in values:
            values["domain"] = values["mailbox"].rpartition("@")[2]
        return values

    def values_from_row(self, row: Any) -> RowValues:
        """Derive the domain from the mailbox: old rows may hold another one."""
        return super().values_from_row(row) | {"domain": fold(row.mailbox_id).rpartition("@")[2]}


class DkimKeyRowType(RelatedRowType):
    name = "dkim-key"
    table = "dkim-keys"
    title = _("DKIM keys")
    model = DkimKey
    key_columns = ("domain_name", "selector")
    required_columns = ("domain_name", "selector", "private_key")
    log_action = "dkim_entry"
    extra_columns = {
        "domain_name": DomainNameField(),
        "selector": LineField(max_length=63),
        "description": LineField(),
        "private_key": SecretMultilineField(),
        "public_key": MultilineField(),
    }

    def get_domain(self, values: RowValues) -> str | None:
        return values.get("domain_name")

    def values_from_row(self, row: Any) -> RowValues:
        return super().values_from_row(row) | {"domain_name": row.domain_name_id}


class DkimSigningRowType(RelatedRowType):
    name = "dkim-signing"
    table = "dkim-signings"
    title = _("DKIM signings")
    model = DkimSigning
    key_columns = ("author", "domain_name", "selector")
    required_columns = ("author", "domain_name", "selector")
    log_action = "dkim_signing_entry"
    extra_columns = {
        "author": AddressKeyField(),
        "domain_name": DomainNameField(),
        "selector": LineField(max_length=63),
    }

    def get_domain(self, values: RowValues) -> str | None:
        return values.get("domain_name")

    def values_from_row(self, row: Any) -> RowValues:
        dkim_key = row.dkim
        return {
            "author": row.author,
            "domain_name": dkim_key.domain_name_id,
            "selector": dkim_key.selector,
        }

    def find_existing_rows(self, keys: list[str]) -> dict[str, Any]:
        rows = self.model._default_manager.filter(
            author__in={key.partition(KEY_SEPARATOR)[0] for key in keys}
        )
        return {
            fold(self.key(self.values_from_row(row))): row for row in rows.select_related("dkim")
        }

    def to_model_attributes(self, values: RowValues) -> dict[str, Any]:
        dkim_key = DkimKey.objects.filter(
            domain_name=values["domain_name"], selector=values["selector"]
        ).first()
        if dkim_key is None:
            raise ValidationError(
                _("The DKIM key %(selector)s of %(domain_name)s does not exist."), params=values
            )
        return {"author": values["author"], "dkim_id": dkim_key.pk}


class TotpExceptionRowType(RelatedRowType):
    name = "totp-exception"
    table = "totp-exceptions"
    title = _("TOTP exceptions")
    model = TotpException
    key_columns = ("ip", "username")
    required_columns = ("ip",)
    log_action = "totp_exception"
    extra_columns = {
        "ip": LineField(max_length=46),
        "username": LineField(),
        "description": LineField(),
    }

    def clean_row(self, values: RowValues) -> RowValues:
        """Store NULL for PostfixAdmin's “for everybody”, which is an empty name."""
        return {name: value or None for name, value in values.items()}

    def get_domain(self, values: RowValues) -> None:
        return None
