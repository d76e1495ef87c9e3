"""`mailadmin mailserver check`: report faults of a configuration and how to fix them."""

import itertools
import json
import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailadmin.db.table_names import build_table_mapping
from mailboxes.client_setup.servers import get_offered_ports
from mailboxes.mailserver.checks import ERROR, CheckResult, Configuration, rows, run_checks
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.config_parser.tree import DOVECOT_FOLDERS
from mailboxes.mailserver.generator.choices import detect_options

USAGE_ERROR_STATUS = 2
ERRORS_FOUND_STATUS = 1
LINE_WIDTH = 100
# option, default folder, required file
CONFIG_FOLDERS = (
    ("postfix", "/etc/postfix", "main.cf"),
    ("dovecot", "/etc/dovecot", "dovecot.conf"),
)

Options = dict[str, Any]

help = "Check the configuration of Postfix and Dovecot for known problems."


def add_arguments(parser: CommandParser) -> None:
    for name, default, _file in CONFIG_FOLDERS:
        text = (
            f"folder of {name.title()} ({default}); if neither is given, the folders of"
            " this machine"
        )
        parser.add_argument(f"--{name}", metavar="DIR", help=text)
    parser.add_argument(
        "--dovecot-version",
        choices=("2.3", "2.4"),
        help="Dovecot version the files are meant for (default for /etc/dovecot: the installed"
        " version)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(command: BaseCommand, options: Options) -> None:
    """Write the results; exit with status 1 if there is an error among them."""
    folders = find_config_folders(options)
    postfix = PostfixFiles(folders["postfix"]) if "postfix" in folders else None
    dovecot = DovecotFiles(folders["dovecot"]) if "dovecot" in folders else None
    facts = load_facts(command)
    configuration = Configuration(
        postfix,
        dovecot,
        facts or rows.EMPTY_FACTS,
        tables=build_table_mapping(),
        dovecot_version=options["dovecot_version"] or get_installed_version(dovecot),
        client_ports=get_offered_ports() if settings.MAILADMIN_MAIL_HOST else {},
    )
    results = run_checks(configuration)
    text = render_json(results, facts is not None) if options["json"] else render_text(results)
    command.stdout.write(text)
    if any(each.check.severity == ERROR for each in results):
        sys.exit(ERRORS_FOUND_STATUS)


def find_config_folders(options: Options) -> dict[str, Path]:
    """Return option → folder, of both servers if none is given."""
    given = [folder for folder in CONFIG_FOLDERS if options[folder[0]]]
    return {
        name: validate_config_folder(options[name] or default, file)
        for name, default, file in given or CONFIG_FOLDERS
    }


def get_installed_version(files: DovecotFiles | None) -> str:
    """Return the version of the installed Dovecot, or "" for files of another folder."""
    is_own = files is not None and str(files.directory) in DOVECOT_FOLDERS
    return detect_options().get("dovecot_version", "") if is_own else ""


def validate_config_folder(directory: str, file: str) -> Path:
    path = Path(directory).absolute()
    if not path.is_dir():
        raise CommandError(
            _("There is no folder %(path)s.") % {"path": path}, returncode=USAGE_ERROR_STATUS
        )
    if not os.access(path / file, os.R_OK):
        text = _("Cannot read %(file)s in %(path)s.")
        text %= {"file": file, "path": path}
        raise CommandError(text, returncode=USAGE_ERROR_STATUS)
    return path


def load_facts(command: BaseCommand) -> rows.DatabaseFacts | None:
    """Return the facts of the database, or write a warning and return None."""
    try:
        return rows.load_database_facts()
    except Error as error:
        text = _("The database does not answer, so only the files were checked. (%(error)s)")
        command.stderr.write(text % {"error": type(error).__name__})
        return None


def render_json(results: list[CheckResult], has_database: bool) -> str:
    answer = {"database": has_database, "findings": [each.as_dict() for each in results]}
    return json.dumps(answer, ensure_ascii=False, indent=2)


def render_text(results: list[CheckResult]) -> str:
    """Render each check once, with all its lines."""
    if not results:
        return _("No problems found.")
    groups = itertools.groupby((each.as_dict() for each in results), lambda each: each["code"])
    return "\n".join(format_check(list(group)) for _code, group in groups)


def format_check(results: list[dict[str, Any]]) -> str:
    first = results[0]
    lines = [f"{SEVERITY_LABELS[first['severity']]}: {first['title']} [{first['code']}]"]
    for each in results:
        lines += iter_location_lines(each)
    lines += wrap_labeled_text(_("Why:"), first["why"])
    lines += wrap_labeled_text(_("Fix:"), first["mend"])
    return "\n".join(lines) + "\n"


def iter_location_lines(result: dict[str, Any]) -> Iterator[str]:
    """Yield `file:number` with the name or value at fault, and the text of the line."""
    location = f"{result['file']}:{result['line']}" if result["line"] else result["file"]
    about = f"  ({result['about']})" if result["about"] else ""
    yield f"  {location}{about}"
    if result["text"]:
        yield f"    | {result['text']}"


def wrap_labeled_text(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        f"{label} {text}",
        LINE_WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


SEVERITY_LABELS = {
    "error": gettext_lazy("ERROR"),
    "warning": gettext_lazy("WARNING"),
    "advice": gettext_lazy("ADVICE"),
}
