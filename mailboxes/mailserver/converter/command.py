"""`mailadmin mailserver upgrade`: convert Dovecot 2.3 files to Dovecot 2.4."""

import json
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from mailboxes.mailserver.checks.command import Options, validate_config_folder
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.lines import contains_secret, mask_secrets
from mailboxes.mailserver.config_parser.names import find_2_3_line, find_2_4_line, is_for_2_4
from mailboxes.mailserver.config_parser.tree import ConfigBlock
from mailboxes.mailserver.converter.convert import Conversion
from mailboxes.mailserver.converter.render import (
    HEADER_LINES,
    ConvertedLine,
    format_location,
    is_changed,
    iter_converted_lines,
    render_sections,
)
from mailboxes.mailserver.converter.result import Section
from mailboxes.mailserver.generator.disk import FileChange, write_change
from mailboxes.mailserver.generator.files import PUBLIC_MODE, SECRET_MODE, GeneratedFile

MAX_SHOWN_NAMES = 10

help = "Convert Dovecot 2.3 configuration files to Dovecot 2.4."


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--dovecot",
        metavar="DIR",
        default="/etc/dovecot",
        help="folder of the 2.3 files (default: /etc/dovecot)",
    )
    parser.add_argument(
        "--output", metavar="DIR", help="write the files, passwords included, to this new folder"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="write the files even if users who are denied access could then sign in",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the result for each line as JSON"
    )


def run(command: BaseCommand, options: Options) -> None:
    dovecot = DovecotFiles(validate_config_folder(options["dovecot"], "dovecot.conf"))
    refuse_unconvertible(dovecot)
    conversion = Conversion(dovecot)
    sections = conversion.sections()
    if conversion.lost_restrictions:
        warn_about_lost_restrictions(command, conversion.lost_restrictions, options)
    files = generate_converted_files(conversion, sections)
    if options["output"]:
        write_converted_files(Path(options["output"]).absolute(), dovecot.directory, files)
    changes = list(iter_converted_lines(sections))
    if options["json"]:
        command.stdout.write(json.dumps([each._asdict() for each in changes], ensure_ascii=False))
    elif options["output"]:
        for each in changes:
            if each.is_lost or is_changed(each):
                command.stdout.write(format_change(each, dovecot.directory))
    else:
        for file in files:
            lines = "\n".join(mask_secrets(line) for line in file.text.splitlines())
            command.stdout.write(f"# {file.name}\n{lines}\n")
    command.stderr.write(
        _("%(total)s lines, %(lost)s of them not converted.")
        % {"total": len(changes), "lost": sum(each.is_lost for each in changes)}
    )


def warn_about_lost_restrictions(
    command: BaseCommand, passdbs: list[ConfigBlock], options: Options
) -> None:
    """Warn, or refuse to write, if users who are denied in 2.3 could log in with the new files."""
    text = _(
        "These passdbs deny access to users who could sign in without them, and are not"
        " converted: %(lines)s"
    ) % {"lines": ", ".join(str(each.line) for each in passdbs)}
    if options["output"] and not options["force"]:
        refusal = _("Nothing was written. Use --force to write the files.")
        raise CommandError(f"{text}\n{refusal}")
    command.stderr.write(text)


def refuse_unconvertible(dovecot: DovecotFiles) -> None:
    """Raise CommandError for files that are not for 2.3, or cannot be parsed."""
    if is_for_2_4(dovecot):
        new, old = find_2_4_line(dovecot), find_2_3_line(dovecot)
        if old is None:
            raise CommandError(_("These files are already for Dovecot 2.4."))
        raise CommandError(
            _(
                "Some of these lines are already for Dovecot 2.4 (%(new)s), others for"
                " 2.3 (%(old)s). Use the backup from before the upgrade."
            )
            % {"new": new or "dovecot_config_version", "old": old}
        )
    if dovecot.problems:
        listed = "\n".join(
            f"{problem.line}: {problem.reason or problem.line.shown}"
            for problem in dovecot.problems
        )
        raise CommandError(_("Dovecot 2.3 cannot parse these lines:") + f"\n{listed}")


def generate_converted_files(
    conversion: Conversion, sections: list[Section]
) -> Iterator[GeneratedFile]:
    """Yield dovecot.conf, and the files with the passwords of database connections."""
    dovecot = conversion.dovecot
    lines = [*HEADER_LINES, *render_sections(sections, dovecot.directory)]
    text = "\n".join([*lines, ""])
    is_restricted = any(map(is_not_world_readable, get_source_files(dovecot)))
    if is_restricted or any(map(contains_secret, lines)):
        yield GeneratedFile("dovecot", "dovecot.conf", text, SECRET_MODE, "dovecot")
    else:
        yield GeneratedFile("dovecot", "dovecot.conf", text, PUBLIC_MODE)
    for connection, name in conversion.connections.files.items():
        text = "\n".join([*connection, ""])
        yield GeneratedFile("dovecot", name, text, SECRET_MODE, "dovecot")


def get_source_files(dovecot: DovecotFiles) -> set[str]:
    """Return the files with settings, except the SQL files."""
    return {line.file for _path, setting in dovecot.root.walk() for line in setting.lines}


def is_not_world_readable(path: str) -> bool:
    return not Path(path).stat().st_mode & stat.S_IROTH


def validate_output_folder(folder: Path, source: Path) -> None:
    """Raise CommandError unless the folder is new or empty: Dovecot would read its other files."""
    if folder.resolve() == source.resolve():
        raise CommandError(
            _("Use a new folder for the new files; %(folder)s contains the 2.3 files.")
            % {"folder": folder}
        )
    if folder.exists() and (existing := sorted(path.name for path in folder.iterdir())):
        raise CommandError(
            _("%(folder)s is not empty: %(names)s")
            % {"folder": folder, "names": ", ".join(existing[:MAX_SHOWN_NAMES])}
        )


def write_converted_files(folder: Path, source: Path, files: Iterable[GeneratedFile]) -> None:
    try:
        validate_output_folder(folder, source)
        for file in files:
            write_change(FileChange(folder / file.name, file, None))
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}") from error


def format_change(change: ConvertedLine, folder: Path) -> str:
    """Format as `file:number: old → new`."""
    new = " ".join(line.strip() for line in change.lines) if change.lines else "–"
    if change.is_lost:
        new = _("not converted") + (f" ({change.about})" if change.about else "")
    location = format_location(change.file, change.number, folder)
    return f"{location}: {change.text} → {new}"
