"""Certificates of servers and authorities, made for a test."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

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


def write_authorities(folder):
    """Write a private authority, certificates it signed for two addresses, and a foreign one."""
    ca_key, ca = build_certificate("Test CA")
    _other_key, other = build_certificate("Other CA")
    write_pem(folder / "ca.pem", ca)
    write_pem(folder / "other.pem", other)
    for name, host in (("server", "127.0.0.1"), ("stranger", "192.0.2.1")):
        write_pem(folder / f"{name}.pem", *build_certificate(name, ca, ca_key, host))
    return folder
