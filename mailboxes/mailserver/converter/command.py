"""`mailadmin mailserver upgrade`: Dovecot's files of 2.3, as Dovecot 2.4 wants them."""

import json
import stat
from pathlib import Path

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from mailboxes.mailserver.checks.command import validate_config_folder
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.lines import contains_secret, mask_secrets
from mailboxes.mailserver.config_parser.names import find_2_3_line, find_2_4_line, is_for_2_4
from mailboxes.mailserver.converter.convert import Conversion
from mailboxes.mailserver.converter.render import (
    HEADER_LINES,
    format_location,
    is_changed,
    iter_converted_lines,
    render_sections,
)
from mailboxes.mailserver.generator.disk import FileChange, write_change
from mailboxes.mailserver.generator.files import PUBLIC_MODE, SECRET_MODE, GeneratedFile

MAX_SHOWN_NAMES = 10  # names of files that are in the way

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
    dovecot = DovecotFiles(validate_config_folder(options["dovecot"], "dovecot.conf"))
    refuse_unconvertible(dovecot)
    conversion = Conversion(dovecot)
    sections = conversion.sections()
    found = list(iter_converted_lines(sections))
    if conversion.unguarded:
        warn_about_unguarded(command, conversion.unguarded, options)
    if options["output"]:
        folder = Path(options["output"]).absolute()
        try:
            validate_output_folder(folder, dovecot.directory)
            write_converted_files(
                folder, generate_converted_files(conversion, sections, dovecot.directory)
            )
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
    if options["json"]:
        command.stdout.write(json.dumps([each._asdict() for each in found], ensure_ascii=False))
    elif options["output"]:
        for each in found:
            if each.is_lost or is_changed(each):
                command.stdout.write(format_change(each, dovecot.directory))
    else:
        for file in generate_converted_files(conversion, sections, dovecot.directory):
            lines = "\n".join(mask_secrets(line) for line in file.text.splitlines())
            command.stdout.write(f"# {file.name}\n{lines}\n")
    command.stderr.write(
        _("%(total)s lines, %(lost)s of them not converted.")
        % {"total": len(found), "lost": sum(each.is_lost for each in found)}
    )


def warn_about_unguarded(command, passdbs, options):
    """People who are kept out in 2.3 could log in with the new files."""
    text = _(
        "These passdbs keep people out who could log in without them, and are not converted:"
        " %(lines)s"
    ) % {"lines": ", ".join(str(each.line) for each in passdbs)}
    if options["output"] and not options["force"]:
        refusal = _("Nothing was written. --force writes the files.")
        raise CommandError(f"{text}\n{refusal}")
    command.stderr.write(text)


def refuse_unconvertible(dovecot):
    """What cannot be read cannot be converted either."""
    if is_for_2_4(dovecot):
        new, old = find_2_4_line(dovecot), find_2_3_line(dovecot)
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


def generate_converted_files(conversion, sections, folder):
    """dovecot.conf, and the connections with their passwords beside it."""
    lines = [*HEADER_LINES, *render_sections(sections, folder)]
    text = "\n".join([*lines, ""])
    if any(map(contains_secret, lines)) or any(
        map(is_not_world_readable, get_source_files(conversion.dovecot))
    ):
        yield GeneratedFile("dovecot", "dovecot.conf", text, SECRET_MODE, "dovecot")
    else:
        yield GeneratedFile("dovecot", "dovecot.conf", text, PUBLIC_MODE)
    for lines, name in conversion.connections.files.items():
        yield GeneratedFile("dovecot", name, "\n".join([*lines, ""]), SECRET_MODE, "dovecot")


def get_source_files(dovecot):
    """The files that settings stand in; a connection's has a file of its own again."""
    return {line.file for _path, setting in dovecot.root.walk() for line in setting.lines}


def is_not_world_readable(path):
    return not Path(path).stat().st_mode & stat.S_IROTH


def validate_output_folder(folder, source):
    """Only into a folder of its own: what stands beside the new files would be read with them."""
    if folder.resolve() == source.resolve():
        raise CommandError(
            _("The new files need a folder of their own; %(folder)s has those of 2.3.")
            % {"folder": folder}
        )
    if folder.exists() and (present := sorted(path.name for path in folder.iterdir())):
        raise CommandError(
            _("%(folder)s is not empty: %(names)s")
            % {"folder": folder, "names": ", ".join(present[:MAX_SHOWN_NAMES])}
        )


def write_converted_files(folder, files):
    for file in files:
        write_change(FileChange(folder / file.name, file, None))


def format_change(change, folder):
    """`file:number: old → new`."""
    new = " ".join(line.strip() for line in change.lines) if change.lines else "–"
    if change.is_lost:
        new = _("not converted") + (f" ({change.about})" if change.about else "")
    where = format_location(change.file, change.number, folder)
    return f"{where}: {change.text} → {new}"
