"""Read PostfixAdmin's configuration, which is PHP, without PHP.

What only PHP could compute is not guessed: such an option is Unknown, with the reason and the line.
"""

from collections.abc import Sequence
from pathlib import Path

from mailboxes.postfixadmin.php_expressions import ExpressionReader, to_execution
from mailboxes.postfixadmin.php_functions import IGNORED_FUNCTIONS, find_file
from mailboxes.postfixadmin.php_scope import Execution, PhpScope
from mailboxes.postfixadmin.php_tokens import PhpToken, iter_tokens
from mailboxes.postfixadmin.php_values import PhpSyntaxError, PhpValue, Unknown, to_boolean

MAX_DEPTH = 10  # of files that include each other
INCLUDES = ("include", "include_once", "require", "require_once")
LOOPS = ("foreach", "for", "while", "switch")
DECLARATIONS = ("class", "interface", "trait", "enum", "abstract", "final")
IGNORED = ("global", "static", "namespace", "use", "declare", "echo", "break", "continue")


def read_files(paths: Sequence[Path], scope: PhpScope | None = None) -> PhpScope:
    """Read files in their order: a later one overrides an earlier one."""
    scope = scope or PhpScope(given={path.name: path for path in paths})
    for path in paths:
        scope.included.clear()
        read_file(path, scope, 0)
    return scope


def read_file(path: Path, scope: PhpScope, depth: int) -> None:
    """Read one file and those that it includes; OSError or PhpSyntaxError if that fails."""
    source = path.read_bytes().decode("utf-8", "surrogateescape")
    if depth > MAX_DEPTH:
        raise PhpSyntaxError(1, "the file includes itself", str(path))
    before, scope.path = scope.path, path.absolute()
    scope.included.add(path.resolve())
    if str(path) not in scope.files:
        scope.files.append(str(path))
    try:
        StatementReader(list(iter_tokens(source)), scope, depth).read_all()
    except PhpSyntaxError as error:
        raise PhpSyntaxError(error.line, error.reason, error.path or str(path)) from error
    except RecursionError as error:
        raise PhpSyntaxError(1, "the file is nested too deeply", str(path)) from error
    finally:
        scope.path = before


class StatementReader(ExpressionReader):
    """Runs the statements of one file."""

    def __init__(self, tokens: Sequence[PhpToken], scope: PhpScope, depth: int) -> None:
        super().__init__(tokens, scope)
        self.depth, self.has_returned = depth, False

    def read_all(self) -> None:
        while self.token.kind != "end" and not self.has_returned:
            self.read_statement()

    def read_statement(self) -> None:
        if self.sees("@") and self.sees(*INCLUDES, ahead=1):
            self.advance()
        token = self.token
        word = token.text.lower() if token.kind in ("name", "operator") else ""
        if word == "{":
            self.read_block()
        elif self.accept(";"):
            return
        elif word == "if":
            self.read_if_statement()
        elif word in LOOPS:
            self.read_loop()
        elif word in ("try", "finally", "do"):
            self.advance()
            self.read_block()
        elif word in ("catch", "case", "default"):
            self.read_label(word)
        elif word == "function" and self.tokens[self.position + 1].kind == "name":
            self.skip_function(self.advance())
        elif word in DECLARATIONS:
            self.skip_declaration()
        elif word in IGNORED:
            self.skip_statement()
        else:
            self.read_simple_statement(word)

    def read_simple_statement(self, word: str) -> None:
        """Run what ends with a semicolon."""
        token = self.token
        if word in INCLUDES:
            self.read_include()
        elif word == "return":
            self.advance()
            if not self.sees(";"):
                self.read()
            self.has_returned = self.scope.execution is Execution.CERTAIN
        elif word == "const":
            self.read_constant()
        elif word == "unset":
            self.read_unset()
        else:
            value = self.read()
            if isinstance(value, Unknown) and word and word not in IGNORED_FUNCTIONS:
                self.scope.add_note(token.line, f"{token.text}: {value.reason}; it was not run")
        if self.token.kind != "end":
            self.expect(";")

    def read_block(self) -> None:
        opened = self.expect("{")
        while not self.accept("}"):
            if self.token.kind == "end":
                raise PhpSyntaxError(opened.line, "{ is never closed")
            self.read_statement()

    def read_if_statement(self) -> None:
        """Run the branch that PHP would run; where that is unknown, all, as uncertain ones."""
        remaining: bool | Unknown = True
        self.advance()
        while True:
            remaining = self.read_branch(remaining)
            if self.accept("elseif"):
                continue
            if self.sees("else") and self.sees("if", ahead=1):
                self.position += 2
                continue
            break
        if self.accept("else"):
            with self.scope.run_as(to_execution(remaining)):
                self.read_statement()

    def read_branch(self, remaining: bool | Unknown) -> bool | Unknown:
        """Run `(condition) statement`; return whether the next branch may run."""
        self.expect("(")
        with self.scope.run_as(to_execution(remaining)):
            condition = to_boolean(self.read())
        self.expect(")")
        if self.sees(":"):
            raise PhpSyntaxError(self.token.line, "if (…): … endif; is not supported; use { }")
        if remaining is False:
            condition = False
        elif isinstance(remaining, Unknown) and condition is True:
            condition = remaining
        with self.scope.run_as(to_execution(condition)):
            self.read_statement()
        if condition is True or remaining is False:
            return False
        return condition if isinstance(condition, Unknown) else remaining

    def read_loop(self) -> None:
        self.advance()
        self.skip_group()
        with self.scope.run_as(Execution.UNCERTAIN):
            self.read_statement()

    def read_label(self, word: str) -> None:
        self.advance()
        with self.scope.run_as(Execution.UNCERTAIN):
            if word == "catch":
                self.skip_group()
                self.read_block()
                return
            if word == "case":
                self.read()
        if not self.accept(";"):
            self.expect(":")

    def skip_declaration(self) -> None:
        while not self.sees("{"):
            if self.advance().kind == "end":
                return
        self.skip_group()

    def skip_statement(self) -> None:
        while not self.sees(";") and self.token.kind != "end":
            self.advance()
        self.accept(";")

    def read_constant(self) -> None:
        self.advance()
        name = self.advance().text
        self.expect("=")
        self.scope.constants.setdefault(name, self.read())

    def read_unset(self) -> None:
        self.advance()
        self.expect("(")
        while not self.accept(")"):
            name = self.advance().text[1:]
            self.scope.unset(name, self.read_keys())
            self.accept(",")

    def read_include(self) -> None:
        token = self.advance()
        target = self.read()
        if self.scope.execution is Execution.SKIPPED:
            return
        if not isinstance(target, str) or self.scope.execution is Execution.UNCERTAIN:
            self.report_include(token.line, target)
            return
        path = find_file(self.scope, target)
        if path is None:
            self.scope.add_note(token.line, f"{target} was not found and not read")
        elif "once" not in token.text.lower() or path.resolve() not in self.scope.included:
            read_file(path, self.scope, self.depth + 1)

    def report_include(self, line: int, target: PhpValue) -> None:
        name = target if isinstance(target, str) else "a file whose name only PHP can compute"
        text = f"whether {name} is included only PHP can decide; name it on the command line if so"
        self.scope.add_note(line, text)
