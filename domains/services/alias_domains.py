"""Create, edit and delete alias domains."""

from collections.abc import Iterator, Sequence

from django.core.exceptions import ValidationError

from domains.models import AliasDomain
from domains.services.locks import lock_domains, lock_writable_domains, refuse_taken_keys
from mailadmin.changes.perform import Changes
from mailadmin.db.bulk import chunks
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _

ALIAS_DOMAIN_TARGET_MESSAGE = _(
    "%(target)s is the target of the alias domain %(mirror)s. Delete that alias domain first."
)


def create_alias_domains(changes: Changes, rows: list[dict]) -> list[AliasDomain]:
    """Create alias domains; both ends must be domains of the acting principal."""
    ends = [row[name].pk for row in rows for name in ("alias_domain", "target_domain")]
    lock_writable_domains(changes, ends)
    alias_domains = [AliasDomain(**row) for row in rows]
    refuse_taken_keys(
        AliasDomain,
        [alias_domain.pk for alias_domain in alias_domains],
        "alias_domain",
        _("%(key)s is already an alias domain."),
    )
    _refuse_alias_domain_chains(alias_domains)
    changes.create(alias_domains)
    for alias_domain in alias_domains:
        changes.log("create_alias_domain", alias_domain.pk, alias_domain.pk)
    return alias_domains


def edit_alias_domain(changes: Changes, key: str, values: dict) -> AliasDomain:
    """Edit an alias domain; its name cannot change."""
    values = {name: value for name, value in values.items() if name != "alias_domain"}
    target = values.get("target_domain")
    lock_writable_domains(changes, [key] + ([target.pk] if target else []))
    alias_domain = changes.find_one(AliasDomain, key)
    if target:
        _refuse_alias_domain_chains([AliasDomain(alias_domain_id=key, target_domain=target)])
    if changes.update([alias_domain], **values):
        changes.log("edit_alias_domain", key, key)
    return alias_domain


def set_alias_domains(changes: Changes, keys: list[str], field: str, value: bool) -> None:
    """Set a boolean column of alias domains."""
    lock_domains(changes, keys)
    for alias_domain in changes.update(changes.find(AliasDomain, keys), **{field: value}):
        changes.log("edit_alias_domain", alias_domain.pk, alias_domain.pk)


def delete_alias_domains(changes: Changes, keys: list[str]) -> None:
    """Delete alias domains; the domains at both ends stay."""
    lock_domains(changes, keys)
    alias_domains = changes.find(AliasDomain, keys)
    changes.delete(alias_domains)
    for alias_domain in alias_domains:
        changes.log(
            "delete_alias_domain", alias_domain.alias_domain_id, alias_domain.alias_domain_id
        )


def refuse_alias_domain_targets(keys: Sequence[str]) -> None:
    """Refuse to delete the target of an alias domain that is not deleted too.

    PostfixAdmin refuses it as well.
    """
    for alias_domain in iter_blocking_alias_domains(keys):
        params = {"target": alias_domain.target_domain_id, "mirror": alias_domain.pk}
        raise ValidationError(ALIAS_DOMAIN_TARGET_MESSAGE, params=params)


def iter_blocking_alias_domains(keys: Sequence[str]) -> Iterator[AliasDomain]:
    """Yield the alias domains of these domains that are not deleted with them."""
    deleted = {fold(key) for key in keys}
    for part in chunks(keys):
        for alias_domain in AliasDomain._base_manager.filter(target_domain__in=part).order_by("pk"):
            if fold(alias_domain.pk) not in deleted:
                yield alias_domain


def _refuse_alias_domain_chains(alias_domains: list[AliasDomain]) -> None:
    """Refuse alias domains of alias domains, which Postfix does not follow, whoever has them."""
    for alias_domain in alias_domains:
        if alias_domain.alias_domain_id == alias_domain.target_domain_id:
            raise ValidationError({"target_domain": _("A domain cannot be an alias of itself.")})
    sources = [alias_domain.alias_domain_id for alias_domain in alias_domains]
    targets = [alias_domain.target_domain_id for alias_domain in alias_domains]
    all_alias_domains = AliasDomain._base_manager
    if all_alias_domains.filter(alias_domain__in=targets).exists() or set(targets) & set(sources):
        raise ValidationError({"target_domain": _("The target is itself an alias domain.")})
    if all_alias_domains.filter(target_domain__in=sources).exists():
        raise ValidationError({"alias_domain": _("Other alias domains point to this domain.")})
