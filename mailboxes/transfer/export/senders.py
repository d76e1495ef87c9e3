"""The map file of sender logins.

For one key several rows may answer: mailbox or alias, and sender permissions. Where there are
permissions, the panel's query is run for many such keys at once.
"""

from collections.abc import Iterator

from domains.models import AliasDomain
from mailadmin.db.pagination import iter_rows
from mailadmin.names import fold
from mailboxes.models import SenderPermission
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export.batches import find_answers, iter_batches
from mailboxes.transfer.export.map_lines import (
    FILE_HEADER,
    belongs_to_domain,
    iter_entries,
    iter_map_line,
    iter_part_answers,
    maps_by_name,
)


def iter_sender_lines(losses: Losses, domain: str) -> Iterator[str]:
    """Yield the lines of the file, each key once."""
    yield FILE_HEADER
    query = maps_by_name()["sender_login"]
    permitted = find_permitted_keys()
    remaining = {key for key in permitted if not domain or belongs_to_domain(key, domain)}
    owners = [
        part
        for part in query.parts
        if part.model is not SenderPermission and not part.for_other_keys
    ]
    answers = [each for part in owners for each in iter_part_answers(part, domain)]
    for batch in iter_batches(iter_entries(answers, domain)):
        affected = [k for k, _answer in batch if not permitted.isdisjoint((k, get_domain_key(k)))]
        found = find_answers(query, affected) if affected else {}
        for key, answer in batch:
            remaining.discard(key)
            yield from iter_map_line(key, ",".join(found.get(key, [])) or answer, losses)
    for keys in iter_batches(sorted(remaining)):
        found = find_answers(query, keys)
        for key in filter(found.get, keys):
            yield from iter_map_line(key, ",".join(found[key]), losses)


def find_permitted_keys() -> set[str]:
    """Return the addresses and `@domain`s of permissions, and the same in alias domains."""
    addresses = SenderPermission.objects.filter(active=True).values_list("address", flat=True)
    keys = {fold(address) for address in addresses.iterator()}
    alias_domains: dict[str, list[str]] = {}
    for row in iter_rows(AliasDomain.objects.filter(active=True)):
        alias_domains.setdefault(fold(row.target_domain_id), []).append(fold(row.pk))
    mirrored = {
        f"{key.rpartition('@')[0]}@{name}"
        for key in keys
        for name in alias_domains.get(key.rpartition("@")[2], ())
    }
    return keys | mirrored


def get_domain_key(key: str) -> str:
    return f"@{key.rpartition('@')[2]}"
