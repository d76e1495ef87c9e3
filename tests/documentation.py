"""The pages of the documentation, and the commands in them."""

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

from mailadmin.conf import BASE_DIR

COMMANDS = "sh"
STATEMENTS = "sql"
OTHER_LANGUAGES = {"ini", "mermaid", "php", "python", "text", "yaml"}  # nothing in them is run

BLOCK_RE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
COMMENT_RE = re.compile(r"(^|\s+)#\s.*$")
LINK_RE = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


class Command(NamedTuple):
    page: str
    text: str


def find_pages() -> list[Path]:
    """Return every page of the repository that people read, the README first."""
    tops = [BASE_DIR / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    return [*tops, *sorted((BASE_DIR / "docs").rglob("*.md"))]


def page_name(path: Path) -> str:
    return str(path.relative_to(BASE_DIR))


def blocks(text: str) -> list[tuple[str, str]]:
    """Return language and text of each fenced block."""
    return [(found[2], textwrap.dedent(found[3])) for found in BLOCK_RE.finditer(text)]


def split_commands(block: str) -> list[str]:
    """Return the commands of a block: a line each, continued by a backslash, without comments."""
    lines = block.replace("\\\n", " ").splitlines()
    commands = [COMMENT_RE.sub("", line) for line in lines]
    return [" ".join(command.split()) for command in commands if command.strip()]


def find_commands(language: str = COMMANDS) -> list[Command]:
    """Return the commands of all pages, in their order."""
    return [
        Command(page_name(path), command)
        for path in find_pages()
        for found, block in blocks(path.read_text("utf-8"))
        if found == language
        for command in split_commands(block)
    ]


def find_links(path: Path) -> list[str]:
    """Return the targets of links and pictures within the repository."""
    prose = BLOCK_RE.sub("", path.read_text("utf-8"))
    return [link for link in LINK_RE.findall(prose) if not re.match(r"https?:|mailto:", link)]


def heading_anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as MkDocs and code hosting sites make them."""
    headings = re.findall(r"^#+ (.+)$", BLOCK_RE.sub("", path.read_text("utf-8")), re.MULTILINE)
    words = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings]
    return {re.sub(r"\s+", "-", text) for text in words}
