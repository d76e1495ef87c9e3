"""What `mailserver verify` stores, and what pages show of it."""

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from domains.models import Admin
from mailboxes.mailserver.smtp_probe import ProbeError, probe_recipient
from mailboxes.models import Verification
from mailboxes.services.mailboxes import set_mailboxes
from tests import mailservers
from tests.mailboxes.verify.verifying import make, verify
from tests.servers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.mailserver, mailservers.needs_root]


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
