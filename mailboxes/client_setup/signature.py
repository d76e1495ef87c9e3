"""The signature of profiles; loaded by those who sign, since it takes a while to load."""

import functools
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7

Signer = tuple[list[x509.Certificate], rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey]


def sign(content: bytes, certificate_file: Path, key_file: Path) -> bytes:
    """Return the content inside its signature, with the chain of the certificate."""
    times = [file.stat().st_mtime_ns for file in (certificate_file, key_file)]
    (certificate, *chain), key = load_signer(certificate_file, key_file, *times)
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content)
    builder = builder.add_signer(certificate, key, hashes.SHA256())
    for issuer in chain:
        builder = builder.add_certificate(issuer)
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])


@functools.lru_cache(maxsize=1)
def load_signer(certificate_file: Path, key_file: Path, *_times: int) -> Signer:
    """Return the certificates and the key, read once: to load a key takes 60 ms, to sign one.

    The times of both files are arguments, so that renewed ones are read.
    """
    certificates = x509.load_pem_x509_certificates(certificate_file.read_bytes())
    key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise ValueError("is neither an RSA key nor one of elliptic curves")
    return certificates, key
