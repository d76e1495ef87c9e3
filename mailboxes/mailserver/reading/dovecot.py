"""A folder of Dovecot's, 2.3 or 2.4: one tree of settings and blocks, each with its line."""

import functools
from dataclasses import dataclass
from pathlib import Path

from mailboxes.mailserver.reading.lines import Line, Setting, locate
from mailboxes.mailserver.reading.tree import DEFAULTS, HOMES, Block, Reader


@dataclass(frozen=True)
class SqlDatabase:
    """A passdb or userdb that asks SQL; settings are named as Dovecot 2.3 names them."""

    kind: str
    settings: dict[str, Setting]
    line: Line

    def value(self, name):
        return self.settings[name].value if name in self.settings else ""

    def where(self, name):
        return self.settings[name].line if name in self.settings else self.line


# 2.4's name, in the block or outside of it → 2.3's
MODERN = {
    "passdb": {
        "query": "password_query",
        "default_password_scheme": "default_pass_scheme",
        "passdb_sql_query": "password_query",
        "passdb_default_password_scheme": "default_pass_scheme",
    },
    "userdb": {
        "query": "user_query",
        "iterate_query": "iterate_query",
        "userdb_sql_query": "user_query",
        "userdb_sql_iterate_query": "iterate_query",
    },
}


@dataclass(frozen=True)
class DovecotFiles:
    """A configuration folder of Dovecot's, live or copied."""

    directory: Path
    reaches: object = None  # path → whether it may be read; a copy may name this machine's files

    @functools.cached_property
    def _parsed(self):
        reader = Reader(Path(self.directory), reaches=self.reaches)
        reader.file(Path(self.directory) / "dovecot.conf", reader.root)
        return reader

    @property
    def root(self):
        return self._parsed.root

    @property
    def problems(self):
        return [*self._parsed.problems, *self._sql_files[1]]

    @property
    def is_modern(self):
        """Whether it speaks the language of Dovecot 2.4."""
        return bool(self.root.setting("dovecot_config_version"))

    def value(self, name):
        return self.root.value(name, DEFAULTS.get(name, ""))

    def where(self, name):
        return self.root.where(name)

    def locate(self, path):
        return locate(self.directory, path, HOMES)

    def blocks(self, kind):
        return self.root.blocks(kind)

    @functools.cached_property
    def _sql_files(self):
        """Path → settings of the files that 2.3 keeps its SQL in, and what was wrong with them."""
        reader, found = Reader(Path(self.directory), expands=False), {}
        for block in [*self.blocks("passdb"), *self.blocks("userdb")]:
            if block.value("driver") != "sql" or not block.value("args"):
                continue
            path = self.locate(block.value("args"))
            if path not in found:
                found[path] = Block("file", str(path), Line(str(path), 0, ""))
                reader.file(path, found[path], seen_at=block.where("args"))
        return found, reader.problems

    @property
    def sql_files(self):
        return self._sql_files[0]

    def databases(self, kind):
        """The passdbs or userdbs that ask SQL."""
        blocks = [block for block in self.blocks(kind) if _driver(block) == "sql"]
        read = self._modern if self.is_modern else self._classic
        return [read(block) for block in blocks]

    def passdbs(self):
        return self.databases("passdb")

    def userdbs(self):
        return self.databases("userdb")

    def _classic(self, block):
        path = self.locate(block.value("args"))
        settings = self.sql_files.get(path)
        children = settings.children if settings else []
        found = {child.name: child for child in children if isinstance(child, Setting)}
        return SqlDatabase(block.kind, found, settings.line if settings else block.line)

    def _modern(self, block):
        names = MODERN[block.kind]
        around = [c for c in self.root.children if isinstance(c, Setting) and "_" in c.name]
        inside = [child for child in block.children if isinstance(child, Setting)]
        found = {names[c.name]: c for c in [*around, *inside] if c.name in names}
        return SqlDatabase(block.kind, found, block.line)

    def settings(self):
        """Every setting of every file."""
        yield from (setting for _path, setting in self.root.walk())
        for block in self.sql_files.values():
            yield from (setting for _path, setting in block.walk())


def _driver(block):
    return block.value("driver") or block.value(f"{block.kind}_driver") or block.name
