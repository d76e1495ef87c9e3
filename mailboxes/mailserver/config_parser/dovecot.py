"""A configuration folder of Dovecot 2.3 or 2.4 as one tree of settings and blocks."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mailboxes.mailserver.config_parser.lines import (
    ConfigProblem,
    ConfigSetting,
    Line,
    resolve_path,
)
from mailboxes.mailserver.config_parser.tree import (
    DOVECOT_DEFAULTS,
    DOVECOT_FOLDERS,
    FILTER_BLOCKS,
    ConfigBlock,
    DovecotParser,
)

Blocks = tuple[ConfigBlock, ...]
NestedBlock = tuple[Blocks, ConfigBlock]  # enclosing blocks, block


@dataclass(frozen=True)
class SqlAuthDatabase:
    """A passdb or userdb with an SQL driver; settings have their names of Dovecot 2.3."""

    kind: str
    settings: dict[str, ConfigSetting]
    line: Line

    def value(self, name: str) -> str:
        return self.settings[name].value if name in self.settings else ""

    def get_line(self, name: str) -> Line:
        return self.settings[name].line if name in self.settings else self.line


# Full name in 2.4 → name in 2.3
SETTING_NAMES_2_4 = {
    "passdb": {
        "passdb_sql_query": "password_query",
        "passdb_default_password_scheme": "default_pass_scheme",
        "sql_driver": "driver",
    },
    "userdb": {
        "userdb_sql_query": "user_query",
        "userdb_sql_iterate_query": "iterate_query",
        "sql_driver": "driver",
    },
}
# Files of Dovecot's package, always written for the installed version.
PACKAGE_FOLDER = "/usr/share/dovecot/"


@dataclass(frozen=True)
class DovecotFiles:
    """A configuration folder of Dovecot, live or copied."""

    directory: Path
    # Returns whether a path may be read: a copy may name files of this machine.
    is_readable: Callable[[Path], bool] | None = None

    @functools.cached_property
    def _parser(self) -> DovecotParser:
        parser = DovecotParser(Path(self.directory), is_readable=self.is_readable)
        parser.file(Path(self.directory) / "dovecot.conf", parser.root)
        parser.apply_groups()
        return parser

    @property
    def root(self) -> ConfigBlock:
        return self._parser.root

    @property
    def first_line(self) -> Line | None:
        """Return the first line that is not a comment."""
        return self._parser.first_line

    @property
    def includes(self) -> list[str]:
        """Return the arguments of !include, as they are written."""
        return self._parser.includes

    @property
    def packaged_includes(self) -> list[str]:
        """Return the includes of files of Dovecot's package."""
        return [pattern for pattern in self.includes if is_package_file(pattern)]

    @property
    def problems(self) -> list[ConfigProblem]:
        return [*self._parser.problems, *self._sql_files[1]]

    @property
    def is_version_2_4(self) -> bool:
        """Check whether the configuration declares the syntax of Dovecot 2.4."""
        return self._parser.is_version_2_4

    def value(self, name: str) -> str:
        return self.root.value(name, DOVECOT_DEFAULTS.get(name, ""))

    def get_line(self, name: str) -> Line:
        return self.root.get_line(name)

    def resolve_path(self, path: str | Path) -> Path:
        return resolve_path(self.directory, path, DOVECOT_FOLDERS)

    def blocks(self, kind: str) -> list[ConfigBlock]:
        return self.root.blocks(kind)

    def authentication(self, kind: str) -> Iterator[NestedBlock]:
        """Yield (enclosing blocks, block) of all passdbs or userdbs, in filter blocks too."""
        yield from _iter_blocks(self.root, (), kind, merges=self.is_version_2_4)

    @functools.cached_property
    def _sql_files(self) -> tuple[dict[Path, ConfigBlock], list[ConfigProblem]]:
        """Return path → settings of 2.3's SQL files, and the problems with them."""
        parser = DovecotParser(Path(self.directory), expands_variables=False)
        found: dict[Path, ConfigBlock] = {}
        for kind in ("passdb", "userdb"):
            for _parents, block in self.authentication(kind):
                if block.value("driver") != "sql" or not block.value("args"):
                    continue
                path = self.resolve_path(block.value("args"))
                if path not in found:
                    found[path] = ConfigBlock("file", str(path), Line(str(path), 0, ""))
                    parser.file(path, found[path], included_at=block.get_line("args"))
        return found, parser.problems

    def read_sql_file(
        self, path: Path, included_at: Line
    ) -> tuple[ConfigBlock, list[ConfigProblem]]:
        """Parse another file of 2.3's SQL settings; `included_at` is the line that names it."""
        block = ConfigBlock("file", str(path), Line(str(path), 0, ""))
        parser = DovecotParser(Path(self.directory), expands_variables=False)
        parser.file(path, block, included_at=included_at)
        return block, parser.problems

    @property
    def sql_files(self) -> dict[Path, ConfigBlock]:
        return self._sql_files[0]

    def databases(self, kind: str) -> list[SqlAuthDatabase]:
        """Return the passdbs or userdbs with an SQL driver."""
        build = self._build_database_2_4 if self.is_version_2_4 else self._build_database_2_3
        return [
            build(parents, block)
            for parents, block in self.authentication(kind)
            if get_driver(block) == "sql"
        ]

    def passdbs(self) -> list[SqlAuthDatabase]:
        return self.databases("passdb")

    def userdbs(self) -> list[SqlAuthDatabase]:
        return self.databases("userdb")

    def _build_database_2_3(self, _parents: Blocks, block: ConfigBlock) -> SqlAuthDatabase:
        path = self.resolve_path(block.value("args"))
        settings = self.sql_files.get(path)
        found = {each.name: each for each in settings.settings()} if settings else {}
        return SqlAuthDatabase(block.kind, found, settings.line if settings else block.line)

    @staticmethod
    def _build_database_2_4(parents: Blocks, block: ConfigBlock) -> SqlAuthDatabase:
        names = SETTING_NAMES_2_4[block.kind]
        found = {
            names[name]: setting
            for holder in (*parents, block)
            for setting in holder.settings()
            if (name := expand_setting_name(holder, setting.name)) in names
        }
        return SqlAuthDatabase(block.kind, found, block.line)

    def settings(self) -> Iterator[ConfigSetting]:
        """Yield every setting of every file."""
        yield from (setting for _path, setting in self.root.walk())
        for block in self.sql_files.values():
            yield from (setting for _path, setting in block.walk())


def get_driver(block: ConfigBlock) -> str:
    """Return the driver of a passdb or userdb; in 2.4 it defaults to the name of the block."""
    return block.value("driver") or block.value(f"{block.kind}_driver") or block.name


def expand_setting_name(block: ConfigBlock, name: str) -> str:
    """Return the full name of a 2.4 setting, which may be abbreviated inside a block."""
    names = [f"{block.kind}_{block.name}_{name}", f"{block.kind}_{name}"]
    return next((each for each in names if each in SETTING_NAMES_2_4.get(block.kind, ())), name)


def _iter_blocks(
    block: ConfigBlock, parents: Blocks, kind: str, merges: bool
) -> Iterator[NestedBlock]:
    """Yield the blocks of a kind; Dovecot 2.4 merges those of the same name."""
    parents = (*parents, block)
    found: dict[str | int, ConfigBlock] = {}
    for number, child in enumerate(block.blocks(kind)):
        key = child.name if merges else number
        if key in found:
            child = ConfigBlock(
                kind, child.name, found[key].line, found[key].children + child.children
            )
        found[key] = child
    yield from ((parents, child) for child in found.values())
    for inner in block.children:
        if isinstance(inner, ConfigBlock) and inner.kind in FILTER_BLOCKS:
            yield from _iter_blocks(inner, parents, kind, merges)


def is_package_file(path: str) -> bool:
    """Check whether a file belongs to Dovecot's package, not to the administrator."""
    return path.startswith(PACKAGE_FOLDER)
