"""The map file of sender logins.

For one key several rows may answer: mailbox or alias, and sender permissions. Where there are
permissions, the panel's query is run for each key.
"""

from collections.abc import Iterator

from domains.models import AliasDomain
from mailadmin.db.pagination import iter_rows
from mailadmin.names import fold
from mailboxes.models import SenderPermission
from mailboxes.postfix.queries import run_query
from mailboxes.transfer.entries import Losses
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
    permitted, sql = find_permitted_keys(), query.sql()
    remaining = {key for key in permitted if not domain or belongs_to_domain(key, domain)}
    owners = [
        part
        for part in query.parts
        if part.model is not SenderPermission and not part.for_other_keys
    ]
    answers = [each for part in owners for each in iter_part_answers(part, domain)]
    for key, answer in iter_entries(answers, domain):
        remaining.discard(key)
        is_affected = key in permitted or get_domain_key(key) in permitted
        yield from iter_map_line(key, look_up(sql, key) if is_affected else answer, losses)
    for key in sorted(remaining):
        if answer := look_up(sql, key):
            yield from iter_map_line(key, answer, losses)


def look_up(sql: str, key: str) -> str:
    answers = (str(answer) for (answer,) in run_query(sql, key) if answer not in (None, ""))
    return ",".join(dict.fromkeys(answers))


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
