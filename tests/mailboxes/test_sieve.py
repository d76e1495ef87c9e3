"""Sieve filters: stored by ManageSieve and applied at delivery."""

import smtplib

import pytest
from django.core.management import call_command

from mailboxes.mailserver.checks import Configuration, run_checks
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.models import Usage
from tests import mailservers
from tests.base import PASSWORD, build_world
from tests.mailboxes.generated_files import receive
from tests.mailboxes.managesieve import ManageSieve
from tests.mailservers import MailServer

pytestmark = [pytest.mark.mailserver, mailservers.needs_root]
FILTER = """\
require ["fileinto", "mailbox"];
if header :contains "subject" "Lunch" {
  fileinto :create "Meals";
}
"""


@pytest.fixture(params=["lmtp", "lda"])
def server(request, transactional_db):
    build_world()
    lda = "/usr/lib/dovecot/dovecot-lda -c {dovecot}"
    with MailServer(sieve=True, delivery=request.param, lda=lda) as server:
        mailservers.open_database(server, request)
        yield server.run()


def keep_script(server):
    """Store the script as bob and activate it."""
    with ManageSieve(server.ports["sieve"]) as client:
        said = client.start_tls()
        assert any("fileinto" in line for line in said)
        assert client.sign_in("bob@example.org", "wrong").startswith("NO")
        assert client.sign_in("bob@example.org", PASSWORD).startswith("OK")
        assert client.put("broken", "fileinto nowhere").startswith("NO")
        assert "QUOTA" in client.send_command('HAVESPACE "meals" 2000000')[-1]
        assert client.put("meals", FILTER).startswith("OK")
        assert client.send_command('SETACTIVE "meals"')[-1].startswith("OK")
        assert '"meals" ACTIVE' in client.send_command("LISTSCRIPTS")


def test_a_script_stored_by_managesieve_files_the_mail(server):
    keep_script(server)
    receive(server, "bob@example.org")  # about lunch
    with server.dovecot.imap() as imap:
        imap.login("bob@example.org", PASSWORD)
        assert imap.select("INBOX") == ("OK", [b"0"])
        assert imap.select("Meals") == ("OK", [b"1"])
        folders = b" ".join(imap.list()[1])
        assert b"Meals" in folders and b"sieve" not in folders
        said = b" ".join(part for parts in imap.getquotaroot("INBOX")[1] for part in parts)
        assert b"STORAGE" in said
    assert Usage.objects.get(pk="bob@example.org").messages == 1


def test_without_a_script_mail_is_delivered_to_the_inbox(server):
    receive(server, "bob@example.org")
    assert len(server.mails("bob@example.org")) == 1


def begin_with_a_dot(server):
    server._write()
    path = server.folder / "dovecot/dovecot.conf"
    path.write_text(path.read_text().replace("~/active.sieve", "~/.dovecot.sieve"))


def test_a_script_beginning_with_a_dot_is_listed_as_a_folder(transactional_db, request):
    """Why the active script does not, and `check` warns about it."""
    build_world()
    with MailServer(sieve=True, write=begin_with_a_dot) as server:
        mailservers.open_database(server, request)
        server.run()
        keep_script(server)
        with server.dovecot.imap() as imap:
            imap.login("bob@example.org", PASSWORD)
            assert b"dovecot.sieve" in b" ".join(imap.list()[1])
        with smtplib.LMTP(str(server.folder / "queue/private/dovecot-lmtp")) as client:
            client.ehlo()
            client.mail("")
            assert client.rcpt("bob@example.org")[0] == 451
        found = run_checks(Configuration(dovecot_files=DovecotFiles(server.folder / "dovecot")))
        assert "sieve-script-is-a-folder" in {each.check.code for each in found}


@pytest.mark.parametrize("sieve", [False, True])
def test_sieve_is_not_offered_unless_selected(sieve, transactional_db, request):
    build_world()
    with MailServer(sieve=sieve) as server:
        mailservers.open_database(server, request)
        server.run()
        said = server.dovecot.tool("service", "status").stdout
        assert "imap-login" in said
        assert ("managesieve-login" in said) is sieve
        assert ("managesieve" in said) is sieve


@pytest.mark.django_db
def test_the_command_writes_sieve_and_names_the_packages(tmp_path, capsys):
    options = [f"--dovecot={tmp_path}/d", f"--postfix={tmp_path}/p", "--hostname=mail.test"]
    call_command("mailserver", "config", *options, "--sieve")
    said = capsys.readouterr().out
    assert "dovecot-sieve dovecot-managesieved" in said
    assert "protocols = imap pop3 lmtp sieve\n" in (tmp_path / "d/dovecot.conf").read_text()
