"""The command `settings-from-postfixadmin`, which runs without Django, settings and database."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mailadmin.console import make_printable
from mailboxes.postfixadmin.php_config import read_files
from mailboxes.postfixadmin.php_values import PhpSyntaxError
from mailboxes.postfixadmin.settings import convert_scope
from mailboxes.postfixadmin.settings_output import build_json, iter_env_lines, iter_report_lines

HELP = (
    "Print the panel's settings for PostfixAdmin's configuration, and what becomes of each of its"
    " options. The files are read, not run."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="config.inc.php, config.local.php; a later file overrides an earlier one",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write the settings to a new file"
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="mailadmin settings-from-postfixadmin", description=HELP, allow_abbrev=False
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Convert the files and return the exit status."""
    try:
        convert_files(options.files, options.output, options.json)
    except PhpSyntaxError as error:
        return report_error(str(error))
    except OSError as error:
        return report_error(f"{error.filename}: {error.strerror}")
    return 0


def report_error(text: str) -> int:
    print(make_printable(text), file=sys.stderr)
    return 1


def convert_files(files: Sequence[Path], output: Path | None, as_json: bool) -> None:
    report = convert_scope(read_files(files))
    settings = "".join(f"{line}\n" for line in iter_env_lines(report))
    if output:
        write_new_file(output, settings)
    if as_json:
        print(json.dumps(build_json(report), indent=2))
        return
    for line in iter_report_lines(report):
        print(line, file=sys.stderr)
    if not output:
        print(settings, end="")


def write_new_file(path: Path, text: str) -> None:
    """Write a file that only its owner can read; refuse to overwrite one."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
