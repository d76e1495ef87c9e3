"""`mailserver upgrade`: conversion of Dovecot 2.3 files to equivalent files of 2.4."""

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailboxes.mailserver.checks import Configuration, run_checks
from mailboxes.mailserver.config_parser import dovecot
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.names import NEW_SETTINGS, RENAMED_PLUGIN_SETTINGS
from mailboxes.mailserver.converter.convert import Conversion
from mailboxes.mailserver.converter.plugin import UNCHANGED_SETTINGS
from mailboxes.mailserver.converter.render import iter_converted_lines, render_sections
from mailboxes.mailserver.generator import disk
from mailboxes.mailserver.generator.choices import MailServerOptions
from mailboxes.mailserver.generator.files import generate_files
from tests.dovecot_server import FIRST_LINES, only_with, version_tested
from tests.mailboxes.dovecot_upgrade import (
    FOLDERS,
    HERE,
    assert_accepted,
    configuration,
    debian_12,
    doveconf,
    lines_of,
    texts_of,
    upgrade,
)
from tests.mailservers import PASSWORDS
from tests.programs import command

# An error of the guides: no version of Dovecot understands d%.
LEFT = {"postfixadmin": 1, "postfixadmin-cram": 1}


# Whole folders


@pytest.fixture(params=FOLDERS)
def sample(request, tmp_path):
    """A copy of a guide's folder at the default location."""
    folder = tmp_path / "dovecot"
    shutil.copytree(FOLDERS[request.param], folder)
    for path in folder.rglob("*.conf*"):
        path.write_text(path.read_text().replace("/etc/dovecot/", f"{folder}/"))
    return folder, request.param.rpartition("/")[2]


def test_converted_guides_contain_no_2_3_settings(sample, tmp_path):
    folder, name = sample
    new = tmp_path / "new"
    lines = json.loads(upgrade(folder, f"--output={new}", "--json"))
    assert sum(each["is_lost"] for each in lines) == LEFT.get(name, 0)
    files = DovecotFiles(new)
    assert files.is_version_2_4 and files.problems == []
    found = run_checks(Configuration(dovecot_files=files))
    codes = {each.check.code for each in found}
    assert not {code for code in codes if "dovecot" in code}
    before = DovecotFiles(folder)
    assert len(files.passdbs()) == len(before.passdbs())
    assert len(files.userdbs()) == len(before.userdbs())


@pytest.mark.mailserver
def test_dovecot_2_4_accepts_converted_guides(sample, tmp_path):
    only_with("2.4")
    upgrade(sample[0], f"--output={tmp_path}/new")
    assert_accepted(tmp_path / "new")


def test_debians_files_with_sql_are_converted(tmp_path):
    folder = debian_12(tmp_path)
    lines = lines_of(upgrade(folder))
    assert lines[:2] == ["dovecot_config_version = 2.4.0", "dovecot_storage_version = 2.4.0"]
    assert "!include_try /usr/share/dovecot/protocols.d/*.protocol" in lines
    assert "mail_inbox_path = /var/mail/%{user}" in lines
    query = "query = SELECT userid AS user, password FROM users WHERE"
    query += " userid = '%{user | username}' AND domain = '%{user | domain}'"
    assert query in lines


def test_files_of_2_3_are_detected_with_2_4_installed(tmp_path, monkeypatch):
    """As after an upgrade of Debian that kept the files."""
    package = tmp_path / "package"
    package.mkdir()
    monkeypatch.setattr(dovecot, "PACKAGE_FOLDER", f"{package}/")
    (package / "imapd.protocol").write_text("protocols {\n  imap = yes\n}\n")
    folder = debian_12(tmp_path)
    path = folder / "dovecot.conf"
    path.write_text(path.read_text().replace("/usr/share/dovecot/protocols.d", str(package)))
    found = run_checks(Configuration(dovecot_files=DovecotFiles(folder), dovecot_version="2.4"))
    about = {each.check.code: each.fault.about for each in found}
    assert about["files-for-another-dovecot"] == "2.3 ≠ 2.4"
    lines = lines_of(upgrade(folder))
    assert f"!include_try {package}/*.protocol" in lines
    assert not any(line.startswith("protocols") for line in lines)


@pytest.mark.mailserver
def test_dovecot_2_4_accepts_debians_files_with_sql(tmp_path):
    only_with("2.4")
    upgrade(debian_12(tmp_path), f"--output={tmp_path}/new")
    assert_accepted(tmp_path / "new")


# Every setting


@pytest.mark.mailserver
def test_dovecot_2_4_accepts_every_converted_setting(tmp_path):
    all_of_them = (HERE / "doveconf-2.3.conf").read_text()
    folder = configuration(tmp_path, all_of_them)
    if version_tested() == "2.4":
        upgrade(folder, f"--output={tmp_path}/new")
        assert_accepted(tmp_path / "new")
        return
    words = [command("doveconf"), "-c", str(folder / "dovecot.conf"), "-a"]
    output = subprocess.run(words, capture_output=True, text=True).stdout
    names = re.findall(r"^(\w+) =", output, re.M)
    assert len(names) > 250
    assert {name for name in names if f"\n{name} =" not in all_of_them} == set()


@pytest.mark.mailserver
def test_converted_plugin_settings_exist_in_2_4(tmp_path):
    only_with("2.4")

    def is_unknown(name):
        text = f"{FIRST_LINES['2.4']}{name} = x\n"
        return f"Unknown setting: {name}" in doveconf(configuration(tmp_path, text)).stderr

    assert is_unknown("sieve_max_everything")
    assert [
        name
        for name in sorted(UNCHANGED_SETTINGS | {*RENAMED_PLUGIN_SETTINGS.values()})
        if is_unknown(name)
    ] == []


# Settings left to the operator although they have their default.
NOT_CONVERTED = {
    "part of 2.4 no more": "auth_stats config_cache_size director_max_parallel_kicks"
    " director_max_parallel_moves director_output_buffer_size director_ping_idle_timeout"
    " director_ping_max_timeout director_user_expire director_user_kick_delay"
    " director_username_hash old_stats_carbon_interval old_stats_command_min_time"
    " old_stats_domain_min_time old_stats_ip_min_time old_stats_memory_limit"
    " old_stats_session_min_time old_stats_user_min_time replication_dsync_parameters"
    " replication_full_sync_interval replication_max_conns replicator_host replicator_port"
    " service",  # old-stats
    "said in another way": "auth_policy_server_timeout_msecs auth_worker_max_count"
    " imapc_ssl_verify",
    "a list with variables or signs of its own": "auth_policy_request_attributes imap_id_send"
    " import_environment",
    "letters of its own": "deliver_log_format imap_logout_format login_log_format"
    " login_log_format_elements pop3_logout_format rejection_reason rejection_subject",
    "a condition": "postmaster_address",
}


def test_settings_left_unconverted_are_listed(tmp_path):
    all_of_them = (HERE / "doveconf-2.3.conf").read_text()
    lines = json.loads(upgrade(configuration(tmp_path, all_of_them), "--json"))
    lost = [each["text"].split()[0] for each in lines if each["is_lost"]]
    assert sorted(lost) == sorted(" ".join(NOT_CONVERTED.values()).split())
    assert set(re.findall(r"\w+(?= =)", all_of_them)) & NEW_SETTINGS == set()
    numbers = {each["number"] for each in lines}
    for number, line in enumerate(all_of_them.splitlines(), 1):
        assert number in numbers or not re.match(r"\w+ =", line), line
    about = {each["text"].split()[0]: each["about"] for each in lines if each["is_lost"]}
    for name in NOT_CONVERTED["said in another way"].split():
        assert about[name]


# Files written by the panel


@pytest.mark.mailserver
@pytest.mark.parametrize("delivery", ["lmtp", "lda"])
@pytest.mark.django_db
def test_dovecot_2_4_accepts_the_converted_configuration_of_the_panel(delivery, tmp_path):
    only_with("2.4")
    folder = tmp_path / "dovecot"
    choices = MailServerOptions(
        dovecot_version="2.3",
        dovecot_directory=str(folder),
        delivery=delivery,
        sieve=True,
        certificate="/etc/hostname",
        key="/etc/hostname",
        passwords=PASSWORDS,
    )
    for change in disk.iter_file_changes(generate_files(choices), {"dovecot": folder}):
        disk.write_change(change)
    lines = json.loads(upgrade(folder, f"--output={tmp_path}/new", "--json"))
    assert not [each for each in lines if each["is_lost"]]
    assert_accepted(tmp_path / "new")


# Arbitrary input

NOISE = "${}?:=<>()[]%'\"!#*\\ \0\t\n,-o@/²٣aé"


@given(
    st.sampled_from([(name, path.name) for name in FOLDERS for path in texts_of(FOLDERS[name])]),
    st.floats(0, 1),
    st.integers(0, 40),
    st.text(NOISE, max_size=12),
)
@settings(max_examples=100, deadline=None)
def test_the_conversion_terminates_on_any_input(file, where, cut, put):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "dovecot"
        shutil.copytree(FOLDERS[file[0]], folder)
        path = next(folder.rglob(file[1]))
        text = path.read_text()
        at = int(where * len(text))
        path.write_text(text[:at] + put + text[at + cut :])
        sections = Conversion(DovecotFiles(folder)).sections()
        assert "\n".join(render_sections(sections, folder))
        list(iter_converted_lines(sections))
