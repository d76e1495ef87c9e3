"""Mails as another mail server receives them: Postfix's own receiver for tests."""

import pytest
from django.core.management import call_command

from mailadmin.mails.models import OutgoingMail
from tests import mail_receivers, mailservers
from tests.mailadmin.mails.queued import add_mail

pytestmark = [pytest.mark.mailserver, mailservers.needs_root, pytest.mark.django_db]


@pytest.fixture
def sink(settings):
    with mail_receivers.Sink() as sink:
        sink.run()
        settings.EMAIL_BACKEND = "mailadmin.email_backend.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        yield sink


def test_a_mail_arrives_with_both_parts(sink):
    mail = add_mail(language="ru", device="Žluťoučký 🐎 <b>", account="bob@example.org")
    dotted = add_mail(device=". leading dot")
    call_command("worker", once=True)
    received = {each["Message-ID"]: each for each in sink.mails()}
    assert received.keys() == {mail.message_id, dotted.message_id}
    arrived = received[mail.message_id]
    text, html = arrived.iter_parts()
    assert "Žluťoučký 🐎 <b>" in text.get_content()
    assert "Žluťoučký 🐎 &lt;b&gt;" in html.get_content()
    assert "bob@example.org" in arrived["Subject"]
    assert sink.recipients() == ["bob@example.org"] * 2
    assert set(OutgoingMail.objects.values_list("state", flat=True)) == {"sent"}


def test_the_server_is_greeted_with_the_name_of_the_settings(sink, settings):
    settings.MAILADMIN_SMTP_CLIENT, settings.MAILADMIN_ADMIN_NAME = "panel.example.org", "Team"
    add_mail()
    call_command("worker", once=True)
    [received] = sink.mails()
    assert received["X-Helo-Args"] == "panel.example.org"
    assert received["From"] == "Team <postmaster@example.org>"


def test_mails_wait_while_the_server_is_away(sink):
    sink.process.terminate()
    sink.process.wait()
    add_mail()
    call_command("worker", once=True)
    (mail,) = OutgoingMail.objects.all()
    assert (mail.state, sink.mails()) == ("waiting", [])
    sink.run()
    OutgoingMail.objects.update(due=mail.created)
    call_command("worker", once=True)
    assert [each["Message-ID"] for each in sink.mails()] == [mail.message_id]
