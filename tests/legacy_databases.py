"""Databases of PostfixAdmin's versions, their contents, and the panel run on them."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from mailadmin.conf import BASE_DIR

SCHEMA = Path(__file__).parent / "schema"
SHAPES = {
    "2.1": ("latin1", []),
    "3.3.13": ("utf8mb4", ["rows-3"]),
    "4.0.5": ("utf8mb4", ["rows-3", "rows-4"]),
    "1856": ("utf8mb4", ["rows-3", "rows-4", "rows-1856"]),
}
# The default of MySQL; MariaDB's is less strict.
MYSQL_MODE = (
    "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
)
SCHEMA_OF_KEYS = "constraint_schema"


def environment(**environ):
    """Return the environment of the panel for a database."""
    ours = ("MAILADMIN_", "DJANGO_")
    bare = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    return bare | {
        "MAILADMIN_ENV_FILE": "/dev/null",
        "MAILADMIN_SECRET_KEY": "for tests and for nothing else but tests, so long as it is",
        "MAILADMIN_TIME_ZONE": "Europe/Berlin",
        "MAILADMIN_PASSWORD_ROUNDS": "4",
        # So that all pages are there
        "MAILADMIN_FETCHMAIL": "yes",
        "MAILADMIN_DKIM": "admins",
        "MAILADMIN_BROADCAST": "admins",
        "MAILADMIN_XMLRPC": "yes",
        "MAILADMIN_MAILDIRS": "yes",
        "MAILADMIN_PASSWORD_API": "yes",
        "DJANGO_SETTINGS_MODULE": "mailadmin.settings",
        **environ,
    }


@dataclass
class Database:
    """A database of the run's server, and the panel's commands run on it."""

    server: object
    name: str
    environ: dict = field(default_factory=dict)

    @classmethod
    def of_shape(cls, server, name, shape, charset="", prefix=""):
        """Create a database of this version of PostfixAdmin with rows."""
        usual, more = SHAPES[shape]
        server.create(name, charset or usual)
        database = cls(server, name)
        for file in (f"postfixadmin-{shape}", "rows", *more):
            database.load((SCHEMA / f"{file}.sql").read_text())
        if prefix:
            for table in database.tables():
                database.execute(f"RENAME TABLE `{table}` TO `{prefix}{table}`")
            database.environ["MAILADMIN_TABLE_PREFIX"] = prefix
        return database

    def load(self, sql):
        self.execute(f"SET foreign_key_checks = 0;\n{sql}")

    def convert(self, collation):
        """Give all columns one collation, as operators do.

        Whatever dates the rows have; constraints on the columns are dropped first.
        """
        keys = self._facts("table_name, constraint_name", "referential_constraints", SCHEMA_OF_KEYS)
        to = f"CONVERT TO CHARACTER SET utf8mb4 COLLATE {collation}"
        steps = ["SET sql_mode = ''"]
        steps += [f"ALTER TABLE `{table}` DROP FOREIGN KEY `{name}`" for table, name in keys]
        steps += [f"ALTER TABLE `{table}` {to}" for table in self.tables()]
        self.load(";\n".join(steps))

    def execute(self, sql):
        return self.server.execute(sql, self.name)

    def rows(self, sql):
        return [tuple(line.split("\t")) for line in self.execute(sql)]

    def value(self, sql):
        return self.rows(sql)[0][0]

    def drop(self):
        self.server.execute(f"DROP DATABASE IF EXISTS `{self.name}`")

    # The panel

    def panel(self, *arguments, **environ):
        """Run the panel's Python on this database and return its output. It has to succeed."""
        result = subprocess.run(
            [sys.executable, *arguments],
            env=environment(
                MAILADMIN_DATABASE_URL=self.server.url(self.name), **self.environ, **environ
            ),
            cwd=BASE_DIR,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-6000:]
        return result.stdout

    def migrate(self):
        return self.panel("manage.py", "migrate", "--no-color")

    def open_screens(self, *people, **environ):
        """Open every screen for these users: user → request → status."""
        return json.loads(self.panel("-m", "tests.all_pages", "screens", *people, **environ))

    def change_rows(self):
        """Create, change and delete rows as the superadmin: request → status."""
        seen = json.loads(self.panel("-m", "tests.all_pages", "rows", "root@example.net"))
        return seen["root@example.net"]

    def page_texts(self, person, *urls):
        """Return the texts of these pages for a user."""
        return json.loads(self.panel("-m", "tests.all_pages", "texts", person, *urls))

    def home(self, person):
        return self.page_texts(person, "/")["/"]

    # Contents

    def tables(self):
        return [name for (name,) in self.rows("SHOW TABLES")]

    def structure(self):
        """Return the facts of information_schema, by subject."""
        facts = {}
        for table, *rest in self._facts(
            "table_name, engine, table_collation, table_comment", "tables"
        ):
            facts["table", table] = rest
        for table, column, *rest in self._facts(
            "table_name, column_name, column_type, is_nullable, column_default,"
            " character_set_name, collation_name, extra",
            "columns",
        ):
            facts["column", table, column] = rest
        for table, index, number, *rest in self._facts(
            "table_name, index_name, seq_in_index, column_name, non_unique, index_type",
            "statistics",
        ):
            facts["index", table, index, number] = rest
        for table, name, *rest in self._facts(
            "table_name, constraint_name, referenced_table_name, delete_rule",
            "referential_constraints",
            SCHEMA_OF_KEYS,
        ):
            facts["key", table, name] = rest
        return facts

    def _facts(self, names, view, schema="table_schema"):
        return self.rows(
            f"SELECT {names} FROM information_schema.{view} WHERE {schema} = DATABASE()"
        )

    def content(self, columns):
        """Return every row of these columns (table → names), as bytes."""
        queries = []
        for table, names in columns.items():
            values = (f"COALESCE(HEX(CAST(`{name}` AS BINARY)), 'NULL')" for name in names)
            queries.append(f"SELECT '{table}', {', '.join(values)} FROM `{table}`")
        return sorted(self.rows(";\n".join(queries)))

    def columns(self):
        columns = {}
        for kind, table, *rest in self.structure():
            if kind == "column":
                columns.setdefault(table, []).append(rest[0])
        return columns
