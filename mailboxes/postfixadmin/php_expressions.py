"""Compute expressions of PHP as far as that needs no PHP; the rest is Unknown."""

import re
from collections.abc import Iterator, Sequence

from mailboxes.postfixadmin import php_functions
from mailboxes.postfixadmin.php_cursor import OPENING, Cursor
from mailboxes.postfixadmin.php_operators import compute, parse_number
from mailboxes.postfixadmin.php_scope import Execution, PhpScope
from mailboxes.postfixadmin.php_tokens import PhpToken, iter_code_tokens, unescape
from mailboxes.postfixadmin.php_values import (
    PhpSyntaxError,
    PhpValue,
    Unknown,
    push,
    to_boolean,
    to_key,
    to_text,
)

ASSIGNMENTS = ("=", ".=", "??=", "+=", "-=", "*=", "/=", "%=", "|=", "&=", "^=", "**=")
LEVELS: Sequence[tuple[str, ...]] = (  # of binary operators, the loosest first
    ("or",),
    ("xor",),
    ("and",),
    ("?",),
    ("??",),
    ("||",),
    ("&&",),
    ("|", "^", "&"),
    ("==", "!=", "===", "!==", "<>", "<", "<=", ">", ">=", "<=>"),
    (".",),
    ("+", "-"),
    ("*", "/", "%"),
)
CONSTANTS: dict[str, PhpValue] = {"true": True, "false": False, "null": None, "php_eol": "\n"}
CASTS = ("int", "integer", "bool", "boolean", "string", "array", "float", "object")
INTERPOLATED_RE = re.compile(
    r"(?P<text>(?:\\.|[^\\${]|\{(?!\$)|\$(?![A-Za-z_{]))+)"
    r"|(?P<simple>\$[A-Za-z_]\w*(?:\[(?:\w+|\$\w+|-?\d+)\]|->\w+)?)|(?P<start>\{\$|\$\{)",
    re.DOTALL,
)


class ExpressionReader(Cursor):
    """Reads expressions and computes them at once."""

    def __init__(self, tokens: Sequence[PhpToken], scope: PhpScope) -> None:
        super().__init__(tokens)
        self.scope = scope

    def read(self, level: int = 0) -> PhpValue:
        """Return the value of the expression that begins here."""
        if level == len(LEVELS):
            return self.read_unary()
        value = self.read(level + 1)
        while found := self.accept(*LEVELS[level]):
            value = self.read_right_side(found, value, level)
        return value

    def read_right_side(self, found: PhpToken, left: PhpValue, level: int) -> PhpValue:
        match found.text.lower():
            case "?":
                return self.read_choice(left)
            case "??":
                right = self.read_if(left if isinstance(left, Unknown) else left is None, level)
                return right if left is None else left
            case "and" | "&&":
                return self.join(left, self.read_if(to_boolean(left), level + 1), False)
            case "or" | "||":
                return self.join(left, self.read_if(negate(to_boolean(left)), level + 1), True)
        return compute(found, left, self.read(level + 1))

    def read_if(self, condition: bool | Unknown, level: int) -> PhpValue:
        """Read an expression that PHP computes only under a condition."""
        with self.scope.run_as(to_execution(condition)):
            return self.read(level)

    def join(self, left: PhpValue, right: PhpValue, decisive: bool) -> PhpValue:
        first, second = to_boolean(left), to_boolean(right)
        if first is decisive or second is decisive:
            return decisive
        return next((each for each in (first, second) if isinstance(each, Unknown)), not decisive)

    def read_choice(self, condition: PhpValue) -> PhpValue:
        is_true = to_boolean(condition)
        if self.accept(":"):
            chosen = condition
        else:
            chosen = self.read_if(is_true, 3)
            self.expect(":")
        other = self.read_if(negate(is_true), 4)
        if isinstance(is_true, Unknown):
            return is_true
        return chosen if is_true else other

    def read_unary(self) -> PhpValue:
        line = self.token.line
        if self.accept("!"):
            return negate(to_boolean(self.read_unary()))
        if self.accept("@", "+", "print"):
            return self.read_unary()
        if self.accept("-"):
            value = self.read_unary()
            return -value if isinstance(value, int | float) else Unknown("a sum", line)
        if self.accept("&", "~", "clone", "throw", "++", "--"):
            self.read_unary()
            return Unknown("an expression of PHP", line)
        if self.sees("(") and self.sees(*CASTS, ahead=1) and self.sees(")", ahead=2):
            return self.read_cast()
        return self.read_postfix(self.read_primary())

    def read_cast(self) -> PhpValue:
        kind = self.tokens[self.position + 1].text.lower()
        self.position += 3
        value = self.read_unary()
        match kind:
            case "string":
                return to_text(value)
            case "bool" | "boolean":
                return to_boolean(value)
            case "int" | "integer" if isinstance(value, str | int | float):
                digits = re.match(r"\s*(-?\d+)", str(to_text(value)))
                return int(digits[1]) if digits else 0
        return value if kind == "array" and isinstance(value, dict) else Unknown("a cast", 0)

    def read_primary(self) -> PhpValue:
        token = self.token
        if token.kind == "variable":
            return self.read_variable()
        self.advance()
        match token.kind:
            case "string":
                return token.text
            case "template" | "heredoc":
                return self.interpolate(token)
            case "number":
                return parse_number(token.text)
            case "name":
                return self.read_name(token)
            case "shell":
                return Unknown("a command of the shell", token.line)
        if token.text == "[":
            return self.read_array("]")
        if token.text == "(":
            value = self.read()
            self.expect(")")
            return value
        self.position -= token.kind != "end"
        raise PhpSyntaxError(token.line, f"unexpected {self.describe()}")

    # Variables

    def read_variable(self) -> PhpValue:
        """Return the value of a variable or a part of it, after an assignment to it if any."""
        token = self.advance()
        name, keys = token.text[1:], self.read_keys()
        assigned = self.accept(*ASSIGNMENTS)
        if assigned is None:
            return self.get_value(name, keys, token.line)
        self.accept("&")
        current = None if assigned.text == "=" else self.get_value(name, keys, token.line)
        value = self.read(3)
        if assigned.text == "??=":
            value = value if current is None else current
        elif assigned.text != "=":
            value = compute(assigned._replace(text=assigned.text[:-1]), current, value)
        self.scope.assign(name, keys, value, token.line)
        return value

    def read_keys(self) -> list[PhpValue | None]:
        keys: list[PhpValue | None] = []
        while self.accept("["):
            keys.append(None if self.sees("]") else self.read())
            self.expect("]")
        return keys

    def get_value(self, name: str, keys: Sequence[PhpValue | None], line: int) -> PhpValue:
        if name in ("_ENV", "_SERVER") and len(keys) == 1:
            return php_functions.call(self.scope, "getenv", [keys[0]], line) or None
        value = self.scope.variables.get(name)
        for key in keys:
            if isinstance(value, Unknown):
                return value
            value = get_item(value, to_key(key), line)
        return value

    # Names: constants, functions, arrays

    def read_name(self, token: PhpToken) -> PhpValue:
        name = token.text.lower().lstrip("\\")
        match name:
            case "array" if self.accept("("):
                return self.read_array(")")
            case "isset" | "empty":
                return self.read_test(name)
            case "function" | "fn" | "static":
                return self.skip_function(token)
            case "new" | "match":
                return self.skip_unknown(token)
            case "include" | "include_once" | "require" | "require_once":
                self.read()
                return Unknown("the value of an included file", token.line)
            case "exit" | "die":
                if self.sees("("):
                    self.skip_group()
                return Unknown("the end of the program", token.line)
            case "__dir__":
                return str(self.scope.path.parent)
            case "__file__":
                return str(self.scope.path)
        if self.sees("("):
            return php_functions.call(self.scope, name, self.read_arguments(), token.line)
        unknown = Unknown(f"{token.text} is a constant of PHP", token.line)
        return CONSTANTS.get(name, self.scope.constants.get(token.text, unknown))

    def read_arguments(self) -> list[PhpValue]:
        self.expect("(")
        arguments = self.read_array(")")
        return list(arguments.values()) if isinstance(arguments, dict) else [arguments]

    def read_array(self, closing: str) -> PhpValue:
        array: dict[int | str, PhpValue] = {}
        unknown: Unknown | None = None
        while not self.accept(closing):
            if spread := self.accept("..."):
                unknown = Unknown("a spread array", spread.line)
            value = self.read()
            if self.accept("=>"):
                key = to_key(value)
                value = self.read()
                if isinstance(key, Unknown):
                    unknown = key
                else:
                    array[key] = value
            else:
                push(array, value)
            if not self.sees(closing):
                self.expect(",")
        return unknown or array

    def read_test(self, name: str) -> PhpValue:
        """Return the value of `isset(…)` or `empty(…)`."""
        values = self.read_arguments()
        if unknown := next((each for each in values if isinstance(each, Unknown)), None):
            return unknown
        if name == "empty":
            return not to_boolean(values[0])
        return all(value is not None for value in values)

    def skip_function(self, token: PhpToken) -> Unknown:
        """Leave out `function (…) use (…) {…}` or `fn (…) => …`."""
        while not self.sees("{", "=>", ";"):
            if self.sees("("):
                self.skip_group()
            elif self.advance().kind == "end":
                raise PhpSyntaxError(token.line, "the function has no body")
        if self.sees("{"):
            self.skip_group()
        elif self.accept("=>"):
            with self.scope.run_as(Execution.SKIPPED):
                self.read(3)
        return Unknown("it is a function of PHP", token.line)

    def skip_unknown(self, token: PhpToken) -> Unknown:
        while not self.sees(";", ",", ")", "]") and self.token.kind != "end":
            if self.token.kind == "operator" and self.token.text in OPENING:
                self.skip_group()
            else:
                self.advance()
        return Unknown(f"{token.text} needs PHP", token.line)

    def read_postfix(self, value: PhpValue) -> PhpValue:
        """Return the value behind calls, members and indexes that follow."""
        while found := self.accept("->", "?->", "::", "++", "--", "["):
            if found.text == "[":
                key = to_key(self.read())
                self.expect("]")
                value = get_item(value, key, found.line)
                continue
            if found.text not in ("++", "--"):
                self.advance()
            value = Unknown("an object of PHP", found.line)
        while self.sees("("):
            line = self.token.line
            self.skip_group()
            value = self.read_postfix(Unknown("the result of a function", line))
        return value

    # Strings with variables

    def interpolate(self, token: PhpToken) -> PhpValue:
        parts = [to_text(part) for part in self.iter_parts(token)]
        if unknown := next((part for part in parts if isinstance(part, Unknown)), None):
            return unknown
        return "".join(map(str, parts))

    def iter_parts(self, token: PhpToken) -> Iterator[PhpValue]:
        text, position = token.text, 0
        quote = '"' if token.kind == "template" else ""
        while position < len(text):
            found = INTERPOLATED_RE.match(text, position)
            if found is None:
                yield unescape(text[position:], quote)
                return
            position = found.end()
            if found["text"]:
                yield unescape(found["text"], quote)
            elif found["simple"]:
                simple = re.sub(r"\[([A-Za-z_]\w*)\]", r"['\1']", found["simple"])
                yield self.compute_source(simple, token.line)
            else:
                end = text.find("}", position)
                if end < 0 or found["start"] == "${":
                    yield Unknown("a variable in a string", token.line)
                    return
                yield self.compute_source("$" + text[position:end], token.line)
                position = end + 1

    def compute_source(self, source: str, line: int) -> PhpValue:
        tokens = [*iter_code_tokens(source, 0, line), PhpToken("end", "", line)]
        return ExpressionReader(tokens, self.scope).read()


def to_execution(condition: bool | Unknown) -> Execution:
    if isinstance(condition, Unknown):
        return Execution.UNCERTAIN
    return Execution.CERTAIN if condition else Execution.SKIPPED


def negate(value: bool | Unknown) -> bool | Unknown:
    return value if isinstance(value, Unknown) else not value


def get_item(value: PhpValue, key: int | str | Unknown, line: int) -> PhpValue:
    if isinstance(key, Unknown):
        return key
    if isinstance(value, str):
        return Unknown("a part of a string", line)
    return value.get(key) if isinstance(value, dict) else None
