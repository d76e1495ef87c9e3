"""Postfix's `$name`, `${name}`, `${name?{…}:{…}}` and `${{a} == {b} ? {…} : {…}}`."""

import operator
import re

MAX_DEPTH = 100  # levels of values that name values
CLOSING_BRACKETS = {"{": "}", "(": ")"}
NAME_RE = re.compile(r"\w+", re.ASCII)
CONDITIONAL_RE = re.compile(r"\s*([\w.-]+)\s*(?:([?:])(.*))?", re.ASCII | re.DOTALL)
NUMBER_RE = re.compile(r"-?[0-9]{1,18}")
LEVEL_RE = re.compile(r"[0-9]{1,9}")
OPERATOR_RE = re.compile(r"\s*(==|!=|<=|>=|<|>)(level)?\s*")
OPERATORS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


MAX_VALUE_LENGTH = 1_000_000  # letters of a value


class MacroNestingError(ValueError):
    """A value that names itself, straight or by way of others."""


def expand_macros(text, lookup, depth=0):
    """The text with all names replaced; `lookup` gives the raw value of a name."""
    if depth > MAX_DEPTH:
        raise MacroNestingError(text)
    out, at, size = [], 0, 0
    while (dollar := text.find("$", at)) >= 0:
        out.append(text[at:dollar])
        piece, at = _expand_macro(text, dollar + 1, lookup, depth)
        out.append(piece)
        size += len(piece)
        if size > MAX_VALUE_LENGTH:
            raise MacroNestingError(text)
    return "".join([*out, text[at:]])


def _expand_macro(text, at, lookup, depth):
    """What stands for the macro that begins behind the dollar sign, and where it ends."""
    if text[at : at + 1] == "$":
        return "$", at + 1
    if text[at : at + 1] in CLOSING_BRACKETS:
        end = find_closing_bracket(text, at)
        return _expand_braced(text[at + 1 : end - 1], lookup, depth), end
    if name := NAME_RE.match(text, at):
        return expand_macros(lookup(name[0]), lookup, depth + 1), name.end()
    return "$", at


def find_closing_bracket(text, at):
    """The place behind the bracket that closes the one at this place."""
    opening, level = text[at], 0
    for place in range(at, len(text)):
        if text[place] == opening:
            level += 1
        elif text[place] == CLOSING_BRACKETS[opening]:
            level -= 1
            if level == 0:
                return place + 1
    return len(text)


def _expand_braced(text, lookup, depth):
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


def _expand_comparison(text, lookup, depth):
    """`{a} == {b} ? {yes} : {no}`."""
    end = find_closing_bracket(text, 0)
    left = expand_macros(text[1 : end - 1], lookup, depth + 1)
    compared = OPERATOR_RE.match(text, end)
    if not compared or text[compared.end() : compared.end() + 1] != "{":
        return ""
    start = compared.end()
    end = find_closing_bracket(text, start)
    right = expand_macros(text[start + 1 : end - 1], lookup, depth + 1)
    is_true = OPERATORS[compared[1]](*_to_operands(left, right, compared[2]))
    return _expand_branch(is_true, text[end:].strip(), lookup, depth)


def _to_operands(left, right, is_level):
    if is_level:
        return parse_compatibility_level(left), parse_compatibility_level(right)
    if NUMBER_RE.fullmatch(left) and NUMBER_RE.fullmatch(right):
        return int(left), int(right)
    return left, right


def parse_compatibility_level(text):
    """A compatibility_level as numbers."""
    return tuple(int(part) for part in LEVEL_RE.findall(text)) or (0,)


def _expand_branch(is_true, branches, lookup, depth):
    """What `?{yes}:{no}`, `?yes` or `:no` says."""
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
