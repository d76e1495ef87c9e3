"""Rows that PostfixAdmin keeps beside mailboxes and domains, and the panel has no screens for."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from domains.models import DkimKey, DkimSigning, TotpException
from mailadmin.names import fold
from mailboxes.models import AppPassword, Fetchmail
from mailboxes.transfer.row_types import related_services
from mailboxes.transfer.row_types.base import (
    AddressKeyField,
    BoundedIntegerField,
    DomainNameField,
    LineField,
    MultilineField,
    RowType,
    SecretField,
    SecretMultilineField,
    YesNoField,
    omit_keys,
)

KEY_SEPARATOR = " / "


class RelatedRowType(RowType):
    """Rows known by several columns together, since their numbers differ everywhere."""

    key_columns = ()
    action = ""

    @property
    def required_key_columns(self):
        return self.key_columns[:1]

    def key(self, values):
        return KEY_SEPARATOR.join(str(values.get(name, "") or "") for name in self.key_columns)

    def values_from_key(self, key):
        return dict(zip(self.key_columns, key.split(KEY_SEPARATOR), strict=False))

    def present(self, keys):
        """The rows that are known by these columns; of doubles the first."""
        first = {key.partition(KEY_SEPARATOR)[0] for key in keys}
        rows = self.model._default_manager.filter(**{f"{self.key_columns[0]}__in": first})
        found = {}
        for row in rows.order_by("pk"):
            found.setdefault(fold(self.key(self.words(row))), row)
        return found

    def create(self, changes, rows):
        made = [self.model(**self.to_model_attributes(row)) for row in rows]
        related_services.create_related_rows(changes, made, self.action)

    def edit(self, changes, key, values):
        row = self.present([key]).get(fold(key))
        if row is None:
            raise ValidationError(_("%(key)s does not exist any more."), params={"key": key})
        own = self.to_model_attributes(omit_keys(values, *self.key_columns))
        related_services.edit_related_row(changes, row, own, self.action)

    def delete(self, changes, keys):
        there = self.present(keys)
        rows = [there[fold(key)] for key in keys if fold(key) in there]
        related_services.delete_related_rows(changes, rows, self.action)

    def to_model_attributes(self, values):
        """The values as the model's columns take them: keys by their column."""
        fields = {f.name: f for f in self.model._meta.concrete_fields}
        return {fields[name].attname: value for name, value in values.items() if name in fields}


class MailboxRelatedRowType(RelatedRowType):
    def domain(self, values):
        return values.get("mailbox", "").rpartition("@")[2]

    def words(self, row):
        return super().words(row) | {"mailbox": row.mailbox_id}


class FetchmailRowType(MailboxRelatedRowType):
    name = "fetchmail"
    table = "fetchmail"
    title = _("fetchmail entries")
    model = Fetchmail
    key_columns = ("mailbox", "src_server", "src_user", "src_folder")
    needed = ("mailbox", "src_server", "src_user")
    action = "fetchmail"
    extra_columns = {
        "mailbox": AddressKeyField(),
        "domain": DomainNameField(),
        "src_server": LineField(),
        "src_auth": LineField(),
        "src_user": LineField(),
        "src_password": SecretField(strip=False),
        "src_folder": LineField(),
        "src_port": BoundedIntegerField(least=0),
        "poll_time": BoundedIntegerField(least=0),
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

    def complete(self, values):
        if "mailbox" in values:
            values["domain"] = values["mailbox"].rpartition("@")[2]
        return values

    def words(self, row):
        """The domain is that of the mailbox, whatever an old row says."""
        return super().words(row) | {"domain": fold(row.mailbox_id).rpartition("@")[2]}


class AppPasswordRowType(MailboxRelatedRowType):
    name = "app-password"
    table = "app-passwords"
    title = _("app passwords")
    model = AppPassword
    key_columns = ("mailbox", "description")
    needed = ("mailbox", "password_hash")
    action = "app_password"
    extra_columns = {
        "mailbox": AddressKeyField(),
        "description": LineField(),
        "password_hash": SecretField(),
    }


class DkimKeyRowType(RelatedRowType):
    name = "dkim-key"
    table = "dkim-keys"
    title = _("DKIM keys")
    model = DkimKey
    key_columns = ("domain_name", "selector")
    needed = ("domain_name", "selector", "private_key")
    action = "dkim_entry"
    extra_columns = {
        "domain_name": DomainNameField(),
        "selector": LineField(max_length=63),
        "description": LineField(),
        "private_key": SecretMultilineField(),
        "public_key": MultilineField(),
    }

    def domain(self, values):
        return values.get("domain_name")

    def words(self, row):
        return super().words(row) | {"domain_name": row.domain_name_id}


class DkimSigningRowType(RelatedRowType):
    name = "dkim-signing"
    table = "dkim-signings"
    title = _("DKIM signings")
    model = DkimSigning
    key_columns = ("author", "domain_name", "selector")
    needed = ("author", "domain_name", "selector")
    action = "dkim_signing_entry"
    extra_columns = {
        "author": AddressKeyField(),
        "domain_name": DomainNameField(),
        "selector": LineField(max_length=63),
    }

    def domain(self, values):
        return values.get("domain_name")

    def words(self, row):
        key = row.dkim
        return {"author": row.author, "domain_name": key.domain_name_id, "selector": key.selector}

    def present(self, keys):
        rows = self.model._default_manager.filter(
            author__in={key.partition(KEY_SEPARATOR)[0] for key in keys}
        )
        return {fold(self.key(self.words(row))): row for row in rows.select_related("dkim")}

    def to_model_attributes(self, values):
        key = DkimKey.objects.filter(
            domain_name=values["domain_name"], selector=values["selector"]
        ).first()
        if key is None:
            raise ValidationError(
                _("There is no DKIM key %(selector)s of %(domain_name)s."), params=values
            )
        return {"author": values["author"], "dkim_id": key.pk}


class TotpExceptionRowType(RelatedRowType):
    name = "totp-exception"
    table = "totp-exceptions"
    title = _("TOTP exceptions")
    model = TotpException
    key_columns = ("ip", "username")
    needed = ("ip",)
    action = "totp_exception"
    extra_columns = {
        "ip": LineField(max_length=46),
        "username": LineField(),
        "description": LineField(),
    }

    def complete(self, values):
        """PostfixAdmin's “for everybody” is no name at all."""
        return {name: value or None for name, value in values.items()}

    def domain(self, values):
        return None
