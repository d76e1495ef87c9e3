"""README and docs: every command works, links resolve, the site builds, settings are complete."""

import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from unittest import mock

import pytest
import yaml

import mailadmin
from mailadmin import conf, passwords
from mailadmin.conf.settings_page import generate_settings
from mailboxes.models import Plan
from tests import documentation
from tests.base import PASSWORD
from tests.mailboxes.sample_configurations import configuration
from tests.programs import command
from tests.test_settings import panel

ROOT = conf.BASE_DIR
ISPMAIL_DUMP = """
CREATE TABLE `virtual_domains` (`id` int(11), `name` varchar(50));
INSERT INTO `virtual_domains` VALUES (1,'example.com');
CREATE TABLE `virtual_users` (
  `id` int(11), `domain_id` int(11), `email` varchar(100), `password` varchar(150)
);
INSERT INTO `virtual_users` VALUES (1,1,'carol@example.com','{PLAIN}correct-horse-42');
CREATE TABLE `virtual_aliases` (
  `id` int(11), `domain_id` int(11), `source` varchar(100), `destination` varchar(100)
);
INSERT INTO `virtual_aliases` VALUES (1,1,'info@example.com','carol@example.com');
"""

# Run by another test: what the command begins with → that test. The longest one counts.
TESTED_BY = {
    "deploy/run": "tests/test_deploy.py::test_one_command_serves_the_panel_to_its_first_superadmin",
    '"$(deploy/python)" deploy/install.py': "tests/upgrade_steps::reinstall)",
    "adduser --system --group": "tests/upgrade_steps::adduser --quiet --system --group",
    "doveconf": "tests/upgrade_steps::doveconf >/dev/null",
    'eval "$(mailadmin completion bash)"': (
        "tests/mailadmin/test_commands.py::test_bash_completes_an_address_as_one_word"
    ),
    "mailadmin compat-views": (
        "tests/mailboxes/transfer/legacy_views/test_command.py"
        "::test_views_are_created_once_and_removed_again"
    ),
    "mailadmin explain info@example.org --postfix": (
        "tests/mailboxes/test_external_maps.py::test_the_command_uses_the_files"
    ),
    "mailadmin import --from ispmail --source mysql:": (
        "tests/mailboxes/transfer/test_ispmail.py::test_a_live_database_is_read_like_its_dump"
    ),
    "mailadmin mailserver check": (
        "tests/mailboxes/test_checks_command.py::test_no_findings_are_reported_with_status_0"
    ),
    "mailadmin mailserver upgrade": (
        "tests/mailboxes/test_dovecot_converter.py::test_debians_files_with_sql_are_converted"
    ),
    "mailadmin mailserver verify --all": (
        "tests/mailboxes/verify/test_comparison.py::test_a_correct_server_has_no_differences"
    ),
    "python manage.py check --deploy": (
        "tests/test_settings.py::test_check_deploy_is_clean_with_an_https_address"
    ),
    "postqueue -f": "tests/upgrade_steps::postqueue -f",
    "rm -f /etc/dovecot/": "tests/upgrade_steps::rm -f /etc/dovecot/",
    "runuser -u mailadmin -- .venv/bin/mailadmin migrate": (
        "tests/test_adoption.py::test_a_fresh_sqlite_database_is_created_and_works"
    ),
    "runuser -u mailadmin -- .venv/bin/mailadmin firstadmin": (
        "tests/test_deploy.py::test_one_command_serves_the_panel_to_its_first_superadmin"
    ),
    "tests/run tests/test_cluster.py": "tests/test_cluster.py::def test_",
    "tests/bench/": "tests/test_bench.py::test_a_benchmark_finds_what_it_imports",
}
# They change a real machine, as root, and are the distribution's own; or they are this very run.
NOT_RUN = (
    "apt install ",
    "cd /opt/mailadmin",
    "cp -a /root/dovecot-2.4 /etc/dovecot",
    "cp deploy/",
    "editor /etc/mailadmin/mailadmin.env",
    "git clone …",
    "install -D -m 640 -g mailadmin deploy/mailadmin.env.example",
    "make ",
    "mariadb-dump --single-transaction mailadmin",
    "mv /etc/dovecot /etc/dovecot-2.3",
    "postconf -X soft_bounce",
    "postconf -e soft_bounce=yes",
    "systemctl ",
    "tar -czf /root/etc.tar.gz",
    "tests/fresh",
    "tests/run",
    "tests/upgrade",
)
# What a page takes for granted.
PREPARED = {
    "docs/api.md": ["domain add example.org"],
    "docs/import-export.md": ["domain add example.org"],
    "docs/mail-server.md": [
        "domain add example.org",
        "mailbox add bob@example.org --password-stdin < password",
        "alias add info@example.org --goto bob@example.org",
    ],
}


def find_listed(text, lists):
    """Return the longest beginning of a command that is listed, and is a word of its own."""
    found = [start for start in lists if text.startswith(start)]
    return max(found, key=len, default="")


def is_run_here(text):
    if text.startswith("mailadmin mailserver check --"):  # of copies; else of the machine itself
        return True
    return not find_listed(text, [*TESTED_BY, *NOT_RUN])


COMMANDS = documentation.find_commands()
RUN_HERE = [each for each in COMMANDS if is_run_here(each.text)]
ASSIGNMENT_RE = re.compile(r"(?:export )?(MAILADMIN_\w+)=")


# Commands


class Shell:
    """Runs the commands of one page: those of the panel in this process, others by bash."""

    def __init__(self, folder, url, capsys):
        self.folder, self.url, self.capsys = folder, url, capsys
        self.token = ""
        (folder / "password").write_text(f"{PASSWORD}\n")

    def run(self, text):
        """Run a command and return its output; fail if its status is not 0."""
        words = shlex.split(text)
        if words[:2] == ["python", "manage.py"]:
            return self.run_panel(words[2:])
        if words[0] == "mailadmin":
            return self.run_panel(self.replace_places(words[1:]))
        if ASSIGNMENT_RE.match(text):
            return self.check_settings(text)
        assert words[0] == "curl", f"is run by no test; see TESTED_BY and NOT_RUN: {text}"
        return self.run_curl(text)

    def run_panel(self, words):
        stdin = sys.stdin
        if "<" in words:
            words, stdin = words[:-2], (self.folder / words[-1]).open()
        argv = mock.patch.object(sys, "argv", ["mailadmin", *words])
        with argv, mock.patch.object(sys, "stdin", stdin):
            try:
                mailadmin.main()
            except SystemExit as stopped:
                assert not stopped.code, (words, self.capsys.readouterr().err)
        output = self.capsys.readouterr().out
        if found := re.search(r"mailadmin_[\w-]{20,}", output):
            self.token = found[0]
        return output

    def replace_places(self, words):
        """Use folders of this test instead of the machine's, and the plan that was made last."""
        words = [re.sub("^/(etc|root)/", f"{self.folder}/\\1/", word) for word in words]
        if words[0] == "import" and words[-1].isdigit():
            words[-1] = str(Plan.objects.latest("pk").pk)
        return words

    def check_settings(self, text):
        """Let bash assign the variable, and the panel read its value."""
        name = ASSIGNMENT_RE.match(text)[1]
        program = f'export {text.removeprefix("export ")}; printf %s "${name}"'
        value = self.run_bash(program)
        assert conf.read_settings({"MAILADMIN_ENV_FILE": "/dev/null", name: value})[name]

    def run_curl(self, text):
        for place in ("https://panel.example.org", "http://127.0.0.1:8000"):
            text = text.replace(place, self.url)
        text = text.replace("mailadmin_…", self.token).replace('"…"', f'"{PASSWORD}"')
        return self.run_bash(text.replace("curl ", "curl --silent --show-error --fail ", 1))

    def run_bash(self, text):
        shell = [command("bash"), "-euo", "pipefail", "-c", text]
        done = subprocess.run(shell, cwd=self.folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (text, done.stderr, done.stdout)
        return done.stdout


def prepare_files(folder):
    """Write the files that the pages name."""
    (folder / "mailserver.sql").write_text(ISPMAIL_DUMP)
    configuration(folder / "copy")
    for name in ("etc/postfix", "etc/dovecot", "root"):
        (folder / name).mkdir(parents=True)
    page = (ROOT / "docs/command-line.md").read_text("utf-8")
    (manifest,) = (text for language, text in documentation.blocks(page) if language == "yaml")
    stored = passwords.make_hash(PASSWORD, "bob@example.org", "BLF-CRYPT")
    manifest = manifest.replace("{BLF-CRYPT}$2y$…", stored)
    (folder / "domains.yaml").write_text(manifest, "utf-8")


@pytest.mark.parametrize("page", dict.fromkeys(each.page for each in RUN_HERE))
@pytest.mark.django_db(transaction=True)
def test_the_commands_of_a_page_work_in_their_order(
    page, live_server, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    prepare_files(tmp_path)
    shell = Shell(tmp_path, live_server.url, capsys)
    for text in PREPARED.get(page, []):
        shell.run(f"mailadmin {text}")
    for each in RUN_HERE:
        if each.page == page:
            shell.run(each.text)


def test_a_command_that_does_not_work_fails(tmp_path, capsys, db):
    shell = Shell(tmp_path, "", capsys)
    with pytest.raises(AssertionError):
        shell.run("mailadmin domain show no.example")
    with pytest.raises(AssertionError, match="is run by no test"):
        shell.run("frobnicate --all")
    with pytest.raises(SystemExit, match="MAILADMIN_BIND"):
        shell.run("export MAILADMIN_BIND=nonsense")


@pytest.mark.parametrize("place", dict.fromkeys(TESTED_BY.values()))
def test_commands_tested_elsewhere_have_that_test(place):
    path, _colons, name = place.partition("::")
    assert name in (ROOT / path).read_text("utf-8"), place


def test_every_listed_command_is_on_a_page():
    texts = [each.text for each in COMMANDS]
    listed = [*TESTED_BY, *NOT_RUN]
    unused = set(listed) - {find_listed(text, listed) for text in texts}
    assert unused == set()


def test_programs_of_the_repository_exist_and_are_executable():
    found = {each.text.split()[0] for each in COMMANDS}
    ours = {word for word in found if word.startswith(("tests/", "deploy/"))}
    assert [word for word in ours if not os.access(ROOT / word, os.X_OK)] == []


@pytest.mark.mariadb
def test_the_account_of_the_readme_can_migrate_a_database(mariadb, empty_database):
    """README and docs have the same statements; the account gets no other rights."""
    (readme, adopting) = (
        [each.text for each in documentation.find_commands("sql") if each.page == page]
        for page in ("README.md", "docs/adopting-postfixadmin.md")
    )
    assert readme == adopting
    name = empty_database.rpartition("/")[2].partition("?")[0]
    account = f"'docs_{os.getpid()}'@'127.0.0.1'"
    for statement in readme:
        statement = statement.replace("'mailadmin'@'localhost'", account)
        mariadb.execute(statement.replace("…", PASSWORD).replace(" postfix.", f" `{name}`."))
    url = f"mysql://docs_{os.getpid()}:{PASSWORD}@127.0.0.1:{mariadb.port}/{name}"
    migrated = panel("manage.py", "migrate", "--verbosity", "0", MAILADMIN_DATABASE_URL=url)
    mariadb.execute(f"DROP USER {account}")
    assert migrated.returncode == 0, migrated.stderr


# Pages


def test_every_block_names_its_language():
    known = {documentation.COMMANDS, documentation.STATEMENTS, *documentation.OTHER_LANGUAGES}
    for path in documentation.find_pages():
        found = {language for language, _text in documentation.blocks(path.read_text("utf-8"))}
        assert found <= known, path.name


def test_commands_are_split_at_lines_and_rid_of_comments():
    block = "one --x   # why\n\n# nothing\ntwo \\\n    --y '#3'\n"
    assert documentation.split_commands(block) == ["one --x", "two --y '#3'"]
    text = "1. Do:\n\n   ```sh\n   one\n   ```\n"
    assert documentation.blocks(text) == [("sh", "one\n")]


@pytest.mark.parametrize("path", documentation.find_pages(), ids=documentation.page_name)
def test_links_lead_to_files_and_headings(path):
    for link in documentation.find_links(path):
        name, _sign, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        assert ROOT in target.parents, link
        assert not anchor or anchor in documentation.heading_anchors(target), link


def test_the_readme_fits_on_a_screen_and_a_half():
    assert len((ROOT / "README.md").read_bytes()) < 7000


def test_the_settings_page_is_the_generated_one():
    """`make docs` or `python -m mailadmin.conf docs/settings.md` writes it."""
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    assert page == generate_settings(page)
    assert page.count("\n| `MAILADMIN_") == len(conf.SETTINGS)
    assert "Other settings" not in page, "name its topic in mailadmin/conf/settings_page.py"


def test_every_setting_that_a_page_names_exists():
    declared = {setting.name for setting in conf.SETTINGS}
    declared |= {f"{setting.name}_FILE" for setting in conf.SETTINGS if setting.secret}
    others = {"MAILADMIN_ENV_FILE", "MAILADMIN_TEST_DATABASE", "MAILADMIN_TEST_DEBIAN"}
    for path in documentation.find_pages():
        named = set(re.findall(r"\bMAILADMIN_[A-Z_]*[A-Z]", path.read_text("utf-8")))
        assert named - declared - others == set(), path.name


# The site


class ResourceParser(HTMLParser):
    """Collects what a browser loads with a page."""

    def __init__(self):
        super().__init__()
        self.loaded = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "link" and values.get("rel") in ("canonical", "next", "prev"):
            return
        loads = {"link": "href", "script": "src", "img": "src", "iframe": "src"}
        self.loaded.append(values.get(loads.get(tag)) or "")


def build_site(folder):
    program = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    built = subprocess.run(
        [*program, "--site-dir", folder], cwd=ROOT, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    return sorted(Path(folder).rglob("*.html"))


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path):
    pages = build_site(tmp_path)
    assert {"index.html", "settings.html", "2026-11-20.html"} <= {page.name for page in pages}
    for page in pages:
        parser = ResourceParser()
        parser.feed(page.read_text("utf-8"))
        assert [each for each in parser.loaded if re.match(r"(\w+:)?//", each)] == [], page.name
    for sheet in tmp_path.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//|@import", sheet.read_text("utf-8")), sheet


# Contributors


def test_hooks_have_the_versions_of_the_lock_file():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    lock = dict(re.findall(r"^(\S+)==(\S+)", (ROOT / "tests/requirements.lock").read_text(), re.M))
    found = {each["repo"].rpartition("/")[2].split("-")[0]: each for each in hooks}
    for name in ("ruff", "djade"):
        assert found[name]["rev"].removeprefix("v") == lock[name]


def test_yaml_files_are_valid_and_the_matrix_has_both_databases():
    files = [*(ROOT / ".github").rglob("*.yml"), ROOT / "mkdocs.yml"]
    parsed = {path.name: yaml.safe_load(path.read_text()) for path in files}
    job = parsed["tests.yml"]["jobs"]["tests"]
    assert job["strategy"]["matrix"]["database"] == ["sqlite", "mariadb"]
    assert any(step.get("run", "").startswith("tests/run ") for step in job["steps"])


def test_the_makefile_has_the_documented_targets():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {each.text.split()[1] for each in COMMANDS if each.text.startswith("make ")}
    assert named <= targets
    assert {"run", "test", "lint", "messages", "docs", "lock"} <= targets
