"""`mailserver upgrade`: the command, and the files that it writes."""

import errno
import grp
import os
import re
import stat

import pytest
from django.core.management import CommandError

from mailboxes.mailserver.converter.database import render_connection
from mailboxes.mailserver.generator import disk
from tests.mailboxes.dovecot_upgrade import (
    HERE,
    configuration,
    debian_12,
    lines_of,
    texts_of,
    upgrade,
)


def test_passwords_are_not_shown_and_written_with_restricted_permissions(tmp_path):
    folder = debian_12(tmp_path)
    new = tmp_path / "new"
    assert "for-dovecot" not in upgrade(folder)
    assert "for-dovecot" not in upgrade(folder, f"--output={new}")
    assert "for-dovecot" not in (new / "dovecot.conf").read_text()
    secret = new / "dovecot-sql-connection.conf.ext"
    assert "password = for-dovecot" in secret.read_text()
    assert mode_of(secret) == 0o640
    assert mode_of(new / "dovecot.conf") == 0o644
    names_of_2_3 = {path.name for path in texts_of(folder)}
    assert {path.name for path in new.iterdir()} & names_of_2_3 == {"dovecot.conf"}


def test_bytes_that_are_not_utf_8_are_converted_unchanged(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    (old / "dovecot.conf").write_bytes(b"protocols = imap\nlogin_greeting = Gr\xfc\xdfe\n")
    upgrade(old, f"--output={new}")
    assert b"login_greeting = Gr\xfc\xdfe\n" in (new / "dovecot.conf").read_bytes()


@pytest.mark.parametrize("failing", ["set_permissions", "Path.replace"])
def test_a_failed_write_leaves_no_temporary_file(failing, tmp_path, monkeypatch):
    def fail(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device", "dovecot.conf")

    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    folder = configuration(old, "protocols = imap\n")
    with monkeypatch.context() as patch:
        patch.setattr(f"{disk.__name__}.{failing}", fail)
        with pytest.raises(CommandError, match="No space left"):
            upgrade(folder, f"--output={new}")
    assert list(new.iterdir()) == []
    upgrade(folder, f"--output={new}")


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    "text, closed, mode",
    [
        ("mail_home = /x", "", 0o644),
        ("mail_home = /x", "dovecot.conf", 0o640),
        ("mail_home = /x", "more.conf", 0o640),
        ("doveadm_password = x", "", 0o640),
        ("doveadm_api_key = x", "", 0o640),
        ("passdb {\n driver = static\n args = password=x\n}", "", 0o640),
        ("passdb {\n driver = static\n args = nopassword=y\n}", "", 0o644),
    ],
)
def test_restricted_and_secret_files_are_written_with_restricted_permissions(
    text, closed, mode, tmp_path
):
    head = "protocols = imap\n!include more.conf\n"
    more = {"more.conf": "login_greeting = x\n"}
    folder = configuration(tmp_path, f"{head}{text}\n", **more)
    if closed:
        (folder / closed).chmod(0o600)
    upgrade(folder, f"--output={tmp_path}/new")
    path = tmp_path / "new/dovecot.conf"
    assert mode_of(path) == mode
    if mode == 0o640 and os.geteuid() == 0 and "dovecot" in groups():
        assert path.group() == "dovecot"


def groups():
    return {group.gr_name for group in grp.getgrall()}


WITH_PASSWORDS = """\
protocols = imap
doveadm_password = for-doveadm
imapc_password = for-doveadm
ssl_key_password = for-doveadm
doveadm_api_key = for-doveadm
auth_policy_hash_nonce = for-doveadm
auth_policy_server_api_header = for-doveadm
passdb {
  driver = static
  args = nopassword=y password=for-static
}
passdb {
  driver = static
  args = x=y
  override_fields = y=z pass=for-fields password=for-fields
}
"""


@pytest.mark.parametrize(
    "options", [(), ("--json",), ("--output={0}",), ("--output={0}", "--json")]
)
def test_no_password_of_any_setting_is_shown(options, tmp_path):
    folder = configuration(tmp_path, WITH_PASSWORDS)
    output = upgrade(folder, *(each.format(tmp_path / "new") for each in options))
    assert "password = ********" in output
    assert "nopassword = y" in output
    assert not re.findall("for-(?:doveadm|static|fields)", output)


GUARDS = [
    "driver = ldap\n  args = /x\n  deny = yes",
    "driver = checkpassword\n  args = /x\n  result_failure = return-fail",
    "driver = sql\n  args = {0}/none\n  deny = yes",
    "driver = pam\n  override_fields = allow_nets=10.0.0.0/8 x=%q",
]


@pytest.mark.parametrize("text", GUARDS)
def test_nothing_is_written_if_denied_users_could_log_in(text, tmp_path, capsys):
    (tmp_path / "none").write_text("driver = mysql\npassword_query = CALL denied('%u')\n")
    text = f"protocols = imap\npassdb {{\n  {text.format(tmp_path)}\n}}\n"
    folder, new = configuration(tmp_path, text), tmp_path / "new"
    with pytest.raises(CommandError, match="deny access.*dovecot.conf:2"):
        upgrade(folder, f"--output={new}")
    assert not new.exists()
    assert "NOT CONVERTED" in upgrade(folder)
    upgrade(folder, f"--output={new}", "--force")
    assert new.exists()


def test_a_deny_passdb_is_converted(tmp_path):
    text = "passdb {\n driver = passwd-file\n args = /etc/denied\n deny = yes\n}\n"
    upgrade(configuration(tmp_path, text), f"--output={tmp_path}/new")
    assert "deny = yes" in (tmp_path / "new/dovecot.conf").read_text()


def test_files_of_both_versions_are_named(tmp_path):
    text = "protocols = imap\nmail_path = ~/m\nmail_driver = maildir\n!include old.conf\n"
    files = {"old.conf": "first_valid_uid = 1\nplugin {\n quota = count:u\n}\n"}
    files["new.conf"] = "mysql localhost {\n}\n"
    folder = configuration(tmp_path, f"{text}!include new.conf\n", **files)
    with pytest.raises(CommandError, match=r"(dovecot|new).conf:\d.*old.conf:3.*backup"):
        upgrade(folder)


def test_each_line_is_named_with_its_file_and_number(tmp_path):
    lost = "old_stats_carbon_name = y\nmail_attachment_fs = sis-queue posix\n"
    folder = configuration(tmp_path, f"protocols = imap\nssl_dh = </x\n{lost}")
    output = upgrade(folder, f"--output={tmp_path}/new")
    assert output.splitlines() == [
        "dovecot.conf:2: ssl_dh = </x → ssl_server_dh_file = /x",
        "dovecot.conf:3: old_stats_carbon_name = y → not converted",
        "dovecot.conf:4: mail_attachment_fs = sis-queue posix →"
        " not converted (mail_ext_attachment { fs … })",
    ]


def test_the_folder_of_2_3_is_refused_as_output(tmp_path):
    folder = configuration(tmp_path, "protocols = imap\n")
    (tmp_path / "link").symlink_to(tmp_path)
    for place in (tmp_path, tmp_path / "link"):
        with pytest.raises(CommandError, match="Use a new folder"):
            upgrade(folder, f"--output={place}")
    assert (tmp_path / "dovecot.conf").read_text() == "protocols = imap\n"


def test_a_folder_that_has_other_files_is_refused(tmp_path):
    folder, new = configuration(tmp_path, "protocols = imap\n"), tmp_path / "new"
    new.mkdir()
    (new / "x.conf").write_text("x\n")
    with pytest.raises(CommandError, match="not empty: x.conf"):
        upgrade(folder, f"--output={new}")
    assert [path.name for path in new.iterdir()] == ["x.conf"]
    (new / "x.conf").unlink()
    upgrade(folder, f"--output={new}")
    with pytest.raises(CommandError, match="not empty: dovecot.conf"):
        upgrade(folder, f"--output={new}")


@pytest.mark.parametrize("place", ["dovecot.conf", "dovecot.conf/new", "/proc/new"])
def test_an_unwritable_folder_is_reported(place, tmp_path):
    folder = configuration(tmp_path, "protocols = imap\n")
    with pytest.raises(CommandError, match="(dovecot.conf|/proc/new).*: (Not a|No such)"):
        upgrade(folder, f"--output={tmp_path / place}")


def test_files_of_2_4_and_invalid_files_of_2_3_are_refused(tmp_path):
    with pytest.raises(CommandError, match="already for Dovecot 2.4"):
        upgrade(HERE / "configurations/modern/dovecot")
    with pytest.raises(CommandError, match="dovecot.conf:2"):
        upgrade(configuration(tmp_path, "protocols = imap\nnonsense\n"))


def test_different_connections_are_written_to_separate_files(tmp_path):
    text = "".join(
        f"{kind} {{\n  driver = sql\n  args = {tmp_path}/{kind}.ext\n}}\n"
        for kind in ("passdb", "userdb")
    )
    connect = "driver = mysql\nconnect = host=a host=b port=3307 dbname=m user={0} password={0}\n"
    files = {f"{kind}.ext": connect.format(kind) for kind in ("passdb", "userdb")}
    upgrade(configuration(tmp_path, text, **files), f"--output={tmp_path}/new")
    first = (tmp_path / "new/dovecot-sql-connection.conf.ext").read_text()
    assert first.count("user = passdb") == 1
    assert lines_of(first)[:3] == ["mysql database {", "host = a,b:3307", "dbname = m"]
    assert "user = userdb" in (tmp_path / "new/2-dovecot-sql-connection.conf.ext").read_text()


@pytest.mark.parametrize(
    ("driver", "connect", "expected"),
    [
        ("mysql", "port=3306 host=a host=b port=3307", "mysql database { host = a:3306,b:3307 }"),
        ("mysql", "port=3306 host=a", "mysql a { port = 3306 }"),
        ("pgsql", "host=a host=b port=3", "pgsql a { } pgsql b { port = 3 }"),
    ],
)
def test_several_mysql_hosts_become_one_block(driver, connect, expected):
    assert " ".join(" ".join(render_connection(driver, connect)).split()) == expected
