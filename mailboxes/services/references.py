"""Find aliases whose targets name an address or a domain."""

from collections.abc import Collection, Sequence

from django.db.models import Q

from mailadmin.db.bulk import chunks
from mailadmin.names import fold
from mailboxes.models import Alias
from mailboxes.services.target_checks import MAX_CHECKED_TARGETS, NO_DOMAIN, find_target_problems

NAMES_PER_QUERY = 50
# Quotes, comments and other forms, in which an address is not found as it is.
QUOTING_MARKERS = ('"', "\\", "(", "%", "!", " @", "@ ", " .", ". ", "\t", "\n@", "@\n")


def find_aliases_pointing_to(principal: object, names: Sequence[str]) -> list[Alias]:
    """Return the aliases that point to these addresses or `@domain`s and are none of them.

    Only those that the principal may see.
    """
    rows = Alias.objects.visible_to(principal)
    rows = rows.exclude(domain__in=[name[1:] for name in names if name.startswith("@")])
    found = {}
    for part in chunks(names, NAMES_PER_QUERY):
        for alias in rows.filter(build_reference_filter(part)).order_by("pk"):
            if any(is_address_in(target, part) for target in alias.targets):
                found[alias.pk] = alias
    return [alias for key, alias in sorted(found.items()) if not is_address_in(key, names)]


def find_affected_aliases(principal: object, names: Sequence[str]) -> list[Alias]:
    """Return the aliases that lose these targets; an inactive one takes no mail in any case."""
    return [alias for alias in find_aliases_pointing_to(principal, names) if alias.active]


def group_by_fate(
    principal: object, names: Sequence[str], deleted_catch_alls: Sequence[str] = ()
) -> dict[str, list[Alias]]:
    """Return the aliases that point to deleted addresses, by what becomes of them.

    `working` aliases have other targets, the mail of `caught` ones goes to a catch-all that is not
    deleted as well, and mail to `broken` ones bounces.
    """
    deleted = {fold(key) for key in deleted_catch_alls}
    aliases = [a for a in find_affected_aliases(principal, names) if fold(a.pk) not in deleted]
    working = find_working(principal, aliases, names)
    lost = [alias for alias in aliases if alias.pk not in working]
    catch_alls = find_catch_alls(principal, names) if lost else set()
    catch_alls -= {fold(alias.pk) for alias in lost} | deleted
    caught = [alias for alias in lost if not catch_alls.isdisjoint(get_catch_all_keys(alias))]
    return {
        "working": [alias for alias in aliases if alias.pk in working],
        "caught": caught,
        "broken": [alias for alias in lost if alias not in caught],
    }


def find_working(principal: object, aliases: list[Alias], names: Collection[str]) -> set[str]:
    """Return the aliases with another target that receives mail."""
    remaining = {alias.pk: get_remaining_targets(alias, names) for alias in aliases}
    targets = {each for found in remaining.values() for each in found}
    problems = find_target_problems(principal, targets)
    lost = {target for target, kind in problems.items() if kind != NO_DOMAIN}
    return {key for key, found in remaining.items() if not lost.issuperset(found)}


def get_catch_all_keys(alias: Alias) -> list[str]:
    """Return the keys of the catch-alls in the domains to which an alias points."""
    return [fold("@" + target.rpartition("@")[2]) for target in alias.targets]


def get_remaining_targets(alias: Alias, names: Collection[str]) -> list[str]:
    """Return the first targets that are not deleted."""
    targets = [target.lower() for target in alias.targets]
    return [each for each in targets if not is_address_in(each, names)][:MAX_CHECKED_TARGETS]


def find_catch_alls(principal: object, names: Sequence[str]) -> set[str]:
    """Return the active catch-alls that take the mail of deleted addresses."""
    domains = {"@" + name.rpartition("@")[2] for name in names} - set(names)
    found: set[str] = set()
    for part in chunks(sorted(domains)):
        rows = Alias.objects.visible_to(principal).filter(pk__in=part, active=True)
        found |= {fold(key) for key in rows.values_list("pk", flat=True)}
    return found


def build_reference_filter(names: list[str]) -> Q:
    """Select the aliases that can hold one of these names; which do, their targets say."""
    texts = [*names, *QUOTING_MARKERS]
    return Q(*(Q(goto__icontains=text) for text in texts), _connector=Q.OR)


def is_address_in(address: str, names: Collection[str]) -> bool:
    """Return whether the address is named, or its whole domain is."""
    address = address.lower()
    return address in names or "@" + address.rpartition("@")[2] in names
