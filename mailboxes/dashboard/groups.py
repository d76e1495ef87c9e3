"""What needs attention, as the home page shows it: the first rows of each kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailboxes.services.statistics import ATTENTION_COUNT_LIMIT

MAX_ROWS_SHOWN = 10
MAX_ROWS_SHOWN_BY_KIND = {"full_domains": 5}


@dataclass(frozen=True)
class AttentionGroup:
    """The rows of one kind: those that the page shows, and the number of the others."""

    shown: Sequence[Any]
    hidden: int
    is_cut: bool  # whether there may be more than were counted


def build_attention_groups(found: Mapping[str, Sequence[Any]]) -> dict[str, AttentionGroup]:
    """Return kind → its rows as the page shows them."""
    return {kind: build_attention_group(kind, rows) for kind, rows in found.items()}


def build_attention_group(kind: str, rows: Sequence[Any]) -> AttentionGroup:
    shown = rows[: MAX_ROWS_SHOWN_BY_KIND.get(kind, MAX_ROWS_SHOWN)]
    return AttentionGroup(shown, len(rows) - len(shown), len(rows) >= ATTENTION_COUNT_LIMIT)
