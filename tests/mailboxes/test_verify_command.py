"""Comparison of the running mail server with the panel's rows."""

import contextlib
import io
import json
import os
import shutil
import smtplib
import time
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from domains.models import Admin, Domain
from domains.services.alias_domains import create_alias_domains
from domains.services.domains import edit_domain, set_domains
from domains.services.transports import create_transports, set_transports
from mailadmin import passwords
from mailadmin.changes.models import Log
from mailadmin.changes.perform import Actor, perform
from mailboxes.mailserver.smtp_probe import ProbeError, probe_recipient
from mailboxes.mailserver.verifier import programs
from mailboxes.mailserver.verifier.logins import ACCOUNT_NAME, ACCOUNT_PREFIX
from mailboxes.models import Alias, Mailbox, Verification
from mailboxes.services.aliases import create_aliases, set_aliases
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import create_mailboxes, set_mailboxes
from tests import mailservers
from tests.base import PASSWORD, build_world
from tests.servers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.mailserver, mailservers.needs_root]


@pytest.fixture(scope="module")
def running(django_db_setup, django_db_blocker, request):
    """Postfix and Dovecot as the panel configures them for the tests' database."""
    with django_db_blocker.unblock(), mailservers.MailServer() as server:
        mailservers.open_database(server, request)
        yield server.run()


@pytest.fixture
def server(running, transactional_db):
    build_world()
    return running


@pytest.fixture
def changed(server):
    """Change some of its files for one test; afterwards reload Postfix."""
    with contextlib.ExitStack() as until_the_end:

        def change(name, old, new):
            until_the_end.enter_context(altered(server.folder / name, old, new))

        yield change
    reload_postfix(server)


def reload_postfix(server):
    """Reload and wait until it responds; with a broken configuration it may not."""
    server.tool("postfix", "reload")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            smtplib.SMTP("127.0.0.1", server.port, timeout=1).quit()
            return


def make(service, *arguments):
    return perform(Actor.console(), service, *arguments)


# Rows of the transport table; that of away.test counts before the domain's own.
WAYS = {
    "away.test": "smtp:[127.0.0.1]:10",
    "bob@example.org": "smtp:[a.test], [b.test]:25",
    "off@example.org": "discard:",
    ".example.org": ":",
    "*": "smtp:",
}


def varied_world():
    """Create rows of every kind, in every state."""
    names = ("off.test", "backup.test", "listed.test", "mirror.test", "away.test", "old.test")
    rows = {name: {"domain": name, "default_aliases": False} for name in names}
    rows["away.test"]["transport"] = "smtp:[127.0.0.1]:9"
    make(create_transports, [{"pattern": key, "transport": way} for key, way in WAYS.items()])
    make(set_transports, ["off@example.org"], "active", False)
    rows["backup.test"]["backupmx"] = rows["listed.test"]["backupmx"] = True
    make(create_domains, list(rows.values()))
    there = {domain.pk: domain for domain in Domain.objects.all()}
    ends = {"alias_domain": there["mirror.test"], "target_domain": there["example.org"]}
    make(create_alias_domains, [ends])
    for local_part, name in (
        ("off", "example.org"),
        ("bob", "off.test"),
        ("bob", "listed.test"),
        ("bob", "away.test"),
        ("no-row", "example.org"),
        ("expired", "old.test"),
        ("fresh", "old.test"),
        ("o'hara", "example.org"),
    ):
        row = {"local_part": local_part, "domain": there[name]}
        make(create_mailboxes, [row | {"password": passwords.make_hash(PASSWORD), "quota": 0}])
    for local_part in ("a_b%c", "-a*b?c"):  # as other programs leave them
        adopt(f"{local_part}@example.org", local_part)
    Alias.objects.filter(pk="no-row@example.org").delete()
    aliases = [("*", ["bob@example.org"]), ("off-too", ["bob@example.org"])]
    aliases += [("several", ["bob@example.org", "carol@example.com", "x@far.test"])]
    for local_part, goto in aliases:
        row = {"local_part": local_part, "domain": there["example.org"]}
        make(create_aliases, [row | {"goto": goto}])
    # Postfix refuses names that look like an option, so this one is unused.
    make(set_mailboxes, ["off@example.org", "-a*b?c@example.org"], "active", False)
    make(set_aliases, ["off-too@example.org"], "active", False)
    make(set_domains, ["off.test"], "active", False)
    make(edit_domain, "old.test", {"password_expiry": 30})
    past = timezone.now() - timezone.timedelta(days=9)
    Mailbox.objects.filter(pk="expired@old.test").update(password_expiry=past)


def adopt(address, local_part):
    """Create a mailbox that the panel would refuse."""
    Mailbox.objects.create(
        username=address,
        local_part=local_part,
        domain_id="example.org",
        maildir=f"example.org/{local_part}/",
        password=passwords.make_hash(PASSWORD),
    )
    Alias.objects.create(address=address, goto=address, domain_id="example.org")


def verify(server, *options):
    """Run the command and return (output, exit status)."""
    out = io.StringIO()
    places = [f"--postfix={server.config}", f"--dovecot={server.folder}/dovecot"]
    if not {"--all", "--domain"} & {word.partition("=")[0] for word in options}:
        options = ("--all", *options)
    try:
        call_command("mailserver", "verify", *places, *options, stdout=out)
    except CommandError as error:
        return out.getvalue(), error.returncode
    return out.getvalue(), 0


WITH_WILDCARDS = "Dovecot: home, mail and quota of 1 addresses with “*” or “?”"


def differences(server, *options):
    output, status = verify(server, "--json", *options)
    found = json.loads(output)
    assert set(found["not_asked"]) <= {WITH_WILDCARDS}, found
    assert status == (1 if found["differences"] else 0)
    return [(each["key"], each["asked"]) for each in found["differences"]]


# Comparison


def test_a_correct_server_has_no_differences(server):
    varied_world()
    output, status = verify(server)
    rows = Domain.objects.count() + Mailbox.objects.count() + Alias.objects.count() + 1
    rows += len(WAYS)
    wildcards, number, asked, found = output.splitlines()
    assert wildcards == f"Not checked: {WITH_WILDCARDS}"
    assert number == f"Rows checked: {rows}"
    for name in (
        "virtual_alias_maps (",
        "RCPT TO (",
        "LMTP (5)",
        "AUTH (2)",
        "home, mail and quota",
    ):
        assert name in asked
    assert found == "0 differences found."
    assert status == 0
    assert differences(server, "--domain=Example.ORG") == []
    output, _status = verify(server, "--domain=example.com")
    assert "Rows checked: 4" in output.splitlines()


# name, text of its file, its replacement, domain of the expected difference
OTHERWISE = (
    ("virtual_mailbox", "active = 1", "active = 0", "bob@example.org", "virtual_mailbox_maps"),
    ("virtual_alias", "alias.goto", "'x@x.test'", "info@example.org", "virtual_alias_maps"),
    ("transport", "active = 1", "active = 7", "gone.test", "transport_maps"),
    ("transport_pattern", "active = 1", "active = 7", "*", "transport_maps"),
    ("relay_domains", "backupmx = 1", "backupmx = 2", "backup.test", "relay_domains"),
    ("virtual_mailbox_domains", "active = 1", "active < 2", "off.test", "virtual_mailbox_domains"),
    (
        "sender_login",
        "mailbox.username\n",
        "'carol@example.com'\n",
        "bob@example.org",
        "smtpd_sender_login_maps",
    ),
    (
        "relay_recipients",
        "mailbox.active = 1",
        "mailbox.active = 0",
        "bob@listed.test",
        "relay_recipient_maps",
    ),
)


def test_every_map_with_another_query_is_found(server, changed):
    varied_world()
    away = {"domain": "gone.test", "default_aliases": False, "transport": "smtp:[127.0.0.1]:9"}
    make(create_domains, [away])
    for name, old, new, _key, _parameter in OTHERWISE:
        changed(f"etc/mailadmin/{name}.cf", old, new)
    found = differences(server)
    for *_change, key, parameter in OTHERWISE:
        assert (key, parameter) in found


@contextlib.contextmanager
def altered(path, old, new):
    """Change the file temporarily; the servers have read it already."""
    before = path.read_text()
    assert old in before, path
    write_aged(path, before.replace(old, new))
    try:
        yield
    finally:
        write_aged(path, before)


def write_aged(path, text):
    """Write a file with an old date: Postfix waits before it reads a new one."""
    path.write_text(text)
    os.utime(path, (0, 0))


def test_a_map_removed_from_main_cf_is_found(server, changed):
    varied_world()
    line = f"    {server.choices.map_type}:$config_directory/mailadmin/virtual_alias_mirror.cf\n"
    changed("etc/main.cf", line, "")
    assert ("@mirror.test", "virtual_alias_maps") in differences(server)
    asked = {parameter for _key, parameter in differences(server)}
    assert asked <= {"virtual_alias_maps", "RCPT TO"}


def test_an_unseen_transport_is_a_difference_of_its_domain(server, changed):
    varied_world()
    changed("etc/mailadmin/transport_pattern.cf", "active = 1", "active = 0")
    asked = {key for key, parameter in differences(server) if parameter == "transport_maps"}
    assert asked == set(WAYS)
    asked = {key for key, _parameter in differences(server, "--domain=example.org")}
    assert asked == {"bob@example.org", "off@example.org", ".example.org"}


@pytest.mark.mariadb
def test_a_map_of_another_database_is_found(server, changed, mariadb):
    name = connection.settings_dict["NAME"]
    mariadb.create("former")
    for table in ("mailbox", "domain"):
        mariadb.execute(f"CREATE TABLE former.{table} LIKE {name}.{table}")
    mariadb.execute("GRANT SELECT ON former.* TO mailadmin_postfix@localhost")
    mariadb.execute("GRANT SELECT ON former.* TO mailadmin_postfix@127.0.0.1")
    changed("etc/mailadmin/virtual_mailbox.cf", f"dbname = {name}\n", "dbname = former\n")
    everybody = [("bob@example.org", "virtual_mailbox_maps")]
    everybody += [("carol@example.com", "virtual_mailbox_maps")]
    assert differences(server) == everybody
    mariadb.execute("DROP DATABASE former")


# the query, its text, its replacement, domain of the expected difference
ANSWERS_OTHERWISE = (
    ("user", "mailbox.maildir", "mailbox.username", "bob@example.org", "Dovecot"),
    ("user", "mailbox.active = 1", "mailbox.active >= 0", "off@example.org", "Dovecot"),
    ("password", "mailbox.active = 1", "mailbox.active >= 0", "off@example.org", "sign-in"),
    ("password", "NOW()", "'2000-01-01'", "expired@old.test", "sign-in"),
)


def test_every_changed_dovecot_query_is_found(server, forgetful, changed):
    varied_world()
    for query, old, new, _key, _asked in ANSWERS_OTHERWISE:
        changed_query(server, changed, query, old, new)
    reload_dovecot(server)
    found = differences(server)
    for *_change, key, asked in ANSWERS_OTHERWISE:
        assert (key, asked) in found
    changed_query(server, changed, "password", "WHERE ", "WHERE 1 = 0 AND ")
    reload_dovecot(server)
    assert ("bob@example.org", "sign-in") in differences(server)


@pytest.fixture
def forgetful(server):
    """Let Dovecot read its files again after they are restored."""
    yield
    reload_dovecot(server)


def changed_query(server, changed, query, old, new):
    file = server.dovecot.queries_file
    line = server.dovecot.query_lines()[query]
    old = old if connection.vendor == "mysql" else old.replace("NOW()", SQLITE_NOW)
    assert old in line
    changed(f"dovecot/{file.name}", line, line.replace(old, new))


SQLITE_NOW = "datetime('now', 'localtime')"


def reload_dovecot(server):
    """Reload Dovecot and wait; requests meanwhile may get the old configuration."""
    said = len((server.dovecot.folder / "dovecot.log").read_text())
    server.dovecot.tool("reload")
    log = server.dovecot.folder / "dovecot.log"
    server.dovecot.wait_until(lambda: "SIGHUP received" in log.read_text()[said:])


# Results


def test_the_result_is_stored_and_shown_to_superadmins(server, changed, client, settings):
    settings.EMAIL_PORT = server.port
    root, alice = (Admin.objects.get(pk=f"{name}") for name in ("root@example.net", ALICE))
    client.force_login(root, backend="mailadmin.accounts.backends.AdminBackend")
    page = "/mailboxes/bob@example.org/seen/"
    assert "has not been run yet" in client.get(page).content.decode()
    verify(server)
    shown = client.get(page).content.decode()
    assert "No differences" in shown
    assert "Postfix accepts mail for this mailbox" in shown
    changed("etc/mailadmin/virtual_mailbox.cf", "mailbox.maildir", "'<elsewhere>'")
    output, status = verify(server, "--domain=example.org")
    assert status == 1
    assert "bob@example.org, virtual_mailbox_maps: expected “example.org/bob/”" in output
    shown = client.get(page).content.decode()
    assert "found &lt;elsewhere&gt;" in shown
    kept = Verification.objects.latest("checked")
    assert (kept.domain, kept.rows, kept.total, kept.trouble) == ("example.org", 4, 1, "")
    assert "No differences" in client.get("/mailboxes/carol@example.com/seen/").content.decode()
    client.force_login(alice, backend="mailadmin.accounts.backends.AdminBackend")
    assert client.get(page).status_code == 403


ALICE = "alice@example.org"


def test_old_results_are_purged(server):
    old = timezone.now() - timezone.timedelta(days=31)
    Verification.objects.create(checked=old)
    verify(server)
    assert Verification.objects.count() == 1


def test_an_unknown_domain_is_an_error(server):
    with pytest.raises(CommandError, match="example.net"):
        call_command("mailserver", "verify", "--domain=example.net")
    assert not Verification.objects.exists()


# Sign-ins


def made_accounts():
    return Mailbox.objects.filter(local_part__startswith=ACCOUNT_PREFIX)


def test_temporary_accounts_are_deleted_after_the_run(server):
    output, status = verify(server)
    assert status == 0 and "sign-in with the correct password (1)" in output
    assert not made_accounts().exists()
    assert not Alias.objects.filter(pk__startswith=ACCOUNT_PREFIX).exists()


def test_no_accounts_are_created_with_the_option_to_skip_them(server):
    output, status = verify(server, "--no-accounts")
    assert status == 0
    assert "Not checked: Dovecot: sign-in with a correct password (--no-accounts)" in output
    assert "with the correct password" not in output and "with a wrong password (2)" in output
    assert not Log.objects.filter(data__startswith=ACCOUNT_PREFIX).exists()


def test_leftovers_of_an_aborted_run_are_removed(server):
    there = Domain.objects.get(pk="example.org")
    for local_part, name in (
        (f"{ACCOUNT_PREFIX}a", ACCOUNT_NAME),
        (f"{ACCOUNT_PREFIX}b", ACCOUNT_NAME),
        (f"{ACCOUNT_PREFIX}c", "Carl"),
    ):
        row = {"local_part": local_part, "domain": there, "password": "x", "quota": 1}
        make(create_mailboxes, [row | {"name": name}])
    old = timezone.now() - timezone.timedelta(hours=2)
    made_accounts().exclude(local_part=f"{ACCOUNT_PREFIX}b").update(created=old)
    verify(server)
    left = set(made_accounts().values_list("local_part", flat=True))
    assert left == {
        f"{ACCOUNT_PREFIX}b",
        f"{ACCOUNT_PREFIX}c",
    }  # one may be in use, one belongs to a user


def test_a_full_domain_is_skipped_for_another(server):
    Domain.objects.filter(pk="example.com").update(mailboxes=1)
    output, _status = verify(server, "--domain=example.com")
    assert (
        "Not checked: Dovecot: sign-in with a correct password: all domains have reached"
        " their limits"
    ) in output
    output, _status = verify(server)
    assert "all domains have reached their limits" not in output


def test_each_kind_of_stored_password_is_tried(server):
    kinds = ["{SHA512.HEX}" + "ab" * 64, "{PLAIN}x", "$6$abc$" + "a" * 86, "{NTLM}ab", "ab" * 16]
    org = Domain.objects.get(pk="example.org")
    for number, stored in enumerate(kinds):
        row = {"local_part": f"k{number}", "domain": org, "password": stored, "quota": 1}
        make(create_mailboxes, [row])
    output, status = verify(server)
    assert "sign-in with the correct password (4)" in output  # with that for new passwords
    assert "Not checked: Dovecot: sign-in with {NTLM}" in output
    assert "Not checked: Dovecot: sign-in with HEX:32" in output
    # One password that Dovecot cannot read does not prevent other lookups.
    assert "k3@example.org, sign-in: expected “yes”, found “no”" in output
    assert (status, "1 difference found" in output) == (1, True)


# Postfix's user


def test_maps_opened_by_daemons_may_belong_to_root(server):
    """Only proxymap opens them as Postfix's user: this shows that Postfix does so."""
    path = server.config / "main.cf"
    direct = path.read_text().replace("proxy:", "")
    with contextlib.ExitStack() as stack:
        stack.enter_context(altered(path, path.read_text(), direct))
        for file in (server.config / "mailadmin").glob("*.cf"):
            before = file.stat()
            stack.callback(os.chown, file, before.st_uid, before.st_gid)
            os.chown(file, 0, 0)
        reload_postfix(server)
        output, status = verify(server)
    reload_postfix(server)
    assert (status, "0 differences" in output) == (0, True)


def test_a_process_without_root_rights_reports_it(server, monkeypatch):
    monkeypatch.setattr(programs, "get_process_identity", mock.Mock(side_effect=PermissionError))
    output, status = verify(server)
    assert status == 0
    assert "Not checked: Postfix: the map files, as the user of Postfix" in output


def test_a_stale_proxymap_cache_is_detected(server, changed):
    """The file is restored, but the running process has read the changed one."""
    path = server.config / "mailadmin/virtual_mailbox.cf"
    with altered(path, "mailbox.maildir", "'elsewhere/'"):
        reload_postfix(server)
        server.tool(
            "postmap", "-q", "bob@example.org", f"proxy:{server.choices.map_type[6:]}:{path}"
        )
        assert ("bob@example.org", "virtual_mailbox_maps") in differences(server)
        keep = smtplib.SMTP("127.0.0.1", server.port, timeout=5)
    found = differences(server)
    keep.close()
    reload_postfix(server)
    assert ("bob@example.org", "virtual_mailbox_maps (proxymap)") in found


# Unreachable servers


def test_without_a_mail_server_the_panels_queries_are_verified(server, tmp_path):
    out = io.StringIO()
    places = [f"--postfix={tmp_path}/none", f"--dovecot={tmp_path}/none"]
    call_command("mailserver", "verify", "--all", *places, stdout=out)
    output = out.getvalue().splitlines()
    assert output[0] == f"Not checked: Postfix: {tmp_path}/none/main.cf does not exist"
    assert output[1] == f"Not checked: Dovecot: {tmp_path}/none/dovecot.conf does not exist"
    assert "Dovecot" in Verification.objects.get().trouble


def test_a_query_that_cannot_run_is_an_error_without_a_mail_server(server, tmp_path, monkeypatch):
    monkeypatch.setattr("mailboxes.postfix.maps.NOT_ALL_ROW_CONDITION", "domain.no_such_column = 1")
    places = [f"--postfix={tmp_path}/none", f"--dovecot={tmp_path}/none"]
    with pytest.raises(CommandError, match="no_such_column"):
        call_command("mailserver", "verify", "--all", *places, stdout=io.StringIO())


def test_a_database_unreachable_for_postfix_is_reported(server, changed):
    if connection.vendor == "mysql":
        changed("etc/mailadmin/virtual_alias.cf", "password = testpostfix", "password = s3cret")
    else:
        changed("etc/mailadmin/virtual_alias.cf", "dbpath = ", "dbpath = /nowhere")
    output, status = verify(server)
    assert status == 1
    [line] = [line for line in output.splitlines() if line.startswith("Not checked: Postfix: ")]
    assert "virtual_alias.cf" in output
    assert "s3cret" not in output
    assert "Not checked: Dovecot" not in output


def test_a_stopped_postfix_is_reported(server, tmp_path):
    copied = tmp_path / "postfix"
    shutil.copytree(server.config, copied)
    (tmp_path / "queue").mkdir()
    path = copied / "main.cf"
    path.write_text(f"{path.read_text()}\nqueue_directory = {tmp_path}/queue\n")
    out = io.StringIO()
    places = [f"--postfix={copied}", f"--dovecot={server.folder}/dovecot"]
    with pytest.raises(CommandError, match="Postfix") as error:
        call_command("mailserver", "verify", "--all", *places, stdout=out)
    assert error.value.returncode == 1
    assert "Not checked: Postfix: " in out.getvalue()
    assert "Not checked: Dovecot: " not in out.getvalue()


def test_a_stopped_dovecot_is_reported(server, tmp_path):
    copied = tmp_path / "dovecot"
    shutil.copytree(server.folder / "dovecot", copied)
    path = copied / "dovecot.conf"
    path.write_text(f"{path.read_text()}\nbase_dir = {tmp_path}/run\n")
    out = io.StringIO()
    places = [f"--postfix={server.config}", f"--dovecot={copied}"]
    with pytest.raises(CommandError, match="Dovecot") as error:
        call_command("mailserver", "verify", "--all", *places, stdout=out)
    assert error.value.returncode == 1
    assert "Not checked: Dovecot: " in out.getvalue()
    assert "Not checked: Postfix: " not in out.getvalue()


# SMTP probe


def test_postfix_is_probed_by_smtp_and_no_mail_is_sent(server, settings):
    settings.EMAIL_PORT = server.port
    assert probe_recipient("bob@example.org") == "250 2.1.5 Ok"
    make(set_mailboxes, ["bob@example.org"], "active", False)
    assert probe_recipient("bob@example.org").startswith("550 5.2.1 ")
    assert not server.mails("bob@example.org")
    settings.EMAIL_PORT = free_port()
    with pytest.raises(ProbeError, match=str(settings.EMAIL_PORT)):
        probe_recipient("bob@example.org")


def test_the_page_shows_whether_postfix_agrees(server, settings, client):
    client.force_login(
        Admin.objects.get(pk="root@example.net"), backend="mailadmin.accounts.backends.AdminBackend"
    )
    page = "/mailboxes/bob@example.org/seen/"
    settings.EMAIL_PORT = free_port()
    assert "The mail server did not answer" in client.get(page).content.decode()
    settings.EMAIL_PORT = server.port
    assert "Postfix accepts mail for this mailbox" in client.get(page).content.decode()
    make(set_mailboxes, ["bob@example.org"], "active", False)
    assert "Postfix rejects mail for this mailbox, as" in client.get(page).content.decode()
    part = client.get(page, headers={"HX-Request": "true"}).content.decode()
    assert "550 5.2.1" in part and "<html" not in part


def test_a_postfix_that_disagrees_is_shown(server, settings, client, changed):
    settings.EMAIL_PORT = server.port
    changed("etc/mailadmin/virtual_mailbox_domains.cf", "active = 1", "active = 7")
    client.force_login(
        Admin.objects.get(pk="root@example.net"), backend="mailadmin.accounts.backends.AdminBackend"
    )
    server.tool("postfix", "reload")
    shown = client.get("/mailboxes/bob@example.org/seen/").content.decode()
    assert "Postfix disagrees with the panel" in shown


# Many


def test_thousands_of_mailboxes_are_compared_in_a_few_calls(server):
    make(create_domains, [{"domain": "large.test", "default_aliases": False}])
    there = Domain.objects.get(pk="large.test")
    row = {"domain": there, "password": "{PLAIN}x", "quota": 0}
    rows = [row | {"local_part": f"m{number}"} for number in range(MANY)]
    make(create_mailboxes, rows)
    with mock.patch.object(programs, "run_program", wraps=programs.run_program) as run_program:
        assert differences(server, "--domain=large.test") == []
    assert 0 < run_program.call_count < MANY / 10


MANY = 700
