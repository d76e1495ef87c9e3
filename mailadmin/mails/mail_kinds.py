"""`MailKind`, the declaration of one kind of mail: its texts, and what is filled into them."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mailadmin.tables.actions import Text

PLACEHOLDER_RE = re.compile(r"%\((\w+)\)s")
# What every text may use, with the descriptions that the documentation has.
COMMON_PLACEHOLDERS = {"panel": "the address of the panel (`MAILADMIN_URL`), or nothing"}


def get_no_texts() -> tuple[str, str]:
    return "", ""


class WrittenTexts(NamedTuple):
    """Subject and text that somebody has written, or why they are not to be sent."""

    subject: str
    text: str
    refusal: str = ""


@dataclass(frozen=True, eq=False)
class MailKind:
    """A kind of mail. `placeholders` has the description of each for the documentation.

    `get_configured_texts` returns subject and text of settings; an empty one is not set.
    `get_written_texts` returns those that somebody has written, for the one value of a mail.
    """

    name: str
    label: Text
    purpose: str
    subject: Text
    text: Text
    placeholders: Mapping[str, str]
    links: frozenset[str] = frozenset()  # placeholders that are addresses of pages of the panel
    get_configured_texts: Callable[[], tuple[str, str]] = get_no_texts
    get_written_texts: Callable[[str], WrittenTexts] | None = None

    @property
    def known_placeholders(self) -> dict[str, str]:
        return {**self.placeholders, **COMMON_PLACEHOLDERS}

    def find_unknown_placeholders(self, text: str) -> Iterator[str]:
        """Yield each part of a text that looks like a placeholder and is none of this kind."""
        for start in re.finditer(r"%\(", text):
            found = PLACEHOLDER_RE.match(text, start.start())
            if not found:
                yield text[start.start() :].split()[0][:40]
            elif found[1] not in self.known_placeholders:
                yield found[0]


def fill_placeholders(text: str, values: Mapping[str, str]) -> str:
    """Return the text with its placeholders replaced; nothing else in it has a meaning."""
    return PLACEHOLDER_RE.sub(lambda found: values.get(found[1], found[0]), text)
