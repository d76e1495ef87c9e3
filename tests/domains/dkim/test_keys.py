"""DKIM keys: what is accepted, and the DNS records, as programs that are not ours read them."""

import base64
import subprocess

import dns.zone
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from django.core.exceptions import ValidationError
from django.test import SimpleTestCase

from domains.dkim.keys import (
    build_record_value,
    derive_public_key,
    generate_private_key,
    quote_record_value,
    validate_selector,
)
from tests.domains.dkim.dkim_world import PRIVATE_KEY, PUBLIC_KEY


def to_pem(key, password=None):
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    ).decode()


class KeyTests(SimpleTestCase):
    def test_openssl_derives_the_same_public_key(self):
        command = ["openssl", "rsa", "-pubout"]
        result = subprocess.run(
            command, input=PRIVATE_KEY, capture_output=True, text=True, check=True
        )
        self.assertEqual(result.stdout, PUBLIC_KEY)

    def test_each_new_key_is_another(self):
        self.assertNotEqual(generate_private_key(), PRIVATE_KEY)

    def test_keys_that_cannot_sign_are_refused(self):
        command = ["openssl", "genrsa", "768"]
        short = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        protected = to_pem(rsa.generate_private_key(65537, 2048), b"secret")
        other = to_pem(ed25519.Ed25519PrivateKey.generate())
        for text in (short, protected, other, PUBLIC_KEY, "", "x", PRIVATE_KEY[:200]):
            with self.assertRaises(ValidationError):
                derive_public_key(text)

    def test_selectors(self):
        for selector in ("default", "mail2026", "a", "k1.mail", "x" * 63):
            validate_selector(selector)
        for selector in ("", "-a", "a-", "a..b", ".a", "a.", "a b", "ä", "A", "a_b", "x" * 64):
            with self.assertRaises(ValidationError):
                validate_selector(selector)


class RecordTests(SimpleTestCase):
    def test_a_zone_file_has_the_key(self):
        value = build_record_value(PUBLIC_KEY)
        line = f"mail._domainkey 3600 IN TXT {quote_record_value(value)}\n"
        zone = dns.zone.from_text(line, "example.org", check_origin=False)
        [record] = zone.find_rdataset("mail._domainkey", "TXT")
        self.assertTrue(all(len(part) <= 255 for part in record.strings))
        text = b"".join(record.strings).decode()
        self.assertEqual(text, value)
        tags = dict(tag.strip().split("=", 1) for tag in text.split(";"))
        key = serialization.load_der_public_key(base64.b64decode(tags["p"]))
        self.assertEqual(key, serialization.load_pem_public_key(PUBLIC_KEY.encode()))

    def test_an_unreadable_key_has_no_record(self):
        for stored in (None, "", "x"):
            self.assertEqual(build_record_value(stored), "")
