"""Find aliases whose targets name an address or a domain."""

import datetime
from collections.abc import Collection, Iterator, Sequence

from django.utils import timezone

from mailadmin.db.bulk import chunks
from mailadmin.names import fold
from mailboxes.models import Alias, AliasTarget
from mailboxes.services.logged_aliases import find_logged_aliases
from mailboxes.services.target_checks import MAX_CHECKED_TARGETS, NO_DOMAIN, find_target_problems

LOGGED_SINCE = datetime.timedelta(hours=1)  # the worker corrects the index every few minutes
MAX_REFERENCES = 200  # aliases that are read for up to 500 names; more are not looked at


def find_aliases_pointing_to(
    principal: object, names: Sequence[str], only_active: bool = False
) -> list[Alias]:
    """Return the aliases that point to these addresses or `@domain`s and are none of them.

    Only those that the principal may see, and of very many only some.
    """
    if not names:
        return []
    wanted = {fold(name) for name in names}
    found = {
        alias.pk: alias
        for alias in iter_candidates(principal, wanted, only_active)
        if any(is_address_in(target, wanted) for target in alias.targets)
    }
    return [alias for key, alias in sorted(found.items()) if not is_address_in(key, wanted)]


def iter_candidates(principal: object, names: set[str], only_active: bool) -> Iterator[Alias]:
    """Yield the aliases outside of these domains that the index of targets has for these names.

    PostfixAdmin may have written others since the worker corrected the index, as the log says.
    """
    domains = [name[1:] for name in names if name.startswith("@")]
    entries = AliasTarget.objects.visible_to(principal).exclude(domain__in=domains)
    rows = Alias.objects.visible_to(principal).exclude(domain__in=domains)
    if only_active:
        entries, rows = entries.filter(alias__active=True), rows.filter(active=True)
    for part in chunks(sorted(names)):
        found = entries.filter(name__in=part).select_related("alias")[:MAX_REFERENCES]
        # Another program may have moved the alias out of scope.
        yield from (each.alias for each in found if each.alias.domain_id == each.domain_id)
    since = timezone.now() - LOGGED_SINCE
    if logged := find_logged_aliases(since, "create_alias", "edit_alias"):
        yield from rows.filter(pk__in=logged)


def find_affected_aliases(principal: object, names: Sequence[str]) -> list[Alias]:
    """Return the aliases that lose these targets; an inactive one takes no mail in any case."""
    return find_aliases_pointing_to(principal, names, only_active=True)


def classify_inbound_aliases(
    principal: object, names: Sequence[str], deleted_catch_alls: Sequence[str] = ()
) -> dict[str, list[Alias]]:
    """Return the aliases that point to deleted addresses, by what happens to their mail.

    `still_deliverable` aliases have other targets, mail to `delivered_to_catch_all` ones goes to a
    catch-all that is not deleted as well, and mail to `broken` ones bounces.
    """
    deleted = {fold(key) for key in deleted_catch_alls}
    aliases = [a for a in find_affected_aliases(principal, names) if fold(a.pk) not in deleted]
    deliverable = find_still_deliverable(principal, aliases, names)
    lost = [alias for alias in aliases if alias.pk not in deliverable]
    catch_alls = find_catch_alls(principal, names) if lost else set()
    catch_alls -= {fold(alias.pk) for alias in lost} | deleted
    delivered = [alias for alias in lost if not catch_alls.isdisjoint(get_catch_all_keys(alias))]
    return {
        "still_deliverable": [alias for alias in aliases if alias.pk in deliverable],
        "delivered_to_catch_all": delivered,
        "broken": [alias for alias in lost if alias not in delivered],
    }


def find_still_deliverable(
    principal: object, aliases: list[Alias], names: Collection[str]
) -> set[str]:
    """Return the keys of aliases with another target that receives mail."""
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


def is_address_in(address: str, names: Collection[str]) -> bool:
    """Return whether the address is named, or its whole domain is."""
    address = address.lower()
    return address in names or "@" + address.rpartition("@")[2] in names
