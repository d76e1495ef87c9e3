"""Hex and base64, as Dovecot decodes them."""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable

from mailadmin.passwords.limits import UnverifiableHash


def to_base64(data: bytes) -> str:
    return b64encode(data).decode()


def from_base64(text: str) -> bytes:
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError as error:
        raise UnverifiableHash("malformed base64") from error


def from_hex(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except ValueError:
        return from_base64(text)  # as Dovecot: some programs store base64 where the name says hex


def from_text(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise UnverifiableHash("not valid text") from error


DECODERS = {"HEX": from_hex, "B64": from_base64, "": from_text}
ENCODERS: dict[str, Callable[[bytes], str]] = {"HEX": bytes.hex, "B64": to_base64, "": bytes.decode}
