"""Domains, alias domains, admins and transports, as sources give them."""

from django import forms
from django.db.models import CASCADE
from django.utils.translation import gettext_lazy as _

from domains.models import ALL_DOMAINS, Domain, DomainState
from domains.patterns import (
    normalize_pattern,
    validate_domain_transport,
    validate_pattern,
    validate_service,
    validate_transport,
)
from domains.services import admins, domains, transports
from domains.services.alias_domains import (
    create_alias_domains,
    delete_alias_domains,
    edit_alias_domain,
)
from domains.services.locks import lock_domains
from domains.tables import AdminTable, AliasDomainTable, TransportTable
from mailadmin.names import fold, normalize_domain
from mailboxes.services.domains import create_domains, delete_domains
from mailboxes.tables import DomainTable
from mailboxes.transfer.row_types.base import (
    BoundedIntegerField,
    DomainNameField,
    LineField,
    NameListField,
    RowType,
    SecretField,
    omit_keys,
)

MAX_QUOTA_MB = 2**40  # more is a slip of the finger


class DomainRowType(RowType):
    panel_table = DomainTable
    name = "domain"
    extra_columns = {
        "maxquota": BoundedIntegerField(most=MAX_QUOTA_MB),
        "quota": BoundedIntegerField(most=MAX_QUOTA_MB),
        "transport": LineField(validators=[validate_domain_transport]),
        "password_expiry": BoundedIntegerField(least=0),
    }
    needed = ("domain",)
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

    def create(self, changes, rows):
        create_domains(changes, [row | {"default_aliases": False} for row in rows])

    def edit(self, changes, key, values):
        domains.edit_domain(changes, key, omit_keys(values, "domain"))

    def delete(self, changes, keys):
        delete_domains(changes, keys)

    def keys_with_dependents(self, keys):
        found = set()
        for relation in Domain._meta.related_objects:
            if relation.related_model is not DomainState and relation.on_delete is CASCADE:
                name = relation.field.name
                rows = relation.related_model._base_manager.filter(**{f"{name}__in": keys})
                found |= {fold(key) for key in rows.values_list(name, flat=True).distinct()}
        return found


class DomainLimitRowType(RowType):
    """Limits of domains that hold more than these allow: they come when everything is in."""

    name = "limit"
    table = "limits"
    title = _("limits of full domains")
    model = Domain
    extra_columns = {
        "domain": DomainNameField(),
        "aliases": BoundedIntegerField(),
        "mailboxes": BoundedIntegerField(),
        "maxquota": BoundedIntegerField(most=MAX_QUOTA_MB),
        "quota": BoundedIntegerField(most=MAX_QUOTA_MB),
    }
    needed = ("domain",)

    def create(self, changes, rows):
        for row in rows:
            self.edit(changes, row["domain"], row)

    def edit(self, changes, key, values):
        domains.edit_domain(changes, key, omit_keys(values, "domain"))

    def delete(self, changes, keys):
        """They go with their domains."""


class AliasDomainRowType(RowType):
    panel_table = AliasDomainTable
    name = "alias-domain"
    needed = ("alias_domain", "target_domain")
    required_key_columns = ("alias_domain",)
    example = {"alias_domain": "example.net", "target_domain": "example.org", "active": "1"}

    def domain(self, values):
        return values.get("alias_domain")

    def referenced_domains(self, values):
        return [values[name] for name in self.needed if name in values]

    def create(self, changes, rows):
        create_alias_domains(changes, [self.to_service_values(row) for row in rows])

    def edit(self, changes, key, values):
        edit_alias_domain(changes, key, self.to_service_values(values))

    def delete(self, changes, keys):
        delete_alias_domains(changes, keys)

    def to_service_values(self, values):
        ends = {name for name in ("alias_domain", "target_domain") if name in values}
        return values | {name: Domain(domain=values[name]) for name in ends}


class TransportPatternField(forms.CharField):
    default_validators = [validate_pattern]

    def to_python(self, value):
        return normalize_pattern(super().to_python(value))


class TransportRowType(RowType):
    panel_table = TransportTable
    name = "transport"
    extra_columns = {
        "pattern": TransportPatternField(max_length=255),
        "transport": LineField(validators=[validate_transport, validate_service]),
    }
    needed = ("pattern", "transport")
    example = {"pattern": ".example.org", "transport": "smtp:[mx.example.org]:25", "active": "1"}

    def lock(self, changes, rows):
        lock_domains(changes, [ALL_DOMAINS])

    def create(self, changes, rows):
        transports.create_transports(changes, rows)

    def edit(self, changes, key, values):
        transports.edit_transport(changes, key, omit_keys(values, "pattern"))

    def delete(self, changes, keys):
        transports.delete_transports(changes, keys)


class AdminRowType(RowType):
    panel_table = AdminTable
    name = "admin"
    extra_columns = {
        "password": SecretField(strip=False, max_length=1024),
        "password_hash": SecretField(),
        "domains": NameListField(),
        "totp_secret": SecretField(),
    }
    needed = ("username",)
    import_only_columns = ("password",)
    example = {
        "username": "alice@example.org",
        "password": "",
        "superadmin": "0",
        "domains": "example.org,example.net",
        "active": "1",
    }

    def complete(self, values):
        if "domains" in values:
            names = {normalize_domain(name) for name in values["domains"] if name != ALL_DOMAINS}
            values["domains"] = sorted(names)
        return self.clean_password(values)

    def domain(self, values):
        return None

    def referenced_domains(self, values):
        return values.get("domains", [])

    def words(self, row):
        names = {fold(name) for name in row.get_assigned_domains()}
        return super().words(row) | {"domains": sorted(names)}

    def lock(self, changes, rows):
        lock_domains(
            changes, [ALL_DOMAINS, *(name for row in rows for name in row.get("domains", []))]
        )

    def create(self, changes, rows):
        admins.create_admins(changes, rows)

    def edit(self, changes, key, values):
        admins.edit_admin(changes, key, omit_keys(values, "username"))

    def delete(self, changes, keys):
        admins.delete_admins(changes, keys)
