"""Parse the entries of master.cf."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mailboxes.mailserver.config_parser import maps
from mailboxes.mailserver.config_parser.lines import ConfigSetting, Line, LogicalLine

SERVICE_FIELD_COUNT = 8  # name type private unprivileged chroot wakeup maxproc command
PIPE_ARGUMENT_RE = re.compile(r"(flags|user|argv|size|null_sender|directory|chroot)=")


@dataclass(frozen=True)
class MasterService:
    """A service of master.cf."""

    name: str
    type: str
    fields: tuple[str, ...]
    options: dict[str, ConfigSetting]
    line: Line
    flags: dict[str, str] = field(default_factory=dict)  # pipe's: flags=, user=, argv=

    @property
    def command(self) -> str:
        return self.fields[-1]


def parse_service(entry: LogicalLine) -> MasterService | None:
    """Parse an entry of master.cf; return None if it is incomplete."""
    words = maps.split_words(re.sub(r",", "\N{SUBSTITUTE}", entry.text))
    words = [word.replace("\N{SUBSTITUTE}", ",") for word in words]
    if len(words) < SERVICE_FIELD_COUNT:
        return None
    arguments = words[SERVICE_FIELD_COUNT:]
    flags = dict(word.split("=", 1) for word in arguments if PIPE_ARGUMENT_RE.match(word))
    options = {setting.name: setting for setting in _iter_options(arguments, entry.lines)}
    fields = tuple(words[:SERVICE_FIELD_COUNT])
    return MasterService(words[0], words[1], fields, options, entry.lines[0], flags)


def _iter_options(arguments: Sequence[str], lines: Sequence[Line]) -> Iterator[ConfigSetting]:
    """Yield the overrides `-o name=value` and `-o { name = value }`."""
    for number, word in enumerate(arguments):
        if not word.startswith("-o"):
            continue
        text = word[2:] or "".join(arguments[number + 1 : number + 2])
        name, sign, value = maps.strip_braces(text).partition("=")
        if sign:
            name = name.strip()
            found = (line for line in lines if re.search(rf"{re.escape(name)}\s*=", line.text))
            yield ConfigSetting(name, value.strip(), (next(found, lines[0]),))
