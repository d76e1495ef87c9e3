"""Find as which addresses a mailbox may send besides its own."""

from typing import Any, NamedTuple

from domains.models import Domain
from mailadmin.names import fold
from mailboxes.models import Alias, AliasTarget, Mailbox, SenderPermission
from mailboxes.services.addresses import find_keys_of_mailboxes
from mailboxes.services.references import MAX_REFERENCES, find_aliases_pointing_to
from mailboxes.services.sender_permissions import is_of_former

MAX_PERMISSIONS = 200


class SenderAddress(NamedTuple):
    """An address as which an owner may send; `@domain` is all addresses of a domain."""

    address: str
    domain: str
    is_catch_all: bool = False  # all that have no mailbox or alias


def find_permissions(principal: Any, mailbox: Mailbox) -> list[SenderPermission]:
    """Return the permissions of a mailbox that the principal sees; of very many the first.

    Without those of a former mailbox of the name, until the worker deletes them.
    """
    rows = SenderPermission.objects.visible_to(principal).filter(mailbox=mailbox.pk)
    if mailbox.created:
        rows = rows.filter(created__gte=mailbox.created)
    return list(rows.order_by("address")[:MAX_PERMISSIONS])


def find_sender_aliases(principal: Any, mailbox: str) -> list[Alias]:
    """Return the aliases in scope that let a mailbox send as them: they point to it themselves.

    The alias of another mailbox does not.
    """
    return exclude_forwardings(find_aliases_pointing_to(principal, [mailbox], only_active=True))


def find_own_addresses(mailbox: Mailbox) -> list[SenderAddress]:
    """Return as which addresses an owner may send besides their own, in any domain."""
    rows = [row for row in find_permissions(mailbox, mailbox) if row.active]
    entries = AliasTarget.objects.filter(name=fold(mailbox.pk), alias__active=True)
    aliases = [entry.alias for entry in entries.select_related("alias")[:MAX_REFERENCES]]
    pointing = [a for a in aliases if fold(mailbox.pk) in map(fold, a.targets)]
    found = {
        fold(alias.pk): SenderAddress(alias.pk, alias.domain_id, alias.is_catch_all)
        for alias in exclude_forwardings(pointing)
    }
    names = {each.domain_id for each in (*rows, *pointing)}
    active = Domain.objects.filter(pk__in=names, active=True).only("created")
    domains = {fold(domain.pk): domain for domain in active}
    known = [(row, domains.get(fold(row.domain_id))) for row in rows]
    permissions = [row for row, own in known if own and not is_of_former(row, mailbox, own)]
    found |= {fold(row.address): SenderAddress(row.address, row.domain_id) for row in permissions}
    return sorted(each for each in found.values() if fold(each.domain) in domains)


def exclude_forwardings(aliases: list[Alias]) -> list[Alias]:
    """Return the aliases that belong to no mailbox."""
    of_mailboxes = find_keys_of_mailboxes([alias.pk for alias in aliases])
    return [alias for alias in aliases if fold(alias.pk) not in of_mailboxes]
