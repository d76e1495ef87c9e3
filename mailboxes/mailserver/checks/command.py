"""`mailadmin mailserver check`: what is wrong with a configuration, and how it is mended."""

import itertools
import json
import os
import sys
import textwrap
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError
from django.db import Error
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailboxes.mailserver.checks import ERROR, Configuration, rows, run_checks
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.config_parser.tree import DOVECOT_FOLDERS
from mailboxes.mailserver.generator.choices import detect_options

USAGE_ERROR_STATUS = 2
ERRORS_FOUND_STATUS = 1
LINE_WIDTH = 100
# option, where it lies by default, the file without which it is no such folder, who reads it
CONFIG_FOLDERS = (
    ("postfix", "/etc/postfix", "main.cf", PostfixFiles),
    ("dovecot", "/etc/dovecot", "dovecot.conf", DovecotFiles),
)

help = "Look for known faults in the configuration of Postfix and Dovecot."


def add_arguments(parser):
    for name, default, _file, _reader in CONFIG_FOLDERS:
        text = f"folder of {name.title()} ({default}); if none is given, those of this machine"
        parser.add_argument(f"--{name}", metavar="DIR", help=text)
    parser.add_argument(
        "--dovecot-version",
        choices=("2.3", "2.4"),
        help="Dovecot version the files are meant for"
        " (default for /etc/dovecot: the installed one)",
    )
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(command, options):
    """Write what was found; exit status 1 if there is an error among it."""
    parts = read_config_folders(options)
    known = load_facts(command)
    configuration = Configuration(
        **parts,
        rows=known,
        prefix=settings.MAILADMIN_TABLE_PREFIX,
        dovecot_version=options["dovecot_version"] or get_installed_version(parts.get("dovecot")),
    )
    found = run_checks(configuration)
    write = render_json if options["json"] else render_text
    command.stdout.write(write(found, known is not None))
    if any(each.check.severity == ERROR for each in found):
        sys.exit(ERRORS_FOUND_STATUS)


def read_config_folders(options):
    """The folders that are asked for, or both of this machine; CommandError if one is not there."""
    asked = [folder for folder in CONFIG_FOLDERS if options[folder[0]]]
    return {
        name: reader(validate_config_folder(options[name] or default, file))
        for name, default, file, reader in asked or CONFIG_FOLDERS
    }


def get_installed_version(files):
    """The version of the Dovecot that reads this machine's own folder; of a copy nobody knows."""
    is_own = files is not None and str(files.directory) in DOVECOT_FOLDERS
    return detect_options().get("dovecot_version", "") if is_own else ""


def validate_config_folder(directory, file):
    path = Path(directory).absolute()
    if not path.is_dir():
        raise CommandError(
            _("There is no folder %(path)s.") % {"path": path}, returncode=USAGE_ERROR_STATUS
        )
    if not os.access(path / file, os.R_OK):
        text = _("There is no %(file)s in %(path)s that can be read.")
        text %= {"file": file, "path": path}
        raise CommandError(text, returncode=USAGE_ERROR_STATUS)
    return path


def load_facts(command):
    """What the database knows, or None and a word about it."""
    try:
        return rows.load_database_facts()
    except Error as error:
        text = _("The database does not answer; only the files are checked. (%(error)s)")
        command.stderr.write(text % {"error": type(error).__name__})
        return None


def render_json(found, has_database):
    answer = {"database": has_database, "findings": [each.as_dict() for each in found]}
    return json.dumps(answer, ensure_ascii=False, indent=2)


def render_text(found, has_database):
    """Each kind of fault once, with all its lines."""
    if not found:
        return _("Nothing was found.")
    groups = itertools.groupby((each.as_dict() for each in found), lambda each: each["code"])
    return "\n".join(format_check(list(group)) for _code, group in groups)


def format_check(found):
    first = found[0]
    lines = [f"{SEVERITY_LABELS[first['severity']]}: {first['title']} [{first['code']}]"]
    for each in found:
        lines += iter_location_lines(each)
    lines += wrap_labeled_text(_("Why:"), first["why"]) + wrap_labeled_text(
        _("Mend:"), first["mend"]
    )
    return "\n".join(lines) + "\n"


def iter_location_lines(found):
    """`file:number`, what it is about, and the line itself."""
    where = f"{found['file']}:{found['line']}" if found["line"] else found["file"]
    about = f"  ({found['about']})" if found["about"] else ""
    yield f"  {where}{about}"
    if found["text"]:
        yield f"    | {found['text']}"


def wrap_labeled_text(label, text):
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
