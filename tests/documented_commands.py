"""Commands of the documentation, and a shell that runs them."""

import re
import shlex
import subprocess
import sys
from unittest import mock

import mailadmin
from mailadmin import conf, passwords
from mailboxes.models import Plan
from tests import documentation
from tests.base import PASSWORD
from tests.mailboxes.sample_configurations import configuration
from tests.programs import command

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
    "mariadb-dump --single-transaction postfix ": "tests/test_switch.py::mariadb-dump",
    '"$(deploy/python)" deploy/install.py manage.py settings-from-postfixadmin': (
        "tests/test_switch.py::test_the_configuration_is_converted_whole"
    ),
    ".venv/bin/mailadmin migrate": "tests/test_switch.py::test_no_row_is_changed_by_the_switch",
    "mariadb --batch": "tests/test_switch.py::mariadb --batch",
    "(echo 'SET foreign_key_checks": (
        "tests/test_switch.py::test_the_way_back_leaves_the_tables_of_postfixadmin_alone"
    ),
    "doveconf": "tests/upgrade_steps::doveconf >/dev/null",
    'eval "$(mailadmin completion bash)"': (
        "tests/mailadmin/test_commands.py::test_bash_completes_an_address_as_one_word"
    ),
    "mailadmin backup": "tests/mailadmin/backup/test_backup.py::test_the_commands",
    "mailadmin broadcast": "tests/mailboxes/broadcasts/test_broadcasts.py::test_the_command",
    "mailadmin compat-views": (
        "tests/mailboxes/transfer/legacy_views/test_command.py"
        "::test_views_are_created_once_and_removed_again"
    ),
    "mailadmin explain info@example.org --postfix": (
        "tests/mailboxes/test_external_maps.py::test_the_command_uses_the_files"
    ),
    "mailadmin fetchmail run": (
        "tests/mailboxes/fetchmail/test_runner.py::test_mail_is_moved_into_the_mailbox"
    ),
    "mailadmin maildirs restore": (
        "tests/mailboxes/maildirs/test_maildirs.py"
        "::test_a_maildir_is_restored_with_its_times_unless_something_is_there"
    ),
    "mailadmin maildirs run": (
        "tests/mailboxes/maildirs/test_maildirs.py"
        "::test_a_dry_run_says_what_would_be_done_and_does_nothing"
    ),
    "mailadmin migrate": (
        "tests/test_adoption.py::test_a_fresh_sqlite_database_is_created_and_works"
    ),
    "mailadmin restore": "tests/mailadmin/backup/test_backup.py::test_the_commands",
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
        "tests/test_settings_production.py::test_check_deploy_is_clean_with_an_https_address"
    ),
    "mailadmin settings-from-postfixadmin": (
        "tests/mailboxes/postfixadmin/test_settings_from_postfixadmin.py"
        "::test_the_panel_starts_with_what_is_printed"
    ),
    "mariadb < deploy/mailadmin-maildirs.sql": (
        "tests/mailboxes/maildirs/test_maildir_accounts.py"
        "::test_it_works_with_these_rights_and_has_no_others"
    ),
    "runuser -u vmail -- env": (
        "tests/mailboxes/maildirs/test_maildir_accounts.py"
        "::test_it_works_with_these_rights_and_has_no_others"
    ),
    "install -d -m 700 /tmp/bob": (
        "tests/mailboxes/maildirs/test_delivered_mail.py::test_an_archive_is_imported"
    ),
    "doveadm import": (
        "tests/mailboxes/maildirs/test_delivered_mail.py::test_an_archive_is_imported"
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
    "editor /etc/mailadmin/maildirs.env",
    "git clone …",
    "install -D -m 640 -g mailadmin deploy/mailadmin.env.example",
    "install -D -m 640 -g vmail deploy/maildirs.env.example",
    "install -d -m 700 -o vmail",
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
    "docs/dkim.md": ["domain add example.org"],
    "docs/import-export.md": ["domain add example.org"],
    "docs/mail-programs.md": ["domain add example.org"],
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
        found = conf.read_settings({"MAILADMIN_ENV_FILE": "/dev/null", name: value})
        assert found.get(name, value)

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
    (folder / "mailadmin.env").touch()
    configuration(folder / "copy")
    for name in ("etc/postfix", "etc/dovecot", "root"):
        (folder / name).mkdir(parents=True)
    page = (ROOT / "docs/command-line.md").read_text("utf-8")
    (manifest,) = (text for language, text in documentation.blocks(page) if language == "yaml")
    stored = passwords.make_hash(PASSWORD, "bob@example.org", "BLF-CRYPT")
    manifest = manifest.replace("{BLF-CRYPT}$2y$…", stored)
    (folder / "domains.yaml").write_text(manifest, "utf-8")
