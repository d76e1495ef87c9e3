"""TLS with the SMTP server: its certificate is verified, unless the operator says otherwise."""

import ssl

import pytest

from mailadmin.conf.urls import parse_smtp_url
from mailadmin.mails.models import OutgoingMail
from mailboxes.mailserver.smtp_probe import ProbeError, probe_recipient
from tests.certificates import write_authorities
from tests.mailadmin.mails.queued import add_mail, send
from tests.mailadmin.mails.smtp_servers import Receiver
from tests.started_panel import value

pytestmark = pytest.mark.django_db
SCHEMES = pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_authorities(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def deliver(files, settings):
    """Send a mail to a server with this certificate by a URL; return the mail and what arrived."""

    def deliver(scheme, certificate, options=""):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files / f"{certificate}.pem")
        with Receiver(context, starttls=scheme != "smtps") as server:
            url = f"{scheme}://127.0.0.1:{server.port}{options}"
            for name, given in parse_smtp_url(url).items():
                setattr(settings, name, given)
            settings.EMAIL_BACKEND = "mailadmin.email_backend.EmailBackend"
            add_mail()
            send()
            try:
                probed = probe_recipient("bob@example.org")
            except ProbeError as error:
                probed = str(error)
        return OutgoingMail.objects.get(), [to for to, _content in server.accepted], probed

    return deliver


@SCHEMES
@pytest.mark.parametrize(
    "certificate, options",
    [("server", ""), ("server", "?ca={}/other.pem"), ("stranger", "?ca={}/ca.pem")],
)
def test_a_certificate_that_cannot_be_verified_gets_no_mail(
    deliver, files, scheme, certificate, options
):
    mail, arrived, probed = deliver(scheme, certificate, options.format(files))
    assert arrived == []
    assert mail.state == "waiting"
    assert "CERTIFICATE_VERIFY_FAILED" in mail.error
    assert "CERTIFICATE_VERIFY_FAILED" in probed


@SCHEMES
@pytest.mark.parametrize(
    "certificate, options", [("server", "?ca={}/ca.pem"), ("stranger", "?verify=no")]
)
def test_a_mail_is_sent_by_tls(deliver, files, scheme, certificate, options):
    mail, arrived, probed = deliver(scheme, certificate, options.format(files))
    assert arrived == ["bob@example.org"], mail.error
    assert mail.state == "sent"
    assert probed.startswith("250")


@pytest.mark.parametrize(
    "url, reason",
    [
        ("smtps://host?ca=/nowhere.pem", "/nowhere.pem"),
        ("smtps://host?ca={}/empty.pem", "empty.pem"),
        ("smtps://host?verify=maybe", "neither yes nor no"),
        ("smtps://host?verify=no&ca={}/ca.pem", "would not use"),
        ("smtps://host?insecure=1", "unknown option"),
        ("smtp://host?verify=no", "options of TLS"),
    ],
)
def test_options_that_make_no_sense_stop_the_start(files, url, reason):
    (files / "empty.pem").write_text("nothing\n")
    with pytest.raises(SystemExit) as stopped:
        value("MAILADMIN_SMTP_URL", url.format(files))
    assert str(stopped.value).startswith("mailadmin: MAILADMIN_SMTP_URL ")
    assert reason in str(stopped.value)
