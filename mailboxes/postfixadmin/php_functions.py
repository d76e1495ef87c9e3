"""The functions of PHP that configuration files call for a value."""

import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path

from mailboxes.postfixadmin.php_scope import PhpScope
from mailboxes.postfixadmin.php_values import PhpValue, Unknown, to_text

Function = Callable[[PhpScope, Sequence[str]], PhpValue]
MAX_FILE_BYTES = 65536


def read_variable(scope: PhpScope, texts: Sequence[str]) -> PhpValue:
    return scope.environ.get(texts[0], False)


def read_file(scope: PhpScope, texts: Sequence[str]) -> PhpValue:
    try:
        with open(texts[0], "rb") as file:
            return file.read(MAX_FILE_BYTES).decode("utf-8", "surrogateescape")
    except (OSError, ValueError):
        return Unknown(f"the file {texts[0]} cannot be read", 0)


def find_file(scope: PhpScope, name: str) -> Path | None:
    """Return the file that an include names: beside the current one, or of the command line."""
    path = scope.path.parent / name
    if path.is_file():
        return path
    return scope.given.get(path.name)


def strip(texts: Sequence[str]) -> str:
    return texts[1] if len(texts) > 1 else " \t\n\r\0\x0b"


FUNCTIONS: dict[str, Function] = {
    "getenv": read_variable,
    "file_get_contents": read_file,
    "file_exists": lambda scope, texts: find_file(scope, texts[0]) is not None,
    "is_file": lambda scope, texts: find_file(scope, texts[0]) is not None,
    "is_readable": lambda scope, texts: find_file(scope, texts[0]) is not None,
    "dirname": lambda scope, texts: posixpath.dirname(texts[0]) or ".",
    "basename": lambda scope, texts: posixpath.basename(texts[0].rstrip("/")),
    "realpath": lambda scope, texts: str(Path(texts[0]).resolve()),
    "defined": lambda scope, texts: texts[0] in scope.constants,
    "trim": lambda scope, texts: texts[0].strip(strip(texts)),
    "rtrim": lambda scope, texts: texts[0].rstrip(strip(texts)),
    "ltrim": lambda scope, texts: texts[0].lstrip(strip(texts)),
    "strtolower": lambda scope, texts: texts[0].lower(),
    "strtoupper": lambda scope, texts: texts[0].upper(),
}
# They set up PHP itself, and the panel needs nothing of them.
IGNORED_FUNCTIONS = frozenset(
    {
        "error_reporting",
        "header",
        "ini_set",
        "mb_internal_encoding",
        "session_name",
        "set_time_limit",
    }
)


def call(scope: PhpScope, name: str, arguments: Sequence[PhpValue], line: int) -> PhpValue:
    """Return what a function returns, or Unknown."""
    match name, list(arguments):
        case "define", [str() as constant, value, *_]:
            scope.constants.setdefault(constant, value)
            return True
        case "constant", [str() as constant]:
            return scope.constants.get(constant, Unknown(f"{constant} is not defined", line))
        case "date_default_timezone_set", [str() as zone]:
            scope.assign("CONF", [TIME_ZONE_OPTION], zone, line)
            return True
        case "array_merge", [*arrays] if all(isinstance(each, dict) for each in arrays):
            return merge_arrays(arrays)
    if (function := FUNCTIONS.get(name)) is None or not arguments:
        return Unknown(f"{name}() is a function of PHP", line)
    texts = [to_text(argument) for argument in arguments]
    if unknown := next((text for text in texts if isinstance(text, Unknown)), None):
        return unknown
    if name in ("getenv", "file_get_contents"):
        scope.add_note(
            line, f"{name}({texts[0]!r}) was read by this command, not by the web server"
        )
    return function(scope, [str(text) for text in texts])


TIME_ZONE_OPTION = "date_default_timezone_set()"  # no option, but the panel has a setting for it


def merge_arrays(arrays: Sequence[PhpValue]) -> dict[int | str, PhpValue]:
    """Join arrays: numbers as keys are counted anew."""
    merged: dict[int | str, PhpValue] = {}
    count = 0
    for array in arrays:
        for key, value in array.items() if isinstance(array, dict) else ():
            if isinstance(key, int):
                merged[count] = value
                count += 1
            else:
                merged[key] = value
    return merged
