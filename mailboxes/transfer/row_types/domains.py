"""Domains, alias domains, admins and transports, as sources give them."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import CASCADE, prefetch_related_objects

from domains.models import (
    ALL_DOMAINS,
    MAX_QUOTA_MB,
    Admin,
    Domain,
    DomainFactorPolicy,
    DomainState,
)
from domains.patterns import (
    normalize_pattern,
    validate_domain_transport,
    validate_pattern,
    validate_service,
    validate_transport,
)
from domains.services import domains
from domains.services.locks import lock_domains
from domains.tables import AdminTable
from domains.transports.tables import TransportTable
from mailadmin.accounts.factors.models import PolicyLevel
from mailadmin.changes.perform import Changes
from mailadmin.names import fold, normalize_domain
from mailadmin.translation import gettext_lazy as _
from mailboxes.domain_tables import AliasDomainTable, DomainTable
from mailboxes.models import DomainMailLogin
from mailboxes.services.domains import create_domains
from mailboxes.services.mail_logins import needs_app_passwords
from mailboxes.transfer.row_types.base import ModelRow, RowType, RowValues, omit_keys
from mailboxes.transfer.row_types.fields import (
    BoundedIntegerField,
    ClearableLineField,
    DomainNameField,
    LineField,
    NameListField,
    SecretField,
    YesNoField,
)

# Rows that come and go with their domain
DOMAIN_PARTS = (DomainState, DomainFactorPolicy, DomainMailLogin)


def validate_policy_level(value: str) -> None:
    if value not in PolicyLevel.values:
        text = _("Enter one of: %(names)s.")
        raise ValidationError(text, params={"names": ", ".join(PolicyLevel.values)})


class DomainRowType(RowType):
    panel_table = DomainTable
    name = "domain"
    extra_columns = {
        "maxquota": BoundedIntegerField(max_value=MAX_QUOTA_MB),
        "quota": BoundedIntegerField(max_value=MAX_QUOTA_MB),
        "transport": LineField(validators=[validate_domain_transport]),
        "password_expiry": BoundedIntegerField(min_value=0),
        "second_factor": ClearableLineField(validators=[validate_policy_level]),
        "app_passwords_only": YesNoField(),
    }
    required_columns = ("domain",)
    example = {
        "domain": "example.org",
        "description": "Example",
        "aliases": "0",
        "mailboxes": "0",
        "maxquota": "0",
        "quota": "0",
        "transport": "virtual",
        "backupmx": "0",
        "active": "1",
    }

    def prefetch_rows(self, rows: Iterable[ModelRow]) -> Iterable[ModelRow]:
        found = list(rows)
        prefetch_related_objects(found, "factor_policy", "mail_login")
        return found

    def values_from_row(self, row: ModelRow) -> RowValues:
        return super().values_from_row(row) | {
            "second_factor": row.second_factor,
            "app_passwords_only": needs_app_passwords(row),
        }

    def create(self, changes: Changes, rows: list[RowValues]) -> None:
        rows = [self.to_service_values(row) for row in rows]
        create_domains(changes, [row | {"default_aliases": False} for row in rows])

    def keys_with_dependents(self, keys: list[str]) -> set[str]:
        found = set()
        for relation in Domain._meta.related_objects:
            if relation.related_model not in DOMAIN_PARTS and relation.on_delete is CASCADE:
                name = relation.field.name
                rows = relation.related_model._base_manager.filter(**{f"{name}__in": keys})
                found |= {fold(key) for key in rows.values_list(name, flat=True).distinct()}
        return found


class DomainLimitRowType(RowType):
    """Limits of domains that hold more than these allow; written after the domain's contents."""

    name = "limit"
    table = "limits"
    title = _("raised domain limits")
    model = Domain
    extra_columns = {
        "domain": DomainNameField(),
        "aliases": BoundedIntegerField(),
        "mailboxes": BoundedIntegerField(),
        "maxquota": BoundedIntegerField(max_value=MAX_QUOTA_MB),
        "quota": BoundedIntegerField(max_value=MAX_QUOTA_MB),
    }
    required_columns = ("domain",)

    def create(self, changes: Changes, rows: list[RowValues]) -> None:
        for row in rows:
            self.edit(changes, row["domain"], row)

    def edit(self, changes: Changes, key: str, values: RowValues) -> None:
        domains.edit_domain(changes, key, omit_keys(values, "domain"))

    def delete(self, changes: Changes, keys: list[str]) -> None:
        """Do nothing: limits are deleted with their domains."""


class AliasDomainRowType(RowType):
    panel_table = AliasDomainTable
    name = "alias-domain"
    required_columns = ("alias_domain", "target_domain")
    required_key_columns = ("alias_domain",)
    example = {"alias_domain": "example.net", "target_domain": "example.org", "active": "1"}

    def get_domain(self, values: RowValues) -> str | None:
        return values.get("alias_domain")

    def referenced_domains(self, values: RowValues) -> list[str]:
        return [values[name] for name in self.required_columns if name in values]


class TransportPatternField(forms.CharField):
    default_validators = [validate_pattern]

    def to_python(self, value: Any) -> str:
        return normalize_pattern(super().to_python(value) or "")


class TransportRowType(RowType):
    panel_table = TransportTable
    name = "transport"
    extra_columns = {
        "pattern": TransportPatternField(max_length=255),
        "transport": LineField(validators=[validate_transport, validate_service]),
    }
    required_columns = ("pattern", "transport")
    example = {"pattern": ".example.org", "transport": "smtp:[mx.example.org]:25", "active": "1"}

    def lock(self, changes: Changes, rows: list[RowValues]) -> None:
        lock_domains(changes, [ALL_DOMAINS])


class AdminRowType(RowType):
    panel_table = AdminTable
    name = "admin"
    extra_columns = {
        "password": SecretField(strip=False, max_length=1024),
        "password_hash": SecretField(),
        "domains": NameListField(),
        "totp_secret": SecretField(),
    }
    required_columns = ("username",)
    import_only_columns = ("password",)
    example = {
        "username": "alice@example.org",
        "password": "",
        "superadmin": "0",
        "domains": "example.org,example.net",
        "active": "1",
    }

    def clean_row(self, values: RowValues) -> RowValues:
        if "domains" in values:
            names = {normalize_domain(name) for name in values["domains"] if name != ALL_DOMAINS}
            values["domains"] = sorted(names)
        return self.clean_password(values)

    def get_domain(self, values: RowValues) -> None:
        return None

    def referenced_domains(self, values: RowValues) -> list[str]:
        return values.get("domains", [])

    def values_from_row(self, row: Admin) -> RowValues:
        names = {fold(name) for name in row.get_assigned_domains()}
        return super().values_from_row(row) | {"domains": sorted(names)}

    def lock(self, changes: Changes, rows: list[RowValues]) -> None:
        lock_domains(
            changes, [ALL_DOMAINS, *(name for row in rows for name in row.get("domains", []))]
        )
