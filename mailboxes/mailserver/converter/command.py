"""`mailadmin mailserver upgrade`: Dovecot's files of 2.3, as Dovecot 2.4 wants them."""

import json
import stat
from pathlib import Path

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from mailboxes.mailserver.checks.command import existing
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.lines import is_secret, masked
from mailboxes.mailserver.config_parser.names import is_for_newer, newer_line, older_line
from mailboxes.mailserver.converter.convert import Conversion
from mailboxes.mailserver.converter.render import HEADER, changes, is_changed, place, rendered
from mailboxes.mailserver.generator.disk import Change, write
from mailboxes.mailserver.generator.files import PUBLIC, SECRET, File

SHOWN = 10  # names of files that are in the way

help = "Convert Dovecot 2.3 configuration files to Dovecot 2.4."


def add_arguments(parser):
    parser.add_argument(
        "--dovecot", metavar="DIR", default="/etc/dovecot", help="the folder of 2.3 (/etc/dovecot)"
    )
    parser.add_argument(
        "--output", metavar="DIR", help="write the files there, passwords included; a new folder"
    )
    parser.add_argument(
        "--force", action="store_true", help="write them even if people who are denied could log in"
    )
    parser.add_argument(
        "--json", action="store_true", help="write what became of each line as JSON"
    )


def run(command, options):
    dovecot = DovecotFiles(existing(options["dovecot"], "dovecot.conf"))
    refuse(dovecot)
    conversion = Conversion(dovecot)
    sections = conversion.sections()
    found = list(changes(sections))
    if conversion.unguarded:
        warn_of_unguarded(command, conversion.unguarded, options)
    if options["output"]:
        folder = Path(options["output"]).absolute()
        try:
            refuse_folder(folder, dovecot.directory)
            store(folder, files_of(conversion, sections, dovecot.directory))
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
    if options["json"]:
        command.stdout.write(json.dumps([each._asdict() for each in found], ensure_ascii=False))
    elif options["output"]:
        for each in found:
            if each.is_lost or is_changed(each):
                command.stdout.write(format_change(each, dovecot.directory))
    else:
        for file in files_of(conversion, sections, dovecot.directory):
            lines = "\n".join(masked(line) for line in file.text.splitlines())
            command.stdout.write(f"# {file.name}\n{lines}\n")
    command.stderr.write(
        _("%(total)s lines, %(lost)s of them not converted.")
        % {"total": len(found), "lost": sum(each.is_lost for each in found)}
    )


def warn_of_unguarded(command, passdbs, options):
    """People who are kept out in 2.3 could log in with the new files."""
    text = _(
        "These passdbs keep people out who could log in without them, and are not converted:"
        " %(lines)s"
    ) % {"lines": ", ".join(str(each.line) for each in passdbs)}
    if options["output"] and not options["force"]:
        raise CommandError(f"{text}\n{_('Nothing was written. --force writes the files.')}")
    command.stderr.write(text)


def refuse(dovecot):
    """What cannot be read cannot be converted either."""
    if is_for_newer(dovecot):
        new, old = newer_line(dovecot), older_line(dovecot)
        if old is None:
            raise CommandError(_("These files are for Dovecot 2.4 already."))
        raise CommandError(
            _(
                "Some of these lines are for Dovecot 2.4 already (%(new)s), others for 2.3"
                " (%(old)s). Use the backup from before the upgrade."
            )
            % {"new": new or "dovecot_config_version", "old": old}
        )
    if dovecot.problems:
        listed = "\n".join(
            f"{problem.line}: {problem.reason or problem.line.shown}"
            for problem in dovecot.problems
        )
        raise CommandError(_("Dovecot 2.3 cannot parse these lines:") + f"\n{listed}")


def files_of(conversion, sections, folder):
    """dovecot.conf, and the connections with their passwords beside it."""
    lines = [*HEADER, *rendered(sections, folder)]
    text = "\n".join([*lines, ""])
    if any(map(is_secret, lines)) or any(map(is_closed, sources(conversion.dovecot))):
        yield File("dovecot", "dovecot.conf", text, SECRET, "dovecot")
    else:
        yield File("dovecot", "dovecot.conf", text, PUBLIC)
    for lines, name in conversion.connections.files.items():
        yield File("dovecot", name, "\n".join([*lines, ""]), SECRET, "dovecot")


def sources(dovecot):
    """The files that settings stand in; a connection's has a file of its own again."""
    return {line.file for _path, setting in dovecot.root.walk() for line in setting.lines}


def is_closed(path):
    return not Path(path).stat().st_mode & stat.S_IROTH


def refuse_folder(folder, source):
    """Only into a folder of its own: what stands beside the new files would be read with them."""
    if folder.resolve() == source.resolve():
        raise CommandError(
            _("The new files need a folder of their own; %(folder)s has those of 2.3.")
            % {"folder": folder}
        )
    if folder.exists() and (present := sorted(path.name for path in folder.iterdir())):
        raise CommandError(
            _("%(folder)s is not empty: %(names)s")
            % {"folder": folder, "names": ", ".join(present[:SHOWN])}
        )


def store(folder, files):
    for file in files:
        write(Change(folder / file.name, file, None))


def format_change(change, folder):
    """`file:number: old → new`."""
    new = " ".join(line.strip() for line in change.lines) if change.lines else "–"
    if change.is_lost:
        new = _("not converted") + (f" ({change.about})" if change.about else "")
    where = place(change.file, change.number, folder)
    return f"{where}: {change.text} → {new}"
