"""The lines of a map file: what the parts of the panel's queries answer for every key."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.utils.translation import gettext as _

from domains.models import AliasDomain, Domain, Transport
from mailadmin.db.pagination import iter_rows
from mailboxes.postfix.dialects import get_dialect
from mailboxes.postfix.maps import build_postfix_maps
from mailboxes.postfix.queries import LookupSelect, PostfixMap
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export.answers import MapAnswers

FILE_HEADER = "# Written by mailadmin.\n"
# Keys that postmap(1) reads as written: without blanks or quotes, and no comments.
WRITABLE_KEY_RE = re.compile(r"[^\s\"#][^\s\"]*")


def maps_by_name() -> dict[str, PostfixMap]:
    return {query.name: query for query in build_postfix_maps()}


def iter_part_answers(part: LookupSelect, domain: str) -> Iterator[MapAnswers]:
    """Yield a part with its rows' own keys, or once per alias domain with the keys of that."""
    if part.source == get_dialect().table(part.model):
        prefix = "@" if has_domain_keys(part) else ""
        yield MapAnswers(part, prefix, domain=domain if part.model is not Transport else "")
        return
    alias_domains = AliasDomain.objects.filter(active=True)
    for alias_domain in iter_rows(
        alias_domains.filter(alias_domain=domain) if domain else alias_domains
    ):
        yield MapAnswers(part, "", alias_domain.alias_domain_id, alias_domain.target_domain_id)


def has_domain_keys(part: LookupSelect) -> bool:
    return part.model is Domain and "SUBSTR(:key, 2)" in part.where[0]


def iter_map_lines(answers: Iterable[MapAnswers], losses: Losses, domain: str) -> Iterator[str]:
    """Yield the lines of a map file, each key once."""
    yield FILE_HEADER
    for key, answer in iter_entries(answers, domain):
        yield from iter_map_line(key, answer, losses)


def iter_entries(answers: Iterable[MapAnswers], domain: str) -> Iterator[tuple[str, Any]]:
    """Yield each key once, with its first answer."""
    earlier: list[MapAnswers] = []
    for current in answers:
        for page in current.iter_pages():
            answered = find_keys_answered_before(earlier, current, [key for key, _answer in page])
            yield from iter_new_answers(page, answered, domain)
        earlier.append(current)


def find_keys_answered_before(
    earlier: list[MapAnswers], answers: MapAnswers, keys: list[str]
) -> set[str]:
    """Return those of the keys that an earlier query of the file has answered."""
    competing = [each for each in earlier if each.alias_domain in ("", answers.alias_domain)]
    return set().union(*(each.find_answered_keys(keys) for each in competing))


def iter_new_answers(
    page: list[tuple[str, Any]], answered: set[str], domain: str
) -> Iterator[tuple[str, Any]]:
    """Yield what is not answered yet, only for the domain if there is one."""
    for key, answer in page:
        if key not in answered and (not domain or belongs_to_domain(key, domain)):
            yield key, answer


def belongs_to_domain(key: str, domain: str) -> bool:
    return key in (domain, f".{domain}") or key.endswith(f"@{domain}")


def iter_map_line(key: str, answer: Any, losses: Losses) -> Iterator[str]:
    if not WRITABLE_KEY_RE.fullmatch(key):
        losses.add(_("Key that cannot be stored in a map file: skipped."), key)
        return
    yield f"{key}\t{' '.join(str(answer).split())}\n"
