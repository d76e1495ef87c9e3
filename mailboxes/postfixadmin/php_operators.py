"""Numbers and operators of PHP."""

import operator
from collections.abc import Callable

from mailboxes.postfixadmin.php_tokens import PhpToken
from mailboxes.postfixadmin.php_values import PhpValue, Unknown, to_text

ARITHMETIC: dict[str, Callable[[int | float, int | float], int | float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


def parse_number(text: str) -> int | float:
    digits = text.replace("_", "").lower()
    if digits.startswith(("0x", "0b")):
        return int(digits, 0)
    if digits.isdecimal():
        return int(digits, 8 if digits.startswith("0") and set(digits) <= set("01234567") else 10)
    return float(digits)


def compute(found: PhpToken, left: PhpValue, right: PhpValue) -> PhpValue:
    """Return the value of a binary operator."""
    for value in (left, right):
        if isinstance(value, Unknown):
            return value
    match found.text:
        case ".":
            first, second = to_text(left), to_text(right)
            return f"{first}{second}"
        case "===" | "!==":
            return (type(left) is type(right) and left == right) == (found.text == "===")
        case "==" | "!=" | "<>" if isinstance(left, str) and isinstance(right, str):
            return (left == right) == (found.text == "==")
        case "+" | "-" | "*" if isinstance(left, int | float) and isinstance(right, int | float):
            return ARITHMETIC[found.text](left, right)
    return Unknown(f"the operator {found.text} needs PHP", found.line)
