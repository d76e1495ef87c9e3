"""The default aliases of a domain (abuse, postmaster, …), and whether their targets exist."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings

from domains.models import Domain
from domains.services.locks import adjust_tallies
from mailadmin.changes.perform import Changes, ConsolePrincipal
from mailboxes.models import Alias
from mailboxes.services.standalone_aliases import index_standalone_aliases
from mailboxes.services.target_checks import MISSING, find_target_problems


def create_default_aliases(changes: Changes, domain: Domain, destination: str = "") -> None:
    """Create the configured default aliases; as in PostfixAdmin no limit stops them."""
    aliases = [
        Alias(address=f"{name}@{domain.pk}", goto=target, domain=domain)
        for name, target in iter_default_alias_targets(changes.principal, domain.pk, destination)
    ]
    taken = set(Alias.objects.filter(pk__in=[a.pk for a in aliases]).values_list("pk", flat=True))
    aliases = [alias for alias in aliases if alias.pk not in taken and alias.goto != alias.pk]
    changes.create(aliases)
    index_standalone_aliases(aliases)
    adjust_tallies(domain.pk, aliases=len(aliases))


def iter_default_alias_targets(
    principal: Any, domain: str, destination: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield (name, target) of the default aliases: as the settings say, else the destination."""
    destination = destination or get_reachable_address(principal)
    for name, target in settings.MAILADMIN_DEFAULT_ALIASES:
        target = target or destination
        if target:
            yield name, target if "@" in target else f"{target}@{domain}"


def has_reachable_domain(principal: Any) -> bool:
    """Return whether mail can be sent to the name: admin@localhost can sign in, and no more."""
    return "." in (principal.username or "").rpartition("@")[2]


def get_reachable_address(principal: Any) -> str:
    """Return the address of whoever acts, if mail can reach it."""
    own = principal.username if has_reachable_domain(principal) else ""
    return "" if own and find_target_problems(ConsolePrincipal(), {own.lower()}) else own


def find_missing_targets(domain: Domain) -> list[str]:
    """Return the targets of a domain's default aliases that do not exist."""
    names = dict(settings.MAILADMIN_DEFAULT_ALIASES)
    keys = [f"{name}@{domain.pk}" for name in names]
    gotos = {target for alias in domain.alias_set.filter(pk__in=keys) for target in alias.targets}
    addresses = {target.lower() for target in gotos if "@" in target}
    problems = find_target_problems(ConsolePrincipal(), addresses)
    return sorted(target for target, kind in problems.items() if kind == MISSING)


def is_default_alias(local_part: str) -> bool:
    """Return whether this is the local part of a default alias."""
    return local_part in dict(settings.MAILADMIN_DEFAULT_ALIASES)
