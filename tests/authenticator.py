"""An authenticator in software, for tests of passkeys."""

import hashlib
import json
import secrets
import struct

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

USER_PRESENT, USER_VERIFIED, HAS_CREDENTIAL = 0x01, 0x04, 0x40
NO_AAGUID = bytes(16)


class Authenticator:
    """One passkey, which answers the options of a page as a browser would."""

    def __init__(self, origin="https://mail.example.net", verifies_user=True):
        self.origin, self.verifies_user = origin, verifies_user
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.credential_id = secrets.token_bytes(32)
        self.sign_count = 0

    def create(self, options, **changes):
        """Return the answer to `navigator.credentials.create`."""
        options = json.loads(options)
        data = self.client_data("webauthn.create", options["challenge"], **changes)
        authenticator_data = self.authenticator_data(options["rp"]["id"], self.public_key())
        attestation = {"fmt": "none", "attStmt": {}, "authData": authenticator_data}
        response = {
            "clientDataJSON": bytes_to_base64url(data),
            "attestationObject": bytes_to_base64url(cbor2.dumps(attestation)),
            "transports": ["internal"],
        }
        return self.answer(response)

    def get(self, options, **changes):
        """Return the answer to `navigator.credentials.get`."""
        options = json.loads(options)
        data = self.client_data("webauthn.get", options["challenge"], **changes)
        self.sign_count += 1
        authenticator_data = self.authenticator_data(options["rpId"])
        signed = authenticator_data + hashlib.sha256(data).digest()
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": bytes_to_base64url(data),
            "authenticatorData": bytes_to_base64url(authenticator_data),
            "signature": bytes_to_base64url(signature),
        }
        return self.answer(response)

    def answer(self, response):
        identifier = bytes_to_base64url(self.credential_id)
        return json.dumps(
            {"id": identifier, "rawId": identifier, "type": "public-key", "response": response}
        )

    def client_data(self, kind, challenge, origin="", **changes):
        values = {"type": kind, "challenge": challenge, "origin": origin or self.origin}
        return json.dumps(values | {"crossOrigin": False} | changes).encode()

    def authenticator_data(self, host, public_key=b""):
        flags = USER_PRESENT | (USER_VERIFIED if self.verifies_user else 0)
        flags |= HAS_CREDENTIAL if public_key else 0
        data = hashlib.sha256(host.encode()).digest() + struct.pack(">BI", flags, self.sign_count)
        if public_key:
            data += NO_AAGUID + struct.pack(">H", len(self.credential_id)) + self.credential_id
        return data + public_key

    def public_key(self):
        numbers = self.key.public_key().public_numbers()
        x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})


def read_challenge(options):
    """Return the challenge that a page asks for."""
    return base64url_to_bytes(json.loads(options)["challenge"])
