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

from mailboxes.mailserver.checks import ERROR, Configuration, check, rows
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.config_parser.tree import HOMES
from mailboxes.mailserver.generator.choices import guessed

WRONG_USAGE = 2
FOUND_ERRORS = 1
WIDTH = 100
# option, where it lies by default, the file without which it is no such folder, who reads it
FOLDERS = (
    ("postfix", "/etc/postfix", "main.cf", PostfixFiles),
    ("dovecot", "/etc/dovecot", "dovecot.conf", DovecotFiles),
)

help = "Look for known faults in the configuration of Postfix and Dovecot."


def add_arguments(parser):
    for name, default, _file, _reader in FOLDERS:
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
    parts = read(options)
    known = ask(command)
    configuration = Configuration(
        **parts,
        rows=known,
        prefix=settings.MAILADMIN_TABLE_PREFIX,
        dovecot_version=options["dovecot_version"] or installed_for(parts.get("dovecot")),
    )
    found = check(configuration)
    write = as_json if options["json"] else as_text
    command.stdout.write(write(found, known is not None))
    if any(each.finding.severity == ERROR for each in found):
        sys.exit(FOUND_ERRORS)


def read(options):
    """The folders that are asked for, or both of this machine; CommandError if one is not there."""
    asked = [folder for folder in FOLDERS if options[folder[0]]]
    return {
        name: reader(existing(options[name] or default, file))
        for name, default, file, reader in asked or FOLDERS
    }


def installed_for(files):
    """The version of the Dovecot that reads this machine's own folder; of a copy nobody knows."""
    is_own = files is not None and str(files.directory) in HOMES
    return guessed().get("dovecot_version", "") if is_own else ""


def existing(directory, file):
    path = Path(directory).absolute()
    if not path.is_dir():
        raise CommandError(
            _("There is no folder %(path)s.") % {"path": path}, returncode=WRONG_USAGE
        )
    if not os.access(path / file, os.R_OK):
        text = _("There is no %(file)s in %(path)s that can be read.")
        text %= {"file": file, "path": path}
        raise CommandError(text, returncode=WRONG_USAGE)
    return path


def ask(command):
    """What the database knows, or None and a word about it."""
    try:
        return rows.ask()
    except Error as error:
        text = _("The database does not answer; only the files are checked. (%(error)s)")
        command.stderr.write(text % {"error": type(error).__name__})
        return None


def as_json(found, has_database):
    answer = {"database": has_database, "findings": [each.as_dict() for each in found]}
    return json.dumps(answer, ensure_ascii=False, indent=2)


def as_text(found, has_database):
    """Each kind of fault once, with all its lines."""
    if not found:
        return _("Nothing was found.")
    groups = itertools.groupby((each.as_dict() for each in found), lambda each: each["code"])
    return "\n".join(paragraph(list(group)) for _code, group in groups)


def paragraph(found):
    first = found[0]
    lines = [f"{SEVERITY[first['severity']]}: {first['title']} [{first['code']}]"]
    for each in found:
        lines += place(each)
    lines += said(_("Why:"), first["why"]) + said(_("Mend:"), first["mend"])
    return "\n".join(lines) + "\n"


def place(found):
    """`file:number`, what it is about, and the line itself."""
    where = f"{found['file']}:{found['line']}" if found["line"] else found["file"]
    about = f"  ({found['about']})" if found["about"] else ""
    yield f"  {where}{about}"
    if found["text"]:
        yield f"    | {found['text']}"


def said(label, text):
    return textwrap.wrap(
        f"{label} {text}",
        WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


SEVERITY = {
    "error": gettext_lazy("ERROR"),
    "warning": gettext_lazy("WARNING"),
    "advice": gettext_lazy("ADVICE"),
}
