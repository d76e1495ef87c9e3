"""A PostfixAdmin of 50 domains is switched to the panel, and back, as the page on adopting says."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from mailadmin.conf import BASE_DIR
from tests import documentation
from tests.deployed_panel import Panel, copy_repository
from tests.legacy_databases import Database
from tests.postfixadmin import PostfixAdmin
from tests.programs import command
from tests.switch_world import DOMAINS, OPTIONS, SECRET, call, fill, name_domain

pytestmark = [pytest.mark.slow, pytest.mark.mariadb, pytest.mark.deploy]
PAGE = BASE_DIR / "docs/adopting-postfixadmin.md"
ACCOUNT = "panel"  # the page's `mailadmin` is that of the server itself
NAME = "switched"  # of the database that the page calls `postfix`
# Made in the panel after the switch
NEW_DOMAIN, NEW_MAILBOX = "new.example", "carla@d00.example"


class Operator:
    """Somebody who runs the commands of the page, one after the other, in one shell."""

    def __init__(self, panel, database, config):
        self.panel, self.database, self.config = panel, database, config
        self.environ, self.output = {}, ""
        self.steps = documentation.blocks(PAGE.read_text("utf-8"))
        self.programs = panel.folder.parent / "programs"
        self.programs.mkdir()
        client = database.server
        for name in ("mariadb", "mariadb-dump"):
            program = self.programs / name
            options = f"--no-defaults --skip-ssl-verify-server-cert --socket={client.socket}"
            program.write_text(
                f'#!/bin/sh\nMYSQL_PWD="{client.password}"'
                f' exec {command(name)} {options} --user={client.user} "$@"\n'
            )
            program.chmod(0o755)

    def replace_places(self, text):
        """Use the server, the configuration and the names of this test."""
        text = text.replace("/run/mysqld/mysqld.sock", self.database.server.socket)
        text = text.replace("/etc/postfixadmin/config.inc.php", str(self.config))
        text = text.replace("…", SECRET).replace("mailadmin:password@", f"{ACCOUNT}:{SECRET}@")
        text = text.replace("'mailadmin'@", f"'{ACCOUNT}'@")
        return re.sub(r"\bpostfix\b(?=\.\*|\?|$| >| --execute)", NAME, text)

    def follow(self, first, last):
        """Run the blocks from the one that begins with `first` to that with `last`."""
        texts = [text for _language, text in self.steps]
        start = next(n for n, text in enumerate(texts) if text.startswith(first))
        end = next(n for n, text in enumerate(texts) if text.startswith(last))
        for language, text in self.steps[start : end + 1]:
            if language == "sql":
                self.database.execute(self.replace_places(text))
            for line in documentation.split_commands(text) if language == "sh" else ():
                self.run(self.replace_places(line))

    def run(self, line):
        if line == "deploy/run":
            self.output = self.panel.start(**self.environ)
            return
        script = f"{line}\nenv -0 > environ"
        done = subprocess.run(
            [command("bash"), "-euo", "pipefail", "-c", script],
            cwd=self.panel.folder,
            env=self.bare_environ() | self.environ,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (line, done.stdout[-2000:], done.stderr[-4000:])
        self.output = done.stdout + done.stderr
        pairs = (self.panel.folder / "environ").read_text().split("\0")
        found = dict(pair.split("=", 1) for pair in pairs if pair.startswith("MAILADMIN_"))
        self.environ |= found

    def bare_environ(self):
        ours = ("MAILADMIN_", "DJANGO_")
        bare = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
        return bare | {"PATH": f"{self.programs}:{os.environ['PATH']}"}

    def ask(self, *words):
        """Run a command of the panel and return its output."""
        self.run(" ".join([".venv/bin/mailadmin", *words]))
        return self.output


@pytest.fixture(scope="module")
def postfixadmin(mariadb):
    mariadb.create(NAME, "utf8mb4")
    with PostfixAdmin(mariadb, NAME) as postfixadmin:
        config = postfixadmin.place / "config.local.php"
        config.write_text(config.read_text().replace("?>", OPTIONS + "?>"))
        fill(postfixadmin, Database(mariadb, NAME))
        yield postfixadmin


@pytest.fixture(scope="module")
def before(postfixadmin, mariadb):
    """The tables and rows of PostfixAdmin before anything else touched them."""
    database = Database(mariadb, NAME)
    columns = database.columns()
    return columns, database.content(columns)


@pytest.fixture(scope="module")
def operator(before, postfixadmin, mariadb, tmp_path_factory):
    Path(mariadb.socket).parent.chmod(0o755)  # as /run/mysqld is
    with Panel(copy_repository(tmp_path_factory.mktemp("switch"))) as panel:
        operator = Operator(panel, Database(mariadb, NAME), postfixadmin.place / "config.inc.php")
        operator.follow("mariadb-dump", "deploy/run")
        yield operator
        mariadb.execute(f"DROP USER IF EXISTS '{ACCOUNT}'@'localhost'")
        operator.database.drop()


@pytest.fixture(scope="module")
def worked(operator):
    """The database after a day's work in the panel."""
    for words in (
        f"domain add {NEW_DOMAIN}",
        f"domain edit {name_domain(2)} --description Changed",
        f"mailbox add {NEW_MAILBOX} --name Carla --password-stdin <<< {SECRET}",
        f"alias add all@d00.example --goto {NEW_MAILBOX} --goto bob@d00.example",
        f"mailbox delete bob@{name_domain(1)} --yes",
        f"vacation add {NEW_MAILBOX} --subject Gone --body Back",
    ):
        operator.ask(words)
    return operator


@pytest.fixture(scope="module")
def returned(worked, before):
    """The same after the way back."""
    worked.panel.stop()
    worked.follow("mariadb --batch", "DROP USER")
    return worked


def test_the_configuration_is_converted_whole(operator):
    text = (operator.panel.folder / "mailadmin.env").read_text()
    for line in (
        "MAILADMIN_DEFAULT_ALIASES=abuse=abuse@example.net",
        "MAILADMIN_DOMAIN_MAILBOXES=12",
        "MAILADMIN_FETCHMAIL=yes",
        "MAILADMIN_BROADCAST=no",
    ):
        assert line in text
    assert "TRANSPORTS=" in text
    assert oct((operator.panel.folder / "mailadmin.env").stat().st_mode)[-3:] == "600"


def test_no_row_is_changed_by_the_switch(operator, before):
    columns, content = before
    assert operator.database.content(columns) == content
    assert len(content) > 400


def test_people_sign_in_to_the_panel_with_their_passwords(operator):
    home = f"{operator.panel.url}/"
    for person in ("root@d00.example", "adam0@d00.example", "bob@d00.example"):
        assert operator.panel.sign_in(person, SECRET) == home, person
    assert operator.panel.sign_in("bob@d00.example", "wrong") != home
    assert operator.panel.sign_in("adam7@d00.example", SECRET) != home  # inactive


def test_the_panel_shows_all_of_it(operator):
    assert len(json.loads(operator.ask("domain list --json"))) == DOMAINS + 3
    assert "Пекарня" in operator.ask(f"domain show {name_domain(1)}")


def test_postfixadmin_shows_what_was_done_in_the_panel(worked, postfixadmin):
    postfixadmin.sign_in("root@d00.example", SECRET)
    page = postfixadmin.get("list-virtual.php?domain=d00.example")
    assert NEW_MAILBOX in page
    assert "all@d00.example" in page
    assert "Changed" in postfixadmin.get("list.php?table=domain")


def test_the_way_back_leaves_the_tables_of_postfixadmin_alone(returned, before):
    columns, _content = before
    assert set(returned.database.tables()) >= set(columns)
    assert [name for name in returned.database.tables() if name.startswith("mailadmin_")] == []
    assert returned.database.value("SELECT value FROM config WHERE name = 'version'") == "1847"


def test_nothing_is_lost_on_the_way_back(returned, before, postfixadmin):
    columns, content = before
    lost = set(content) - set(returned.database.content(columns))
    touched = (name_domain(1), name_domain(2), "d00.example")
    strange = [row for row in lost if not any(name in bytes_of(row) for name in touched)]
    assert strange == []
    assert len(lost) < 20


def bytes_of(row):
    """Return the text of a row whose values are in hexadecimal."""
    values = [value for value in row[1:] if value != "NULL"]
    return " ".join(bytes.fromhex(value).decode("utf-8", "replace") for value in values)


def test_postfixadmin_works_again_on_its_own(returned, postfixadmin):
    assert "Logged in as root@d00.example" in postfixadmin.sign_in("root@d00.example", SECRET)
    page = postfixadmin.sign_in("carla@d00.example", SECRET, "users/login.php")
    assert "Logged in as carla@d00.example" in page
    done = call(postfixadmin, f"domain view {NEW_DOMAIN}")
    assert (done.returncode, NEW_DOMAIN in done.stdout) == (0, True)
    done = call(postfixadmin, f"mailbox update {NEW_MAILBOX} --name Karla")
    assert done.returncode == 0, done.stdout
    assert "updating" not in postfixadmin.upgrade()
