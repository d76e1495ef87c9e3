"""Expand Postfix's `$name`, `${name}`, `${name?{…}:{…}}` and `${{a} == {b} ? {…} : {…}}`."""

import operator
import re
from collections.abc import Callable
from typing import Any

ParameterLookup = Callable[[str], str]  # name → raw value
MAX_DEPTH = 100  # levels of nesting
CLOSING_BRACKETS = {"{": "}", "(": ")"}
NAME_RE = re.compile(r"\w+", re.ASCII)
CONDITIONAL_RE = re.compile(r"\s*([\w.-]+)\s*(?:([?:])(.*))?", re.ASCII | re.DOTALL)
NUMBER_RE = re.compile(r"-?[0-9]{1,18}")
LEVEL_RE = re.compile(r"[0-9]{1,9}")
OPERATOR_RE = re.compile(r"\s*(==|!=|<=|>=|<|>)(level)?\s*")
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MAX_VALUE_LENGTH = 1_000_000  # characters


class MacroNestingError(ValueError):
    """Raised if a value refers to itself, directly or through others, or grows too long."""


def expand_macros(text: str, lookup: ParameterLookup, depth: int = 0) -> str:
    """Return the text with all macros replaced; `lookup` returns the raw value of a name."""
    if depth > MAX_DEPTH:
        raise MacroNestingError(text)
    pieces: list[str] = []
    at, size = 0, 0
    while (dollar := text.find("$", at)) >= 0:
        pieces.append(text[at:dollar])
        piece, at = _expand_macro(text, dollar + 1, lookup, depth)
        pieces.append(piece)
        size += len(piece)
        if size > MAX_VALUE_LENGTH:
            raise MacroNestingError(text)
    return "".join([*pieces, text[at:]])


def _expand_macro(text: str, at: int, lookup: ParameterLookup, depth: int) -> tuple[str, int]:
    """Expand the macro behind the dollar sign; return the text and the position behind it."""
    if text[at : at + 1] == "$":
        return "$", at + 1
    if text[at : at + 1] in CLOSING_BRACKETS:
        end = find_closing_bracket(text, at)
        return _expand_braced(text[at + 1 : end - 1], lookup, depth), end
    if name := NAME_RE.match(text, at):
        return expand_macros(lookup(name[0]), lookup, depth + 1), name.end()
    return "$", at


def find_closing_bracket(text: str, at: int) -> int:
    """Return the position behind the bracket that closes the one at `at`."""
    opening, level = text[at], 0
    for position in range(at, len(text)):
        if text[position] == opening:
            level += 1
        elif text[position] == CLOSING_BRACKETS[opening]:
            level -= 1
            if level == 0:
                return position + 1
    return len(text)


def _expand_braced(text: str, lookup: ParameterLookup, depth: int) -> str:
    if text.lstrip().startswith("{"):
        return _expand_comparison(text.lstrip(), lookup, depth)
    choice = CONDITIONAL_RE.fullmatch(text)
    if not choice:
        return ""
    name, kind, rest = choice.groups()
    value = expand_macros(lookup(name), lookup, depth + 1)
    if kind is None:
        return value
    return _expand_branch(bool(value), kind + rest, lookup, depth)


def _expand_comparison(text: str, lookup: ParameterLookup, depth: int) -> str:
    """Expand `{a} == {b} ? {yes} : {no}`."""
    end = find_closing_bracket(text, 0)
    left = expand_macros(text[1 : end - 1], lookup, depth + 1)
    compared = OPERATOR_RE.match(text, end)
    if not compared or text[compared.end() : compared.end() + 1] != "{":
        return ""
    start = compared.end()
    end = find_closing_bracket(text, start)
    right = expand_macros(text[start + 1 : end - 1], lookup, depth + 1)
    is_true = _compare(left, right, compared[1], is_level=bool(compared[2]))
    return _expand_branch(is_true, text[end:].strip(), lookup, depth)


def _compare(left: str, right: str, sign: str, is_level: bool) -> bool:
    compare = OPERATORS[sign]
    if is_level:
        return compare(parse_compatibility_level(left), parse_compatibility_level(right))
    if NUMBER_RE.fullmatch(left) and NUMBER_RE.fullmatch(right):
        return compare(int(left), int(right))
    return compare(left, right)


def parse_compatibility_level(text: str) -> tuple[int, ...]:
    """Return a compatibility_level as a comparable tuple."""
    return tuple(int(part) for part in LEVEL_RE.findall(text)) or (0,)


def _expand_branch(is_true: bool, branches: str, lookup: ParameterLookup, depth: int) -> str:
    """Expand the chosen branch of `?{yes}:{no}`, `?yes` or `:no`."""
    kind, rest = branches[:1], branches[1:].lstrip()
    if rest.startswith("{"):
        end = find_closing_bracket(rest, 0)
        first, rest = rest[1 : end - 1], rest[end:].strip()
    else:
        first, rest = branches[1:], ""
    second = rest[1:].strip() if rest.startswith(":") else ""
    if second.startswith("{"):
        second = second[1 : find_closing_bracket(second, 0) - 1]
    chosen = (first if is_true else second) if kind == "?" else ("" if is_true else first)
    return expand_macros(chosen, lookup, depth + 1)
