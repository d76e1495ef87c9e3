"""`mailserver check`: the command."""

import json
import os
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.base import World
from tests.mailboxes.sample_configurations import SQL, change, configuration, main_cf


def run(*arguments):
    out, err = StringIO(), StringIO()
    status = 0
    try:
        call_command("mailserver", "check", *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        status = end.code
    return status, out.getvalue(), err.getvalue()


class CommandTests(World):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    def check(self, *edits, options=(), **samples):
        configuration(self.folder, *edits, **samples)
        folders = [f"--{name}={self.folder / name}" for name in ("postfix", "dovecot")]
        return run(*folders, *options)

    def test_no_findings_are_reported_with_status_0(self):
        status, out, err = self.check()
        self.assertEqual((status, out, err), (0, "No problems found.\n", ""))

    def test_a_finding_has_code_file_line_reason_and_fix(self):
        status, out, _err = self.check(main_cf("myorigin = example.org"))
        self.assertEqual(status, 0)  # a warning
        self.assertIn("WARNING: The host's own name is a virtual domain", out)
        self.assertIn("[system-mail-into-virtual-domain]", out)
        self.assertIn(f"{self.folder}/postfix/main.cf:28  (myorigin: example.org)", out)
        self.assertIn("| myorigin = example.org", out)
        self.assertIn("Why: Mail to root", out)
        self.assertIn("Fix: Set myhostname", out)

    def test_an_error_ends_with_1(self):
        edit = change("postfix/main.cf", "= localhost", "= localhost $myhostname example.com")
        status, out, _err = self.check(edit)
        self.assertEqual(status, 1)
        self.assertIn("(example.com)", out)

    def test_json_output_has_the_same_findings(self):
        status, out, _err = self.check(main_cf("myorigin = example.org"), options=["--json"])
        answer = json.loads(out)
        self.assertIs(answer["database"], True)
        [found] = answer["findings"]
        self.assertEqual(found["code"], "system-mail-into-virtual-domain")
        self.assertEqual((found["line"], found["severity"]), (28, "warning"))

    def test_passwords_are_masked(self):
        opened = [
            lambda folder, file=file: (folder / file).chmod(0o644)
            for file in ("postfix/sql/aliases.cf", SQL)
        ]
        for options in ([], ["--json"]):
            status, out, err = self.check(*opened, options=options)
            self.assertEqual(status, 1)
            self.assertIn("password = ********", out)
            self.assertIn("user=dovecot password=********", out)
            self.assertNotIn("for-postfix", out + err)
            self.assertNotIn("pa$$word", out + err)
            shutil.rmtree(self.folder / "postfix")
            shutil.rmtree(self.folder / "dovecot")

    def test_one_folder_may_be_checked_alone(self):
        configuration(self.folder)
        self.assertEqual(run(f"--dovecot={self.folder}/dovecot")[0], 0)

    def test_a_missing_folder_is_named(self):
        with self.assertRaisesMessage(
            CommandError, "There is no folder /nowhere/postfix."
        ) as caught:
            run("--postfix=/nowhere/postfix")
        self.assertEqual(caught.exception.returncode, 2)

    def test_an_unrelated_folder_is_refused(self):
        with self.assertRaisesMessage(CommandError, "Cannot read dovecot.conf in"):
            run(f"--dovecot={self.folder}")


def test_files_are_checked_without_a_database(tmp_path):
    configuration(tmp_path, main_cf("this is no setting"))
    environment = os.environ | {"MAILADMIN_DATABASE_URL": f"sqlite://{tmp_path}/empty.sqlite3"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    ended = subprocess.run(
        [sys.executable, "manage.py", "mailserver", "check", f"--postfix={tmp_path}/postfix"],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "[broken-line]" in ended.stdout
    assert "The database does not answer, so only the files were checked." in ended.stderr
    assert ended.returncode == 1
