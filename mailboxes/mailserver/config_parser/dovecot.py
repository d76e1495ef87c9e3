"""A folder of Dovecot's, 2.3 or 2.4: one tree of settings and blocks, each with its line."""

import functools
from dataclasses import dataclass
from pathlib import Path

from mailboxes.mailserver.config_parser.lines import ConfigSetting, Line, resolve_path
from mailboxes.mailserver.config_parser.tree import (
    DOVECOT_DEFAULTS,
    DOVECOT_FOLDERS,
    FILTER_BLOCKS,
    ConfigBlock,
    DovecotParser,
)


@dataclass(frozen=True)
class SqlAuthDatabase:
    """A passdb or userdb that asks SQL; settings are named as Dovecot 2.3 names them."""

    kind: str
    settings: dict[str, ConfigSetting]
    line: Line

    def value(self, name):
        return self.settings[name].value if name in self.settings else ""

    def where(self, name):
        return self.settings[name].line if name in self.settings else self.line


# 2.4's full name → 2.3's
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
# Files of Dovecot's own package, which are for the version that is installed.
PACKAGE_FOLDER = "/usr/share/dovecot/"


@dataclass(frozen=True)
class DovecotFiles:
    """A configuration folder of Dovecot's, live or copied."""

    directory: Path
    reaches: object = None  # path → whether it may be read; a copy may name this machine's files

    @functools.cached_property
    def _parser(self):
        reader = DovecotParser(Path(self.directory), reaches=self.reaches)
        reader.file(Path(self.directory) / "dovecot.conf", reader.root)
        reader.apply_groups()
        return reader

    @property
    def root(self):
        return self._parser.root

    @property
    def first(self):
        """The first line that says something, or None."""
        return self._parser.first

    @property
    def includes(self):
        """What is to be included, as it is written."""
        return self._parser.includes

    @property
    def packaged_includes(self):
        """Those that are files of Dovecot's own package."""
        return [pattern for pattern in self.includes if is_package_file(pattern)]

    @property
    def problems(self):
        return [*self._parser.problems, *self._sql_files[1]]

    @property
    def is_version_2_4(self):
        """Whether it speaks the language of Dovecot 2.4."""
        return self._parser.is_version_2_4

    def value(self, name):
        return self.root.value(name, DOVECOT_DEFAULTS.get(name, ""))

    def where(self, name):
        return self.root.where(name)

    def resolve_path(self, path):
        return resolve_path(self.directory, path, DOVECOT_FOLDERS)

    def blocks(self, kind):
        return self.root.blocks(kind)

    def authentication(self, kind):
        """The passdbs or userdbs, those of single protocols too: (blocks around it, itself)."""
        yield from _iter_blocks(self.root, (), kind, merges=self.is_version_2_4)

    @functools.cached_property
    def _sql_files(self):
        """Path → settings of the files that 2.3 keeps its SQL in, and what was wrong with them."""
        reader, found = DovecotParser(Path(self.directory), expands_variables=False), {}
        for kind in ("passdb", "userdb"):
            for _around, block in self.authentication(kind):
                if block.value("driver") != "sql" or not block.value("args"):
                    continue
                path = self.resolve_path(block.value("args"))
                if path not in found:
                    found[path] = ConfigBlock("file", str(path), Line(str(path), 0, ""))
                    reader.file(path, found[path], seen_at=block.where("args"))
        return found, reader.problems

    def read_sql_file(self, path, seen_at):
        """The settings of another file in the language of 2.3's SQL files."""
        block = ConfigBlock("file", str(path), Line(str(path), 0, ""))
        DovecotParser(Path(self.directory), expands_variables=False).file(
            path, block, seen_at=seen_at
        )
        return block

    @property
    def sql_files(self):
        return self._sql_files[0]

    def databases(self, kind):
        """The passdbs or userdbs that ask SQL."""
        read = self._build_database_2_4 if self.is_version_2_4 else self._build_database_2_3
        return [
            read(around, block)
            for around, block in self.authentication(kind)
            if get_driver(block) == "sql"
        ]

    def passdbs(self):
        return self.databases("passdb")

    def userdbs(self):
        return self.databases("userdb")

    def _build_database_2_3(self, _around, block):
        path = self.resolve_path(block.value("args"))
        settings = self.sql_files.get(path)
        found = {each.name: each for each in settings.settings()} if settings else {}
        return SqlAuthDatabase(block.kind, found, settings.line if settings else block.line)

    @staticmethod
    def _build_database_2_4(around, block):
        names = SETTING_NAMES_2_4[block.kind]
        found = {
            names[name]: setting
            for holder in (*around, block)
            for setting in holder.settings()
            if (name := expand_setting_name(holder, setting.name)) in names
        }
        return SqlAuthDatabase(block.kind, found, block.line)

    def settings(self):
        """Every setting of every file."""
        yield from (setting for _path, setting in self.root.walk())
        for block in self.sql_files.values():
            yield from (setting for _path, setting in block.walk())


def get_driver(block):
    """How a passdb or userdb looks people up: in 2.4 as it is called, if it does not say."""
    return block.value("driver") or block.value(f"{block.kind}_driver") or block.name


def expand_setting_name(block, name):
    """2.4's own name of a setting, which may leave out what the block around it says."""
    names = [f"{block.kind}_{block.name}_{name}", f"{block.kind}_{name}"]
    return next((each for each in names if each in SETTING_NAMES_2_4.get(block.kind, ())), name)


def _iter_blocks(block, around, kind, merges):
    """Blocks of a kind; Dovecot 2.4 takes those of one name for one."""
    around = (*around, block)
    found = {}
    for number, child in enumerate(block.blocks(kind)):
        key = child.name if merges else number
        if key in found:
            child = ConfigBlock(
                kind, child.name, found[key].line, found[key].children + child.children
            )
        found[key] = child
    yield from ((around, child) for child in found.values())
    for child in block.children:
        if isinstance(child, ConfigBlock) and child.kind in FILTER_BLOCKS:
            yield from _iter_blocks(child, around, kind, merges)


def is_package_file(path):
    """Whether it is a file of Dovecot's package, and not one of the administrator's."""
    return path.startswith(PACKAGE_FOLDER)
