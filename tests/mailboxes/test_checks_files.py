"""`mailserver check`: files, services, paths and users."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailboxes.mailserver.checks import files, paths, rows, run_checks
from tests.mailboxes.sample_configurations import (
    NEW,
    SQL,
    VIRTUAL,
    add,
    change,
    clean,
    codes,
    configuration,
    main_cf,
)


def test_a_service_with_its_own_port_is_submission_too(tmp_path):
    edit = change("postfix/master.cf", "submissions inet", "192.0.2.1:465 inet")
    disabled = change("postfix/master.cf", "yes -o smtpd_sasl_auth_enable=yes", "yes")
    found = run_checks(configuration(tmp_path, edit, disabled))
    assert codes(found) == {"submission-without-login"}


def test_passwords_in_a_protected_folder_are_accepted(tmp_path):
    looked_at = configuration(tmp_path)
    (tmp_path / "postfix/sql/aliases.cf").chmod(0o644)
    (tmp_path / "postfix/sql").chmod(0o700)
    assert run_checks(looked_at) == []


@pytest.mark.parametrize(
    "text, path",
    [
        ("'/var/mail/%d/%n'", "/var/mail/%d/%n"),
        ("CONCAT('/var/mail/', m.maildir)", "/var/mail/{maildir}"),
        ("'/var/mail/' || domain || '/' || local_part", "/var/mail/%d/%n"),
        ("CONCAT(SUBSTRING_INDEX(email,'@',-1),'/',SUBSTRING_INDEX(email,'@',1),'/')", "%d/%n/"),
        ("CONCAT(SUBSTRING_INDEX(email,'.',-1),'/')", None),
        ("CONCAT('x', REPLACE(maildir, 'a', 'b'))", None),
        ("LOWER(`username`)", "%u"),
    ],
)
def test_paths_are_expanded_from_sql_expressions(text, path):
    assert paths.parse_path_expression(text) == path


@pytest.mark.parametrize(
    "text, path",
    [
        ("/v/%{user | domain}/%{user|username}/", "/v/%d/%n"),
        ("/v/%Ld/%Ln", "/v/%d/%n"),
        ("/v/%n@%d", "/v/%u"),
    ],
)
def test_variables_of_all_versions_are_equal(text, path):
    assert paths.normalize_path_pattern(text) == path


def test_a_column_of_unknown_content_is_not_compared_with_a_pattern(tmp_path):
    edit = change(SQL, "CONCAT('/var/vmail/', maildir) AS home", "'/var/vmail/%d/%u' AS home")
    assert clean(*VIRTUAL, edit, facts=rows.EMPTY_FACTS)(tmp_path / "unknown") == []
    found = run_checks(configuration(tmp_path / "known", *VIRTUAL, edit))
    assert codes(found) == {"two-mail-stores"}


@pytest.mark.parametrize(
    "edit",
    [
        add("dovecot/conf.d/10-mail.conf", "mail_uid = 200\n"),
        change(
            "dovecot/conf.d/auth-sql.conf.ext",
            "userdb {\n  driver = sql\n",
            "userdb {\n  driver = static\n  args = uid=200\n}\nuserdb {\n  driver = sql\n",
        ),
    ],
)
def test_a_user_is_found_in_every_setting(edit, tmp_path):
    assert codes(run_checks(configuration(tmp_path, edit))) == {"uid-below-first-valid"}


def test_a_user_given_by_name_is_accepted(tmp_path):
    assert clean(add("dovecot/conf.d/10-mail.conf", "mail_uid = vmail\n"))(tmp_path) == []


@pytest.mark.parametrize(
    "line",
    [
        "smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache",
        "smtpd_tls_session_cache_database = btree:$data_directory/smtpd_scache",
        "address_verify_map = proxy:btree:$data_directory/verify_cache",
        "postscreen_cache_map = btree:$data_directory/postscreen_cache",
    ],
)
def test_a_cache_created_by_postfix_is_not_missing(line, tmp_path):
    assert clean(main_cf(line))(tmp_path) == []


def test_etc_aliases_is_not_required_in_a_copied_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "is_path_missing", lambda path: str(path).startswith("/etc/aliases"))
    line = main_cf("alias_database = hash:/etc/aliases")
    assert clean(line)(tmp_path / "copy") == []
    monkeypatch.setattr(files, "POSTFIX_FOLDERS", [str(tmp_path / "live/postfix")])
    found = run_checks(configuration(tmp_path / "live", line))
    assert codes(found) == {"missing-map-file"}


def test_an_unreadable_file_is_not_reported_as_missing(tmp_path):
    union = change(
        "postfix/main.cf", "$sql/aliases.cf,", "$sql/aliases.cf, texthash:/etc/postfix/t"
    )
    looked_at = configuration(tmp_path, union)
    (tmp_path / "postfix/t").mkdir()  # which is a directory, unreadable even for root
    found = run_checks(looked_at)
    assert [(each.check.code, each.fault.about) for each in found] == [
        ("unreadable-file", "Is a directory")
    ]


FILE_SETTINGS = (
    "postfix/main.cf",
    "postfix/master.cf",
    "postfix/sql/senders.cf",
    "dovecot/dovecot.conf",
)
MUTILATED = ("dovecot/conf.d/10-mail.conf", SQL, *FILE_SETTINGS)


@given(
    st.sampled_from([*((name, "clean") for name in MUTILATED), (NEW, "modern")]),
    st.floats(0, 1),
    st.integers(0, 40),
    st.text("${}?:=<>()[]%'\"!#*\\ \0\t\n,-o@/²٣aé", max_size=12),
)
@settings(max_examples=100, deadline=None)
def test_the_check_terminates_on_any_input(file, where, cut, put):
    with tempfile.TemporaryDirectory() as folder:
        name, dovecot = file
        looked_at = configuration(Path(folder), dovecot=dovecot)
        path = Path(folder) / name
        text = path.read_text()
        at = int(where * len(text))
        path.write_text(text[:at] + put + text[at + cut :])
        assert isinstance(run_checks(looked_at), list)
