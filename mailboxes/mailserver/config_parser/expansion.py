"""Postfix's `$name`, `${name}`, `${name?{…}:{…}}` and `${{a} == {b} ? {…} : {…}}`."""

import operator
import re

DEEPEST = 100  # levels of values that name values
CLOSING = {"{": "}", "(": ")"}
NAME = re.compile(r"\w+", re.ASCII)
CHOICE = re.compile(r"\s*([\w.-]+)\s*(?:([?:])(.*))?", re.ASCII | re.DOTALL)
NUMBER = re.compile(r"-?[0-9]{1,18}")
LEVEL = re.compile(r"[0-9]{1,9}")
OPERATOR = re.compile(r"\s*(==|!=|<=|>=|<|>)(level)?\s*")
OPERATORS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


LONGEST = 1_000_000  # letters of a value


class EndlessExpansion(ValueError):
    """A value that names itself, straight or by way of others."""


def expand(text, lookup, depth=0):
    """The text with all names replaced; `lookup` gives the raw value of a name."""
    if depth > DEEPEST:
        raise EndlessExpansion(text)
    out, at, size = [], 0, 0
    while (dollar := text.find("$", at)) >= 0:
        out.append(text[at:dollar])
        piece, at = _macro(text, dollar + 1, lookup, depth)
        out.append(piece)
        size += len(piece)
        if size > LONGEST:
            raise EndlessExpansion(text)
    return "".join([*out, text[at:]])


def _macro(text, at, lookup, depth):
    """What stands for the macro that begins behind the dollar sign, and where it ends."""
    if text[at : at + 1] == "$":
        return "$", at + 1
    if text[at : at + 1] in CLOSING:
        end = closing(text, at)
        return _braced(text[at + 1 : end - 1], lookup, depth), end
    if name := NAME.match(text, at):
        return expand(lookup(name[0]), lookup, depth + 1), name.end()
    return "$", at


def closing(text, at):
    """The place behind the bracket that closes the one at this place."""
    opening, level = text[at], 0
    for place in range(at, len(text)):
        if text[place] == opening:
            level += 1
        elif text[place] == CLOSING[opening]:
            level -= 1
            if level == 0:
                return place + 1
    return len(text)


def _braced(text, lookup, depth):
    if text.lstrip().startswith("{"):
        return _relation(text.lstrip(), lookup, depth)
    choice = CHOICE.fullmatch(text)
    if not choice:
        return ""
    name, kind, rest = choice.groups()
    value = expand(lookup(name), lookup, depth + 1)
    if kind is None:
        return value
    return _choose(bool(value), kind + rest, lookup, depth)


def _relation(text, lookup, depth):
    """`{a} == {b} ? {yes} : {no}`."""
    end = closing(text, 0)
    left = expand(text[1 : end - 1], lookup, depth + 1)
    compared = OPERATOR.match(text, end)
    if not compared or text[compared.end() : compared.end() + 1] != "{":
        return ""
    start = compared.end()
    end = closing(text, start)
    right = expand(text[start + 1 : end - 1], lookup, depth + 1)
    is_true = OPERATORS[compared[1]](*_comparable(left, right, compared[2]))
    return _choose(is_true, text[end:].strip(), lookup, depth)


def _comparable(left, right, is_level):
    if is_level:
        return level(left), level(right)
    if NUMBER.fullmatch(left) and NUMBER.fullmatch(right):
        return int(left), int(right)
    return left, right


def level(text):
    """A compatibility_level as numbers."""
    return tuple(int(part) for part in LEVEL.findall(text)) or (0,)


def _choose(is_true, branches, lookup, depth):
    """What `?{yes}:{no}`, `?yes` or `:no` says."""
    kind, rest = branches[:1], branches[1:].lstrip()
    if rest.startswith("{"):
        end = closing(rest, 0)
        first, rest = rest[1 : end - 1], rest[end:].strip()
    else:
        first, rest = branches[1:], ""
    second = rest[1:].strip() if rest.startswith(":") else ""
    if second.startswith("{"):
        second = second[1 : closing(second, 0) - 1]
    chosen = (first if is_true else second) if kind == "?" else ("" if is_true else first)
    return expand(chosen, lookup, depth + 1)
