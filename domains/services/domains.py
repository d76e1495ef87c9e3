"""Create, edit and delete domains, and the rows of this app that belong to them."""

from django.conf import settings
from django.core.exceptions import ValidationError

from domains.models import Domain, DomainAdmin, DomainFactorPolicy, DomainState
from domains.patterns import validate_domain_transport
from domains.services.alias_domains import refuse_alias_domain_targets
from domains.services.factor_policies import set_factor_policy
from domains.services.locks import check_not_being_deleted, lock_domains, refuse_taken_keys
from domains.services.text_references import delete_text_references
from mailadmin.changes.perform import Changes
from mailadmin.translation import gettext_lazy as _


def create_domains(changes: Changes, rows: list[dict]) -> list[Domain]:
    """Create domains; nothing of former domains of these names is left in them."""
    names = [row["domain"] for row in rows]
    lock_domains(changes, names)
    refuse_taken_keys(Domain, names, "domain", _("The domain %(key)s already exists."))
    levels = {row["domain"]: row.get("second_factor", "") for row in rows}
    domains = [Domain(**without_second_factor(row)) for row in rows]
    _refuse_vacation_domain(domains)
    for domain in domains:
        _refuse_broken_transport(domain.transport)
    changes.delete(DomainAdmin._base_manager.filter(domain__in=names))  # a former customer's
    changes.delete(DomainFactorPolicy.objects.filter(pk__in=names))
    changes.create(domains)
    for name, level in levels.items():
        if level:
            set_factor_policy(changes, name, level)
    DomainState.objects.filter(pk__in=names).update(
        mailboxes=0, aliases=0, quota_assigned=0, quota_used=0
    )
    for domain in domains:
        changes.log("create_domain", domain.pk, domain.pk)
    return domains


def edit_domain(changes: Changes, key: str, values: dict) -> Domain:
    """Edit a domain."""
    lock_domains(changes, [key])
    domain = changes.find_one(Domain, key)
    check_not_being_deleted([domain])
    if values.get("transport", domain.transport) != domain.transport:
        _refuse_broken_transport(values["transport"])
    is_changed = bool(changes.update([domain], **without_second_factor(values)))
    if "second_factor" in values:
        is_changed |= set_factor_policy(changes, domain.pk, values["second_factor"])
    if is_changed:
        changes.log("edit_domain", key, key)
    return domain


def without_second_factor(values: dict) -> dict:
    """Return the values of a domain's own columns: its level of second factors is apart."""
    return {name: value for name, value in values.items() if name != "second_factor"}


def set_domains(changes: Changes, keys: list[str], field: str, value: bool) -> None:
    """Set a boolean column of domains."""
    lock_domains(changes, keys)
    domains = changes.find(Domain, keys)
    check_not_being_deleted(domains)
    for domain in changes.update(domains, **{field: value}):
        changes.log("edit_domain", domain.pk, domain.pk)


def delete_domains(changes: Changes, keys: list[str]) -> None:
    """Delete domains, the rows that point to them and those that name them. The log stays."""
    lock_domains(changes, keys)
    domains = changes.find(Domain, keys)
    refuse_alias_domain_targets(keys)
    delete_text_references(changes, keys)
    changes.delete(domains)
    for key in keys:
        changes.log("delete_domain", key, key)


def _refuse_vacation_domain(domains: list[Domain]) -> None:
    if any(domain.pk == settings.MAILADMIN_VACATION_DOMAIN for domain in domains):
        raise ValidationError({"domain": _("This domain is reserved for the vacation responder.")})


def _refuse_broken_transport(transport: str) -> None:
    try:
        validate_domain_transport(transport)
    except ValidationError as error:
        raise ValidationError({"transport": error}) from error
