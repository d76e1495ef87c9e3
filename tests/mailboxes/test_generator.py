"""The generated configuration of Postfix and Dovecot."""

import contextlib
import dataclasses
import grp
import io
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from domains.models import Domain, Transport
from mailadmin import passwords
from mailadmin.changes.perform import Actor, perform
from mailadmin.conf import BASE_DIR
from mailboxes.mailserver import views as mailserver_views
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.generator import files
from mailboxes.mailserver.generator.accounts import get_account_privileges
from mailboxes.mailserver.generator.choices import MailServerOptions, detect_options
from mailboxes.mailserver.generator.files import generate_files
from mailboxes.mailserver.generator.steps import find_closed_parents
from mailboxes.mailserver.routing_config import find_delivery_agents
from mailboxes.models import Mailbox, Usage
from mailboxes.postfix.dovecot_queries import LOGIN_CHARS
from mailboxes.postfix.routing import build_panel_config
from mailboxes.services.aliases import create_aliases
from mailboxes.services.mailboxes import create_mailboxes
from tests import mailservers
from tests.base import PASSWORD, World, build_world
from tests.legacy_databases import Database, environment
from tests.mailservers import PASSWORDS, MailServer
from tests.programs import command, installed
from tests.servers import free_port

STOCK = installed("/usr/share/postfix")
NAME = "mail.test"
IS_MYSQL = connection.vendor == "mysql"
MAPS = {
    "virtual_mailbox_domains",
    "relay_domains",
    "virtual_alias",
    "virtual_alias_mailbox",
    "virtual_alias_mirror",
    "virtual_alias_mirror_mailbox",
    "virtual_mailbox",
    "relay_recipients",
    "refused_recipients",
    "refused_recipients_mirror",
    "transport_pattern",
    "transport",
    "sender_login",
}
DOVECOT = {
    "2.3": {"dovecot.conf", "dovecot-sql.conf.ext", "dovecot-dict-sql.conf.ext"},
    "2.4": {"dovecot.conf", "mailadmin-sql.conf.ext"},
}


@pytest.fixture
def folders(tmp_path):
    return {"postfix": tmp_path / "postfix", "dovecot": tmp_path / "dovecot"}


def config(folders, *options, hostname=NAME):
    """Run the command and return its output."""
    out = io.StringIO()
    places = [word for name, folder in folders.items() for word in (f"--{name}", str(folder))]
    call_command("mailserver", "config", f"--hostname={hostname}", *places, *options, stdout=out)
    return out.getvalue()


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


def written(folders):
    """Return every file below the folders, by its relative name."""
    found = (path for folder in folders.values() for path in folder.rglob("*") if path.is_file())
    return {"/".join(path.parts[len(folders["postfix"].parent.parts) :]): path for path in found}


def texts(folders):
    return {name: path.read_bytes() for name, path in written(folders).items()}


def secrets_in(folders):
    """Return the passwords in the files."""
    text = (folders["postfix"] / "mailadmin/accounts.sql").read_text()
    return set(re.findall(r"IDENTIFIED BY '(\w+)'", text))


# The command


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
def test_missing_database_tls_in_the_files_is_reported(folders, monkeypatch):
    assert "tls_CAfile" not in config(folders)
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "ssl", {"ca": "/etc/ssl/ca.pem"})
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


# Parsing by Postfix and Dovecot


@pytest.mark.mailserver
@pytest.mark.parametrize("options", [(), ("--delivery=lda",), ("--direct",)], ids=str)
@pytest.mark.django_db
def test_postfix_accepts_the_configuration(folders, options):
    config(folders, *options)
    for what in ("-n", "-M", "-P"):
        said = postconf(folders["postfix"], what)
        assert said.stderr == ""
        assert said.returncode == 0
    kind = {"mysql": "mysql", "sqlite": "sqlite"}[connection.vendor]
    prefix = "" if "--direct" in options else "proxy:"
    expected = f"{prefix}{kind}:{folders['postfix']}/mailadmin/relay_domains.cf"
    assert value(folders["postfix"], "relay_domains") == expected.replace(
        str(folders["postfix"]), "$config_directory"
    )
    assert value(folders["postfix"], "virtual_transport") == (
        "dovecot" if "--delivery=lda" in options else "lmtp:unix:private/dovecot-lmtp"
    )


def postconf(folder, *arguments):
    """Return the output of postconf, once the files are old enough to be read in one go."""
    for name in ("main.cf", "master.cf"):
        os.utime(folder / name, (0, 0))
    return subprocess.run(
        [command("postconf"), "-c", folder, *arguments], capture_output=True, text=True
    )


def value(folder, name):
    return postconf(folder, "-h", name).stdout.strip()


@pytest.mark.mailserver
@pytest.mark.django_db
def test_the_script_applies_the_same_to_a_stock_configuration(folders, tmp_path):
    config(folders, "--delivery=lda")
    stock = tmp_path / "stock"
    stock.mkdir()
    for name in ("main.cf", "master.cf"):
        shutil.copy(STOCK / f"{name}.dist", stock / name)
    before = (stock / "main.cf").read_text()
    said = io.StringIO()
    options = ["--hostname=mail.test", "--delivery=lda", f"--postfix={stock}"]
    call_command("mailserver", "config", *options, "--keep", stdout=said)
    assert (stock / "main.cf").read_text() == before
    assert f"sh {stock}/mailadmin/postconf.sh" in said.getvalue()
    script = stock / "mailadmin/postconf.sh"
    for _time in range(2):
        done = subprocess.run(["sh", script], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
    assert "virtual_mailbox_domains =" in done.stdout
    ours, theirs = parameters(folders["postfix"]), parameters(stock)
    for name in ours.keys() - files.HOST_PARAMETERS - {"config_directory"}:
        assert theirs[name] == ours[name].replace(str(folders["postfix"]), str(stock)), name
    services = set(postconf(stock, "-M").stdout.splitlines())
    wanted = postconf(folders["postfix"], "-M").stdout.replace(str(folders["postfix"]), str(stock))
    wanted = wanted.splitlines()
    own = [line for line in wanted if re.match(r"submission|smtps|mailadmin-auto|dovecot", line)]
    assert len(own) == 4
    assert {squeezed(line) for line in own} <= {squeezed(line) for line in services}
    assert len({line.split()[0:2][0] + line.split()[1] for line in services}) == len(services)


def parameters(folder):
    lines = postconf(folder, "-n").stdout.splitlines()
    return dict(line.split(" =", 1) for line in lines)


def squeezed(text):
    return " ".join(text.split())


@pytest.mark.mailserver
@pytest.mark.parametrize("options", [(), ("--delivery=lda",), ("--sieve",)], ids=str)
@pytest.mark.django_db
def test_dovecot_accepts_the_configuration(folders, tmp_path, options):
    certificate = tmp_path / "certificate.pem"
    certificate.write_text("nothing\n")
    config(folders, f"--certificate={certificate}", f"--key={certificate}", *options)
    assert (
        (folders["dovecot"] / "dovecot.conf")
        .read_text()
        .startswith(f"# Dovecot {detect_options()['dovecot_version']} ")
    )
    for form_data, expected in (("-n", "quota_clone"), ("auth_username_chars", "*+=?^_{|}~.@-")):
        said = subprocess.run(
            [command("doveconf"), "-c", folders["dovecot"] / "dovecot.conf", form_data],
            capture_output=True,
            text=True,
        )
        assert (said.returncode, said.stderr) == (0, "")
        assert expected in said.stdout


@pytest.mark.parametrize("options", [(), ("--delivery=lda",), ("--direct",), ("--sieve",)], ids=str)
@pytest.mark.parametrize("version", ["2.3", "2.4"])
@pytest.mark.django_db
def test_the_check_finds_no_fault_in_the_configuration(folders, version, options):
    config(folders, f"--dovecot-version={version}", *options)
    out = io.StringIO()
    places = [f"--{name}={folder}" for name, folder in folders.items()]
    call_command("mailserver", "check", *places, stdout=out)
    assert out.getvalue().strip() == "No problems found."


# Database accounts


@pytest.fixture(scope="module")
def accounts(mariadb, django_db_setup, django_db_blocker, tmp_path_factory):
    """Write the files and create their accounts: account → allowed statements."""
    place = tmp_path_factory.mktemp("accounts")
    folders = {"postfix": place / "postfix", "dovecot": place / "dovecot"}
    with django_db_blocker.unblock():
        mailservers.store_passwords(folders["postfix"])
        config(folders, "--overwrite")
        name = connection.settings_dict["NAME"]
    sql = (folders["postfix"] / "mailadmin/accounts.sql").read_text()
    mariadb.execute(sql * 2)  # which can be repeated
    found = dict(re.findall(r"'mailadmin_(\w+)'@'localhost' IDENTIFIED BY '(\w+)'", sql))
    for account, password in found.items():
        client = dataclasses.replace(mariadb, user=f"mailadmin_{account}", password=password)
        found[account] = lambda sql, client=client: client.run(sql, name)
    return folders, found


INTO_QUOTA = "INSERT INTO quota2 (bytes, username) VALUES (5, 'x@x.test')"
NOTE = "INSERT INTO vacation_notification (on_vacation, notified) VALUES ('x@x.test', 'y@y.test')"
MAY = {
    "postfix": [
        "SELECT goto FROM alias WHERE address = 'x'",
        "SELECT username, maildir, quota, active FROM mailbox",
        "SELECT transport FROM mailadmin_transport WHERE pattern = '*' AND active = 1",
    ],
    "dovecot": [
        "SELECT username, password, maildir, quota, smtp_active FROM mailbox",
        f"{INTO_QUOTA} ON DUPLICATE KEY UPDATE bytes = 5",
        f"{INTO_QUOTA} ON DUPLICATE KEY UPDATE bytes = bytes + 1",
        "UPDATE quota2 SET bytes = 6 WHERE username = 'x@x.test'",
        "SELECT bytes FROM quota2 WHERE username = 'x@x.test'",
        "DELETE FROM quota2 WHERE username = 'x@x.test'",
    ],
    "autoreply": ["SELECT subject, body, interval_time FROM vacation", NOTE],
    "panel": [
        "SELECT password FROM mailbox",
        "INSERT INTO alias (address, goto, domain) VALUES ('x@x.test', 'y', 'x.test')",
        "UPDATE alias SET goto = 'z' WHERE address = 'x@x.test'",
        "DELETE FROM alias WHERE address = 'x@x.test'",
        "DELETE FROM vacation_notification WHERE on_vacation = 'x@x.test'",
    ],
}
STRUCTURE = [
    "ALTER TABLE alias ADD COLUMN x INT",
    "CREATE TABLE x (y INT)",
    "DROP TABLE quota2",
    "TRUNCATE TABLE alias",
    "SELECT user FROM mysql.user",
    "GRANT SELECT ON alias TO nobody",
]
WRITING = [
    "INSERT INTO alias (address, goto, domain) VALUES ('x@x.test', 'y', 'x.test')",
    "UPDATE mailbox SET active = 1",
    "DELETE FROM domain",
    "SELECT password FROM admin",
    "SELECT secret FROM mailadmin_changesecret",
]
MAY_NOT = {
    "postfix": [
        *WRITING,
        INTO_QUOTA,
        "SELECT password FROM mailbox",
        "SELECT * FROM mailbox",
        "SELECT description FROM mailadmin_transport",
        "INSERT INTO mailadmin_transport (pattern, transport) VALUES ('*', 'discard:')",
    ],
    "dovecot": [*WRITING, "SELECT goto FROM alias", "UPDATE mailbox SET password = 'x'"],
    "autoreply": [*WRITING, INTO_QUOTA, "SELECT password FROM mailbox"],
    "panel": [],
}


@pytest.mark.mariadb
@pytest.mark.parametrize("account", MAY)
def test_an_account_has_exactly_the_required_rights(accounts, transactional_db, account):
    run = accounts[1][account]
    for sql in MAY[account]:
        assert run(sql).returncode == 0, (sql, run(sql).stderr)
    beside = connection.settings_dict["NAME"].replace("_", "x")
    neighbour = f"SELECT * FROM `{beside}`.alias"
    for sql in [*MAY_NOT[account], *STRUCTURE, neighbour]:
        said = run(sql)
        assert said.returncode and "denied" in said.stderr, sql


def test_the_panels_own_table_has_no_prefix(settings):
    settings.MAILADMIN_TABLE_PREFIX = "pfa_"
    name = connection.settings_dict["NAME"].replace("`", "``")
    places = {
        place.removeprefix(f"`{name}`.") for _what, place in get_account_privileges()["postfix"]
    }
    assert {"`mailadmin_transport`", "`pfa_alias`"} < places


@pytest.mark.mariadb
@pytest.mark.mailserver
def test_postfixs_account_can_query_every_map(accounts, transactional_db):
    folders, _accounts = accounts
    build_world()
    for key, active in (("bob@example.org", True), ("example.org", False)):
        Transport.objects.create(pattern=key, transport="smtp:[mx.example]:25", active=active)
    expected = {
        ("virtual_mailbox_domains", "example.org"): "example.org",
        ("virtual_alias", "info@example.org"): "bob@example.org",
        ("virtual_alias_mailbox", "bob@example.org"): "bob@example.org",
        ("virtual_mailbox", "bob@example.org"): "example.org/bob/",
        ("sender_login", "bob@example.org"): "bob@example.org",
        ("sender_login", "info@example.org"): "bob@example.org",
        ("transport", "example.org"): "",
        ("transport_pattern", "bob@example.org"): "smtp:[mx.example]:25",
        ("transport_pattern", "example.org"): "",
    }
    keys = "example.org\nbob@example.org\ninfo@example.org\n@example.org\né@example.org\nжук@ж.рф\n"
    for name in MAPS:
        found = postmap(folders["postfix"], name, keys)
        for key in keys.split():
            if (name, key) in expected:
                assert found.get(key, "") == expected[name, key], (name, key)


def postmap(folder, name, keys, kind="mysql"):
    """Return a map's result for each key; a table that cannot be queried fails."""
    said = subprocess.run(
        [command("postmap"), "-c", folder, "-q", "-", f"{kind}:{folder}/mailadmin/{name}.cf"],
        input=keys,
        capture_output=True,
        text=True,
    )
    assert said.returncode in (0, 1) and not said.stderr, said.stderr
    return dict(line.split("\t") for line in said.stdout.splitlines())


# Other locations of the database

MAKE = """
import django; django.setup()
from domains.models import Domain
from mailboxes.services.domains import create_domains
from mailadmin import passwords
from mailadmin.changes.perform import Actor, perform
from mailboxes.services.mailboxes import create_mailboxes
perform(Actor.console(), create_domains, [{"domain": "example.org", "default_aliases": False}])
row = {"local_part": "bob", "domain": Domain.objects.get(pk="example.org")}
stored = passwords.make_hash("correct-horse-42", "bob@example.org", "SHA512-CRYPT")
perform(Actor.console(), create_mailboxes, [row | {"password": stored, "quota": 10}])
"""


@pytest.fixture(scope="module")
def prefixed(mariadb):
    """A database of the panel's whose tables begin with `pa_`."""
    mariadb.create("prefixed")
    Path(mariadb.socket).parent.chmod(0o755)  # as /run/mysqld is
    database = Database(mariadb, "prefixed", {"MAILADMIN_TABLE_PREFIX": "pa_"})
    database.migrate()
    database.panel("-c", MAKE)
    yield database
    database.drop()


def addresses(client):
    """Ways to configure the location of the same database."""
    here = f"127.0.0.1:{client.port}"
    usual = client.url("prefixed")
    return {
        "one host": usual,
        "a socket": usual.replace(here, "localhost") + f"?unix_socket={client.socket}",
        "several hosts": usual.replace(here, f"127.0.0.2:{free_port()},{here}"),
    }


def panel(url, *arguments, **environ):
    """Run the panel's Python on the database at this URL and return its output."""
    env = environment(MAILADMIN_DATABASE_URL=url, **environ)
    result = subprocess.run(
        [sys.executable, *arguments], env=env, cwd=BASE_DIR, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    return result.stdout


def by_command(url, said=None, **environ):
    """Write the files with `mailadmin mailserver config` for another database."""

    def write(server):
        mailservers.store_passwords(server.config)
        options = [f"--{name}={text}" for name, text in server.options().items()]
        text = panel(url, "manage.py", "mailserver", "config", "--overwrite", *options, **environ)
        if said is not None:
            said.append(text)

    return write


# Seconds after which Dovecot retries an unreachable host.
RETRY_SECONDS = 1.5


def receive(server, address):
    with server.smtp() as client:
        client.ehlo()
        client.mail("")
        assert client.rcpt(address)[0] == 250
        _code, said = client.data("Subject: Lunch?\n\nAre you there?\n")
    return server.log_of(mailservers.queue_id(said))


def has_messages(server, address, count):
    """Return whether a user signs in and has this many messages."""
    with server.dovecot.imap() as imap:
        imap.login(address, PASSWORD)
        return imap.select() == ("OK", [str(count).encode()])


@pytest.mark.mariadb
@pytest.mark.mailserver
@mailservers.needs_root
@pytest.mark.parametrize("place", ["a socket", "several hosts"])
def test_the_files_reach_the_database_of_the_panel(mariadb, prefixed, place):
    url = addresses(mariadb)[place]
    with MailServer(write=by_command(url, MAILADMIN_TABLE_PREFIX="pa_")) as server:
        mariadb.execute((server.config / "mailadmin/accounts.sql").read_text())
        server.run()
        receive(server, "bob@example.org")
        assert has_messages(server, "bob@example.org", 1)
        assert prefixed.value("SELECT messages FROM pa_quota2") == "1"
        if place == "several hosts":
            time.sleep(RETRY_SECONDS)
            assert has_messages(server, "bob@example.org", 1)
        prefixed.execute("DELETE FROM pa_quota2")
        assert "the vacation reply is not active" in log_of_autoresponder(server)


def log_of_autoresponder(server):
    """Return the autoresponder's log for a mail to bob, with its own settings only."""
    said = subprocess.run(
        [sys.executable, BASE_DIR / "manage.py", "autoreply", "--log-to-stderr"]
        + [f"--env-file={server.config}/mailadmin/autoreply.env", "--sender=alice@far.test"]
        + ["--recipient=bob#example.org@autoreply.localhost"],
        env={name: text for name, text in os.environ.items() if not name.startswith("MAILADMIN_")},
        input="From: alice@far.test\nMessage-ID: <1@far.test>\nTo: bob@example.org\n\nLunch?\n",
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr
    return said.stderr


# SQLite


@pytest.fixture
def shared_file():
    """A database file accessible to other users, with bob in it."""
    folder = Path(tempfile.mkdtemp(prefix="mailadmin-shared-"))
    url = f"sqlite://{folder}/here/mailadmin.sqlite3"
    folder.chmod(0o755)
    (folder / "here").mkdir()
    panel(url, "manage.py", "migrate")
    panel(url, "-c", MAKE)
    yield url, folder / "here/mailadmin.sqlite3"
    shutil.rmtree(folder)


def share(said):
    """Run the documented root commands, except for users and groups of the machine."""
    for line in said.splitlines():
        if re.match(r"  (chgrp|chmod) ", line):
            subprocess.run(["sh", "-c", line], check=True)


LEAVES = """
import django, os, signal; django.setup()
from mailboxes.models import Mailbox
Mailbox.objects.create(username="{0}@example.org", local_part="{0}", domain_id="example.org",
    maildir="example.org/{0}/", password="x")
if {1}: os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.mailserver
@mailservers.needs_root
def test_postfix_and_dovecot_query_sqlite_after_the_panel_has_stopped(shared_file):
    url, path = shared_file
    said = []
    with MailServer(write=by_command(url, said=said), database_group="postfix") as server:
        share(said[0])
        server.run()
        receive(server, "bob@example.org")
        assert has_messages(server, "bob@example.org", 1)
        assert row(path, "SELECT messages FROM quota2") == (1,)
        panel(url, "-c", LEAVES.format("carol", False))
        assert accepts(server, "carol@example.org")
        with pytest.raises(AssertionError):
            panel(url, "-c", LEAVES.format("dora", True))
        assert path.with_name(f"{path.name}-wal").exists()
        assert accepts(server, "dora@example.org")
        receive(server, "bob@example.org")
        assert has_messages(server, "bob@example.org", 2)
        assert row(path, "SELECT messages FROM quota2") == (2,)
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o660, file
            assert file.group() == "postfix"
        panel(url, "-c", LEAVES.format("erin", False))
        assert accepts(server, "erin@example.org")


def row(path, sql):
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchone()


def accepts(server, address):
    with server.smtp() as client:
        client.ehlo()
        client.mail("")
        return client.rcpt(address)[0] == 250


@pytest.mark.mailserver
@mailservers.needs_root
def test_the_autoresponder_can_open_the_sqlite_file_as_its_user(shared_file):
    url, path = shared_file
    said = []
    with MailServer(write=by_command(url, said=said), database_group="postfix") as server:
        share(said[0])
        master = (server.config / "master.cf").read_text()
        assert "user=nobody:postfix " in master
        env = server.config / "mailadmin/autoreply.env"
        person = {"user": "nobody", "group": "postfix", "extra_groups": []}
        for file in (env, path):
            subprocess.run(["cat", file], check=True, capture_output=True, **person)
        assert f"MAILADMIN_DATABASE_URL={url}\n" in env.read_text()
        with pytest.raises(subprocess.CalledProcessError):
            other_user = person | {"group": "nogroup"}
            subprocess.run(["cat", path], check=True, capture_output=True, **other_user)


def test_an_inaccessible_folder_is_reported(tmp_path):
    closed = tmp_path / "closed"
    (closed / "open/database").mkdir(parents=True)
    closed.chmod(0o700)
    assert closed in find_closed_parents(closed / "open/database")
    closed.chmod(0o711)
    assert closed not in find_closed_parents(closed / "open/database")


# Dovecot's delivery program


@pytest.mark.mailserver
@mailservers.needs_root
def test_dovecot_lda_accepts_several_recipients_of_a_domain(transactional_db, request):
    build_world()
    with MailServer(delivery="lda", lda="/usr/lib/dovecot/dovecot-lda -c {dovecot}") as server:
        mailservers.open_database(server, request)
        alias = {"local_part": "all", "domain": Domain.objects.get(pk="example.org")}
        targets = ["bob@example.org", "carol@example.com", "erin@example.org"]
        erin = alias | {"local_part": "erin", "password": "x", "quota": 0}
        perform(Actor.console(), create_mailboxes, [erin])
        perform(Actor.console(), create_aliases, [alias | {"goto": targets}])
        server.run()
        log = receive(server, "all@example.org")
        assert sum("relay=dovecot" in line and "status=sent" in line for line in log) == 3, log
        assert not any("rror" in line for line in log), log
        for address in targets:
            [mail] = server.mails(address)
            assert mail["Delivered-To"] == address
        assert Usage.objects.get(pk="erin@example.org").messages == 1


@pytest.mark.mailserver
@mailservers.needs_root
def test_dovecot_offers_cram_md5_and_accepts_it(transactional_db, request):
    build_world()
    with MailServer(cram_md5=True) as server:
        mailservers.open_database(server, request)
        challenge_bob()
        server.dovecot.run()
        answers_challenge(server.dovecot)


def challenge_bob():
    stored = passwords.make_hash(PASSWORD, "bob@example.org", "CRAM-MD5")
    Mailbox.objects.filter(pk="bob@example.org").update(password=stored)


def answers_challenge(dovecot):
    with dovecot.imap() as imap:
        assert "AUTH=CRAM-MD5" in imap.capabilities
        assert imap.login_cram_md5("bob@example.org", PASSWORD)[0] == "OK"
    with dovecot.imap() as imap:
        assert imap.login("bob@example.org", PASSWORD)[0] == "OK"
    with dovecot.imap() as imap, pytest.raises(imap.error):
        imap.login_cram_md5("bob@example.org", "wrong")


# The page


class PageTests(World):
    form_data = {
        "hostname": NAME,
        "mail_directory": "/srv/mail",
        "mail_user": "vmail",
        "delivery": "lmtp",
        "dovecot_version": "2.4",
        "proxied": "on",
    }

    def test_only_superadmins_see_it(self):
        for person, status in ((self.root, 200), (self.alice, 403), (self.bob, 403)):
            self.sign_in(person)
            self.assertEqual(self.client.get("/mailserver/", self.form_data).status_code, status)
        self.client.logout()
        response = self.client.get("/mailserver/", self.form_data | {"download": "1"})
        self.assertTrue(response["Location"].startswith("/login/"))

    def test_every_file_is_shown_with_placeholders_for_passwords(self):
        self.sign_in(self.root)
        page = self.client.get("/mailserver/", self.form_data)
        for name in ("main.cf", "master.cf", "virtual_alias.cf", "mailadmin-sql.conf.ext"):
            self.assertContains(page, name)
        self.assertContains(page, "/srv/mail")
        self.assert_no_password(page.content.decode())

    def test_the_download_contains_no_password(self):
        self.sign_in(self.root)
        response = self.client.get("/mailserver/", self.form_data | {"download": "1"})
        self.assertEqual(response["Content-Type"], "application/zip")
        archive = zipfile.ZipFile(io.BytesIO(response.content))
        names = set(archive.namelist())
        self.assertGreaterEqual(names, {f"postfix/mailadmin/{name}.cf" for name in MAPS})
        self.assertGreaterEqual(names, {f"dovecot/{name}" for name in DOVECOT["2.4"]})
        for entry in archive.infolist():
            text = archive.read(entry).decode()
            self.assert_no_password(text)
            if "PASSWORD-OF-" in text:
                self.assertFalse(entry.external_attr >> 16 & 0o007, entry.filename)

    def assert_no_password(self, text):
        self.assertNotIn(connection.settings_dict["PASSWORD"] or "never", text)
        if IS_MYSQL:
            self.assertNotRegex(text, r"(?i)\b(password|identified by)\b ?=? ?'?[0-9a-f]{32}")

    def test_invalid_host_names_are_refused(self):
        self.sign_in(self.root)
        for name, value in (
            ("hostname", "mail.test\nmynetworks = 0.0.0.0/0"),
            ("hostname", ""),
            ("mail_directory", "srv/mail"),
            ("mail_user", "root; rm"),
            ("delivery", "pigeon"),
            ("dovecot_version", "3"),
        ):
            page = self.client.get("/mailserver/", self.form_data | {name: value, "download": "1"})
            self.assertContains(page, "invalid-feedback")
            self.assertNotContains(page, "smtpd_relay_restrictions")

    def opened_with(self, hostname):
        """Return the form's initial values on a machine with this host name."""
        self.sign_in(self.root)
        with mock.patch.object(
            mailserver_views, "detect_options", return_value={"hostname": hostname}
        ):
            form = self.client.get("/mailserver/").context["form"]
        return form.initial

    def test_the_initial_values_are_valid(self):
        for hostname in ("localhost", "vm", "", "example.org", "mx.hosting.example"):
            initial = {name: value for name, value in self.opened_with(hostname).items() if value}
            page = self.client.get("/mailserver/", initial)
            self.assertNotContains(page, "invalid-feedback")
            self.assertContains(page, "smtpd_relay_restrictions")
        self.assertEqual(initial["hostname"], "mx.hosting.example")

    def test_an_error_message_does_not_mention_saving(self):
        self.sign_in(self.root)
        page = self.client.get("/mailserver/", self.form_data | {"hostname": "localhost"})
        self.assertContains(page, "Please fix the highlighted fields")
        self.assertNotContains(page, "Nothing was saved")

    def test_sieve_is_written_if_selected(self):
        self.sign_in(self.root)
        for version in ("2.3", "2.4"):
            form_data = self.form_data | {"dovecot_version": version}
            self.assertNotContains(self.client.get("/mailserver/", form_data), "lmtp sieve")
            page = self.client.get("/mailserver/", form_data | {"sieve": "on"})
            self.assertContains(page, "protocols = imap pop3 lmtp sieve")

    def test_cram_md5_is_offered_if_the_scheme_allows_it(self):
        self.sign_in(self.root)
        form_data = self.form_data | {"cram_md5": "on"}
        for version in ("2.3", "2.4"):
            page = self.client.get("/mailserver/", form_data | {"dovecot_version": version})
            self.assertContains(page, "CRAM-MD5 needs passwords stored as CRAM-MD5")
            with self.settings(MAILADMIN_PASSWORD_SCHEME="CRAM-MD5"):
                page = self.client.get("/mailserver/", form_data | {"dovecot_version": version})
                self.assertContains(page, "auth_mechanisms = plain login cram-md5")
        Mailbox.objects.filter(pk="bob@example.org").update(password="{CRAM-MD5}" + "ab" * 32)
        self.assertContains(self.client.get("/mailserver/", form_data), "plain login cram-md5")
        self.assertNotContains(self.client.get("/mailserver/", self.form_data), "cram-md5\n")


@pytest.mark.django_db
def test_the_command_offers_cram_md5_if_the_scheme_allows_it(tmp_path, settings):
    options = [f"--dovecot={tmp_path}/dovecot", f"--postfix={tmp_path}/postfix"]
    options += ["--hostname=mail.test", "--cram-md5", "--dovecot-version=2.3"]
    with pytest.raises(CommandError, match="MAILADMIN_PASSWORD_SCHEME is BLF-CRYPT"):
        call_command("mailserver", "config", *options, stdout=io.StringIO())
    assert not (tmp_path / "dovecot").exists()
    settings.MAILADMIN_PASSWORD_SCHEME = "PLAIN"
    call_command("mailserver", "config", *options, stdout=io.StringIO())
    text = (tmp_path / "dovecot/dovecot.conf").read_text()
    assert "auth_mechanisms = plain login cram-md5\n" in text
