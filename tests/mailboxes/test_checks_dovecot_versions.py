"""`mailserver check`: files of another Dovecot, compared with the installed one."""

import contextlib
import json
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from mailboxes.mailserver.checks import Configuration, run_checks
from mailboxes.mailserver.checks.command import get_installed_version
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.names import (
    BLOCK_SETTINGS,
    FILE_SETTINGS,
    INVERTED_SETTINGS,
    QUOTA_SETTINGS,
    REMOVED_SETTINGS,
    RENAMED_SETTINGS,
    REPLACED_SETTINGS,
    SQL_FILE_SETTINGS,
)
from mailboxes.mailserver.config_parser.tree import FILTER_BLOCKS
from tests.dovecot_server import FIRST_LINES, only_with, version_tested
from tests.mailboxes.faults_dovecot_versions import VERSION_FAULTS
from tests.mailboxes.sample_configurations import NEW, broken_files, codes, configuration
from tests.programs import command


@pytest.mark.mailserver
@pytest.mark.parametrize(
    "broken", [each for each in VERSION_FAULTS if each.refused], ids=lambda broken: broken.code
)
def test_dovecot_2_4_refuses_the_found_faults(broken, tmp_path):
    only_with("2.4")
    broken_files(tmp_path, broken)
    said = doveconf(tmp_path / NEW)
    assert said.returncode != 0
    assert broken.refused in said.stderr


OLD_NAMES = (
    RENAMED_SETTINGS,
    FILE_SETTINGS,
    INVERTED_SETTINGS,
    REPLACED_SETTINGS,
    REMOVED_SETTINGS,
    SQL_FILE_SETTINGS,
    QUOTA_SETTINGS,
)


OLD = [
    *(("file", name) for table in OLD_NAMES for name in table),
    *((kind, name) for kind, names in BLOCK_SETTINGS.items() for name in names),
    *((kind, "quota_rule") for kind in FILTER_BLOCKS),
]
AROUND = {kind: f"{kind} 127.0.0.1 {{\n%s\n}}\n" for kind in FILTER_BLOCKS} | {
    "inet_listener": "service imap-login {\n  inet_listener x {\n%s\n}\n}\n",
    "mailbox": "namespace inbox {\n  mailbox X {\n%s\n}\n}\n",
    "namespace": "namespace inbox {\n%s\n}\n",
    "passdb": "passdb static {\n%s\n}\n",
    "service": "service imap {\n%s\n}\n",
    "userdb": "userdb static {\n%s\n}\n",
}


@pytest.mark.mailserver
@pytest.mark.parametrize("kind, name", sorted(OLD), ids=lambda word: word)
def test_2_4_does_not_accept_names_reported_as_old(kind, name, tmp_path):
    text = AROUND.get(kind, "%s\n") % f"{name} = x"
    if version_tested() == "2.4":
        (tmp_path / "dovecot.conf").write_text(FIRST_LINES["2.4"] + text)
        said = doveconf(tmp_path / "dovecot.conf").stderr
        assert f"Unknown setting: {name}" in said or "named list filter" in said
        found = run_checks(Configuration(dovecot_files=DovecotFiles(tmp_path)))
        assert codes(found) == {"setting-of-older-dovecot"}
    elif name not in {
        *SQL_FILE_SETTINGS,
        *QUOTA_SETTINGS,
    }:  # in files of their own, and in plugin { }
        (tmp_path / "dovecot.conf").write_text(text)
        assert "Unknown setting" not in doveconf(tmp_path / "dovecot.conf").stderr


@pytest.mark.django_db
def test_the_dovecot_version_of_a_copy_is_an_option(tmp_path):
    place = f"--dovecot={configuration(tmp_path).dovecot.directory}"
    for version, expected in (("2.4", {"files-for-another-dovecot"}), ("2.3", set())):
        found = run_check(place, f"--dovecot-version={version}")
        assert {each["code"] for each in found} & {"files-for-another-dovecot"} == expected
    assert "files-for-another-dovecot" not in {each["code"] for each in run_check(place)}


def run_check(*options):
    out = StringIO()
    with contextlib.suppress(SystemExit):
        call_command("mailserver", "check", "--json", *options, stdout=out, stderr=StringIO())
    return json.loads(out.getvalue())["findings"]


@pytest.mark.mailserver
def test_the_local_dovecot_version_is_detected(tmp_path):
    assert get_installed_version(DovecotFiles(Path("/etc/dovecot"))) == version_tested()
    assert get_installed_version(DovecotFiles(tmp_path)) == ""
    assert get_installed_version(None) == ""


def doveconf(path):
    words = [command("doveconf"), "-c", str(path), "-n"]
    return subprocess.run(words, capture_output=True, text=True)
