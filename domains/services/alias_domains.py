"""Create, edit and delete alias domains."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from domains.models import AliasDomain
from domains.services.locks import lock_domains, lock_writable_domains, refuse_taken_keys
from mailadmin.changes.perform import Changes
from mailadmin.db.bulk import chunks
from mailadmin.names import fold


def create_alias_domains(changes: Changes, rows: list[dict]) -> list[AliasDomain]:
    """Create alias domains; both ends must be domains of whoever acts."""
    ends = [row[name].pk for row in rows for name in ("alias_domain", "target_domain")]
    lock_writable_domains(changes, ends)
    mirrors = [AliasDomain(**row) for row in rows]
    refuse_taken_keys(
        AliasDomain,
        [mirror.pk for mirror in mirrors],
        "alias_domain",
        _("%(key)s is an alias domain already."),
    )
    _refuse_alias_domain_chains(mirrors)
    changes.create(mirrors)
    for mirror in mirrors:
        changes.log("create_alias_domain", mirror.pk, mirror.pk)
    return mirrors


def edit_alias_domain(changes: Changes, key: str, values: dict) -> AliasDomain:
    """Edit an alias domain; its own name stays."""
    values = {name: value for name, value in values.items() if name != "alias_domain"}
    target = values.get("target_domain")
    lock_writable_domains(changes, [key] + ([target.pk] if target else []))
    mirror = changes.find_one(AliasDomain, key)
    if target:
        _refuse_alias_domain_chains([AliasDomain(alias_domain_id=key, target_domain=target)])
    if changes.update([mirror], **values):
        changes.log("edit_alias_domain", key, key)
    return mirror


def set_alias_domains(changes: Changes, keys: list[str], field: str, value: bool) -> None:
    """Set a boolean column of alias domains."""
    lock_domains(changes, keys)
    for mirror in changes.update(changes.find(AliasDomain, keys), **{field: value}):
        changes.log("edit_alias_domain", mirror.pk, mirror.pk)


def delete_alias_domains(changes: Changes, keys: list[str]) -> None:
    """Delete alias domains; the domains at both ends stay."""
    lock_domains(changes, keys)
    mirrors = changes.find(AliasDomain, keys)
    changes.delete(mirrors)
    for mirror in mirrors:
        changes.log("delete_alias_domain", mirror.alias_domain_id, mirror.alias_domain_id)


def refuse_alias_domain_targets(keys: list[str]) -> None:
    """Refuse to delete domains that are the target of an alias domain which would stay.

    As PostfixAdmin does.
    """
    going = {fold(key) for key in keys}
    for part in chunks(keys):
        for mirror in AliasDomain._base_manager.filter(target_domain__in=part).order_by("pk"):
            if fold(mirror.pk) not in going:
                raise _build_target_error(mirror)


def _build_target_error(mirror: AliasDomain) -> ValidationError:
    return ValidationError(
        _("%(target)s is the target of the alias domain %(mirror)s. Delete that one first."),
        params={"target": mirror.target_domain_id, "mirror": mirror.pk},
    )


def _refuse_alias_domain_chains(mirrors: list[AliasDomain]) -> None:
    """Refuse alias domains of alias domains, which Postfix does not follow, whoever runs them."""
    for mirror in mirrors:
        if mirror.alias_domain_id == mirror.target_domain_id:
            raise ValidationError({"target_domain": _("A domain cannot be an alias of itself.")})
    sources = [mirror.alias_domain_id for mirror in mirrors]
    targets = [mirror.target_domain_id for mirror in mirrors]
    everybody = AliasDomain._base_manager
    if everybody.filter(alias_domain__in=targets).exists() or set(targets) & set(sources):
        raise ValidationError({"target_domain": _("The target is an alias domain itself.")})
    if everybody.filter(target_domain__in=sources).exists():
        raise ValidationError({"alias_domain": _("Other alias domains lead to this domain.")})
