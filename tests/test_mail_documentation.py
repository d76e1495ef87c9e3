"""The page on mails lists every kind with its placeholders."""

import pytest

from mailadmin import registry
from mailadmin.conf import BASE_DIR

pytestmark = pytest.mark.sources


def format_kinds():
    lines = ["| kind | sent when | placeholders |", "|---|---|---|"]
    for kind in registry.mail_kinds.values():
        names = ", ".join(f"`%({name})s` {text}" for name, text in kind.placeholders.items())
        lines.append(f"| `{kind.name}` | {kind.purpose} | {names} |")
    return "\n".join(lines) + "\n"


def test_the_page_lists_all_kinds():
    assert format_kinds() in (BASE_DIR / "docs/mails.md").read_text("utf-8"), format_kinds()
