"""The generated configuration of Postfix and Dovecot."""

import grp
import io
import shutil
import stat

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from domains.models import Domain
from mailadmin.conf.urls import parse_database_url
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.generator.choices import MailServerOptions
from mailboxes.mailserver.generator.files import generate_files
from mailboxes.mailserver.routing_config import find_delivery_agents
from mailboxes.postfix.dovecot_queries import LOGIN_CHARS
from mailboxes.postfix.routing import build_panel_config
from tests import mailservers
from tests.mailboxes.generated_files import DOVECOT, MAPS, NAME, config, secrets_in, texts, written
from tests.mailboxes.test_generator_page import IS_MYSQL
from tests.mailservers import PASSWORDS


@pytest.mark.django_db
def test_the_panel_knows_the_services_and_logins_of_its_files(tmp_path):
    files = {
        f"{file.server}/{file.name}": file.text
        for file in generate_files(MailServerOptions(passwords=PASSWORDS))
    }
    for name in ("main.cf", "master.cf"):
        (tmp_path / name).write_text(files[f"postfix/{name}"])
    found = find_delivery_agents(PostfixFiles(tmp_path))
    known = build_panel_config().delivery_agents
    assert found.keys() == known.keys()
    assert {name for name, trouble in found.items() if trouble} == {"virtual"}
    assert {name for name, trouble in known.items() if trouble} == {"virtual"}
    for version in ("2.3", "2.4"):
        texts = [
            file.text
            for file in generate_files(
                MailServerOptions(passwords=PASSWORDS, dovecot_version=version)
            )
        ]
        assert any(f'auth_username_chars = "{LOGIN_CHARS}"' in text for text in texts)


@pytest.mark.parametrize("version", ["2.3", "2.4"])
@pytest.mark.django_db
def test_exactly_the_listed_files_are_written(folders, version):
    said = config(folders, f"--dovecot-version={version}")
    own = {f"{name}.cf" for name in MAPS} | {"postconf.sh", "autoreply.env"}
    own |= {"accounts.sql"} if IS_MYSQL else set()
    expected = {"postfix/main.cf", "postfix/master.cf", *(f"postfix/mailadmin/{n}" for n in own)}
    expected |= {f"dovecot/{name}" for name in DOVECOT[version]}
    assert set(written(folders)) == expected
    assert f"{len(expected)} files written." in said
    assert "Next steps, as root:" in said


@pytest.mark.mariadb
@mailservers.needs_root
@pytest.mark.parametrize("version", ["2.3", "2.4"])
@pytest.mark.django_db
def test_secrets_are_readable_only_by_their_users(folders, version):
    config(folders, f"--dovecot-version={version}", "--autoreply-group=nogroup")
    secrets = [secret.encode() for secret in secrets_in(folders)]
    assert len(secrets) == 4
    groups = {"postfix": "postfix", "dovecot": "dovecot"}
    own = {"postfix/mailadmin/accounts.sql": "root", "postfix/mailadmin/autoreply.env": "nogroup"}
    for name, path in written(folders).items():
        mode = stat.S_IMODE(path.stat().st_mode)
        assert path.stat().st_uid == 0
        if not any(secret in path.read_bytes() for secret in secrets):
            assert mode == 0o644, name
            continue
        group = own.get(name) or groups[name.partition("/")[0]]
        assert grp.getgrgid(path.stat().st_gid).gr_name == group, name
        assert mode == (0o600 if group == "root" else 0o640), name


@pytest.mark.django_db
def test_a_second_run_changes_nothing_and_keeps_the_passwords(folders):
    config(folders)
    before = texts(folders)
    said = config(folders)
    assert texts(folders) == before
    assert "0 files written." in said
    assert "---" not in said


@pytest.mark.django_db
def test_dovecot_alone_is_written_with_the_existing_passwords(folders):
    config(folders)
    before = texts(folders)
    shutil.rmtree(folders["dovecot"])
    if IS_MYSQL:
        with pytest.raises(CommandError, match="accounts.sql"):
            config({"dovecot": folders["dovecot"]})
        assert not folders["dovecot"].exists()
        return
    config({"dovecot": folders["dovecot"]})
    assert texts(folders) == before


@pytest.mark.parametrize("version", ["2.3", "2.4"])
@pytest.mark.django_db
def test_files_that_differ_are_shown_without_passwords_and_kept(folders, version):
    config(folders, f"--dovecot-version={version}", "--autoreply-group=nogroup")
    secrets = secrets_in(folders) if IS_MYSQL else set()
    altered = {}
    for name, path in written(folders).items():
        if name.endswith("accounts.sql"):
            continue
        text = path.read_text()
        for secret in secrets:
            text = text.replace(secret, f"0ld{secret[3:]}")
        path.write_text(f"# mine\n{text}")
        altered[name] = path.read_bytes()
    out = io.StringIO()
    with pytest.raises(CommandError, match="--overwrite") as error:
        places = [f"--{name}={folder}" for name, folder in folders.items()]
        version = f"--dovecot-version={version}"
        call_command("mailserver", "config", f"--hostname={NAME}", version, *places, stdout=out)
    assert error.value.returncode == 1
    assert out.getvalue().count("\n-# mine") == len(altered)
    for secret in secrets:
        assert secret not in out.getvalue() + str(error.value)
        assert secret[3:] not in out.getvalue() + str(error.value)
    assert {name: path.read_bytes() for name, path in written(folders).items()} | altered == texts(
        folders
    )


@pytest.mark.django_db
def test_overwrite_replaces_files_that_differ(folders):
    config(folders)
    before = texts(folders)
    (folders["postfix"] / "main.cf").write_text("# mine\n")
    said = config(folders, "--overwrite")
    assert "-# mine" in said
    assert "1 file written." in said
    assert texts(folders) == before


@pytest.mark.django_db
def test_a_plan_shows_and_writes_nothing(folders):
    said = config(folders, "--plan")
    assert "new: " in said
    assert not written(folders)
    config(folders)
    main = folders["postfix"] / "main.cf"
    main.write_text("# mine\n")
    assert "-# mine" in config(folders, "--plan")
    assert main.read_text() == "# mine\n"


@pytest.mark.django_db
def test_permissions_of_a_readable_secret_are_restricted(folders):
    config(folders)
    path = folders["postfix"] / "mailadmin/virtual_alias.cf"
    path.chmod(0o644)
    assert f"readable by others: {path}" in config(folders)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.django_db
def test_the_server_name_cannot_be_a_domain_of_the_panel(folders):
    Domain.objects.create(domain="example.org")
    with pytest.raises(CommandError, match="Example.org is a domain"):
        config(folders, hostname="Example.org")
    assert not written(folders)


@pytest.mark.mariadb
@pytest.mark.django_db
@pytest.mark.parametrize("option", ["ssl_ca=/etc/passwd", "ssl_verify=no", "ssl_cipher=AES128-SHA"])
def test_missing_database_tls_in_the_files_is_reported(folders, monkeypatch, option):
    assert "tls_CAfile" not in config(folders)
    url = f"mysql://mailadmin@127.0.0.1/mailadmin?{option}"
    for name, value in parse_database_url(url)["OPTIONS"].items():
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], name, value)
    assert "tls_CAfile" in config(folders)


@pytest.mark.django_db
def test_without_a_folder_the_command_is_used_wrongly():
    with pytest.raises(CommandError, match="--postfix") as error:
        call_command("mailserver", "config")
    assert error.value.returncode == 2


@pytest.mark.parametrize(
    "option",
    [
        "--hostname=mail test",
        "--hostname=mail.test\nmynetworks = 0.0.0.0/0",
        "--mail-directory=var/mail",
        "--mail-user=vmail argv=/bin/sh",
        "--certificate=/etc/ssl/my cert.pem",
        "--default-scheme=",
    ],
)
@pytest.mark.django_db
def test_values_with_special_meaning_in_a_file_are_refused(folders, option):
    with pytest.raises(CommandError, match=option.partition("=")[0]) as error:
        config(folders, option)
    assert error.value.returncode == 2
    assert not written(folders)


@pytest.mark.django_db
def test_a_folder_that_cannot_be_written_is_named(folders):
    folders["postfix"].parent.joinpath("postfix").write_text("a file")
    with pytest.raises(CommandError, match=str(folders["postfix"])):
        config(folders)
    assert not folders["dovecot"].exists()
