"""TLS with the SMTP server: its certificate is verified, unless the operator says otherwise."""

import datetime
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mailadmin.conf.urls import parse_smtp_url
from mailadmin.mails.models import OutgoingMail
from mailboxes.mailserver.smtp_probe import ProbeError, probe_recipient
from tests.mailadmin.mails.queued import add_mail, send
from tests.mailadmin.mails.smtp_servers import Receiver
from tests.started_panel import value

pytestmark = pytest.mark.django_db
SCHEMES = pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])


KEY_USES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
    *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def build_name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def build_key_extensions(key, signing_key):
    """Return what names the keys, without which Python 3.13 takes no certificate."""
    usage = dict.fromkeys(KEY_USES, False) | {"digital_signature": True}
    usage |= {"key_cert_sign": key is signing_key, "crl_sign": key is signing_key}
    return (
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()),
        x509.KeyUsage(**usage),
    )


def build_certificate(name, issuer=None, signing_key=None, host=None):
    """Return the key and the certificate of a server, or of an authority without an issuer."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(
        issuer_name=issuer.subject if issuer else build_name(name),
        subject_name=build_name(name),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(hours=1),
        not_valid_after=now + datetime.timedelta(days=1),
    ).add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    for extension in build_key_extensions(key, signing_key or key):
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.KeyUsage))
    if host:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
        builder = builder.add_extension(names, critical=False)
    return key, builder.sign(signing_key or key, hashes.SHA256())


def write_pem(path, *parts):
    encoding = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    texts = [
        part.public_bytes(encoding)
        if isinstance(part, x509.Certificate)
        else part.private_bytes(encoding, *plain)
        for part in parts
    ]
    path.write_bytes(b"".join(texts))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A private authority, certificates that it signed for two addresses, and a foreign one."""
    folder = tmp_path_factory.mktemp("tls")
    ca_key, ca = build_certificate("Test CA")
    _other_key, other = build_certificate("Other CA")
    write_pem(folder / "ca.pem", ca)
    write_pem(folder / "other.pem", other)
    for name, host in (("server", "127.0.0.1"), ("stranger", "192.0.2.1")):
        write_pem(folder / f"{name}.pem", *build_certificate(name, ca, ca_key, host))
    return folder


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
