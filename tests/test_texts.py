"""The words of the product: no text says what `BANNED` lists, in Python or in templates."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.utils.translation.template import templatize

pytestmark = pytest.mark.sources

ROOT = Path(settings.BASE_DIR)
PACKAGES = ("mailadmin", "domains", "mailboxes")
# What the first English of the panel said → what to say instead.
BANNED = {
    r"\bdoors?\b|\bkey to it\b|\bcomes? in\b": "sign in, permission, access",
    r"\bfit together\b": "Incorrect address or password.",
    r"\bclosed to you\b|\bdoes not open this page\b": "Access denied",
    r"\btries\b": "attempts",
    r"\bgo(es)? on\b": "Continue, or the verb: Delete 3 mailboxes",
    r"\b(un)?tick(s|ed|ing)?\b": "select, selected",
    r"\bnothing fits\b": "No results match this filter.",
    r"\bturn the order\b": "Reverse sort order",
    r"\bfinds what begins\b": "matches addresses that start with …",
    r"\bwith (it|them) go(es)?\b": "The following will also be deleted",
    r"\bleads? (to|nowhere|elsewhere)\b": "point to, forward to",
    r"\bcomes? back\b": "bounces",
    r"\bthrown away\b|\bnobody hears\b": "is silently discarded",
    r"\bname before the @|\bbefore the @ of\b": "Local part (before the @)",
    r"\bbetween -1 and 0\b": "Enter -1, 0 or a positive number.",
    r"\bempty (keeps|means)\b": "Leave blank to …",
    r"\bpresent\b": "current",
    r"\blong work\b|\bwork goes\b": "Background jobs",
    r"\b(out of|in) force\b|\bswitched (off|on)\b": "disabled, inactive, active",
    r"\b(take|takes|taken|taking|took) back\b": "Revoke, Undo import",
    r"\bmake (a|the) (token|plan)\b|\btoken made\b": "Create token, Preview import",
    r"\bprograms can ask\b": "API reference",
    r"\bhas no place here\b": "Not imported",
    r"\bmend(ed|ing|s)?\b": "to fix",
    r"\bnobody can say\b": "Cannot determine",
    r"\bin a circle\b|\bnever arrives?\b": "Alias loop: mail is never delivered",
    r"\bthere twice\b": "Duplicate",
    r"\bor it is not yours\b": "Not found.",
    r"\bsuperadmins[’']s? matter\b|\bis the .* matter\b": "Only superadmins can …",
    r"\bpassword, hashed\b": "Password hash",
    r"\b(he|his|him|himself)\b": "they, their, them; or no pronoun",
    r"\ba line\.": "per line",
    r"\bmeanwhile\b": "in the meantime",
}
GETTEXT_CALL = re.compile(r"\b(?:_|n?p?gettext(?:_lazy|_noop)?)\(")
STRING = re.compile(r"""\s*,?\s*[uU]?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""", re.DOTALL)


def python_texts(source):
    """Yield (line, text) of each literal of two words or more that is no docstring."""
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and " " in value.strip() and id(node) not in docstrings:
            yield node.lineno, value


def template_texts(source):
    """Yield (line, text) of each text that a template translates."""
    program = templatize(source)
    for call in GETTEXT_CALL.finditer(program):
        position = call.end()
        while found := STRING.match(program, position):
            yield program.count("\n", 0, call.start()) + 1, ast.literal_eval(found[1])
            position = found.end()


def banned_texts(texts, place=""):
    return [
        f"{place}:{line}: “{text}”: say {instead}"
        for line, text in texts
        for pattern, instead in BANNED.items()
        if re.search(pattern, text, re.IGNORECASE)
    ]


def product_files(pattern):
    folders = PACKAGES if pattern == "*.py" else ("templates",)
    for folder in folders:
        for path in sorted((ROOT / folder).rglob(pattern)):
            if "migrations" not in path.parts:
                yield path


@pytest.mark.parametrize(
    ("pattern", "read_texts"), [("*.py", python_texts), ("*.html", template_texts)]
)
def test_no_text_uses_a_banned_phrase(pattern, read_texts):
    texts, found = 0, []
    for path in product_files(pattern):
        here = list(read_texts(path.read_text()))
        texts += len(here)
        found += banned_texts(here, path.relative_to(ROOT))
    assert texts > 200
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "This door is closed to you",
        "Too many tries.",
        "Empty keeps the present password.",
        "The mailbox is switched off.",
        "Nobody can delete himself.",
        "This alias leads to itself.",
    ],
)
def test_a_banned_phrase_is_found(text):
    assert banned_texts(python_texts(f"_({text!r})"))
    assert banned_texts(template_texts(f'{{% load i18n %}}{{% translate "{text}" %}}'))
    block = f"{{% load i18n %}}{{% blocktranslate %}}{text}{{% endblocktranslate %}}"
    assert banned_texts(template_texts(block))


def test_similar_words_and_docstrings_are_not_found():
    words = "retries, represent, outdoors, the sticker, hence: this is history"
    assert not banned_texts(python_texts(f'"""The door."""\n_("{words}")'))


@pytest.mark.parametrize("path", sorted((ROOT / "templates").rglob("*.html")), ids=str)
def test_a_comment_of_a_template_ends_on_its_line(path):
    """Django shows one that does not."""
    lines = path.read_text().splitlines()
    assert [line for line in lines if "{#" in line and "#}" not in line] == []
