"""Digests of the password itself: hashlib's, CRAM-MD5, one-time passwords."""

import hashlib
import hmac
import os
import struct
from math import floor, sin

from mailadmin.passwords.limits import MAX_OTP_ROUNDS, UnverifiableHash, check_rounds, match_hash

OTP_SEED_BYTES = 8


def md4(data: bytes) -> bytes:
    """Compute by passlib, which brings its own: OpenSSL 3 has none."""
    from passlib.crypto.digest import lookup_hash

    return lookup_hash("md4").const(data).digest()


def md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def sha512(data: bytes) -> bytes:
    return hashlib.sha512(data).digest()


def make_digest_md5(password: bytes, username: str, rounds: int = 0) -> bytes:
    if not username:
        raise UnverifiableHash("DIGEST-MD5 needs the user name")
    user, _, realm = username.partition("@")
    return md5(f"{user}:{realm}:".encode("utf-8", "replace") + password)


def check_digest_md5(password: bytes, stored: bytes, username: str) -> bool:
    return hmac.compare_digest(make_digest_md5(password, username), stored)


# CRAM-MD5 stores the state of HMAC-MD5 after its keys. hashlib does not expose that state, so MD5's
# first block is computed here (RFC 1321).

MD5_INITIAL_STATE = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
MD5_SINES = [floor(abs(sin(i + 1)) * 2**32) for i in range(64)]
MD5_SHIFTS = [(7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21)]
MD5_ROUNDS = [
    (lambda b, c, d: (b & c) | (~b & d), 1, 0),
    (lambda b, c, d: (d & b) | (~d & c), 5, 1),
    (lambda b, c, d: b ^ c ^ d, 3, 5),
    (lambda b, c, d: c ^ (b | ~d), 7, 0),
]


def md5_state(block: bytes) -> bytes:
    """Return MD5's inner state after its first 64 bytes."""
    words = struct.unpack("<16I", block)
    a, b, c, d = MD5_INITIAL_STATE
    for i in range(64):
        function, step, start = MD5_ROUNDS[i // 16]
        mixed = a + function(b, c, d) + MD5_SINES[i] + words[(step * i + start) % 16] & 0xFFFFFFFF
        shift = MD5_SHIFTS[i // 16][i % 4]
        a, d, c, b = d, c, b, b + (mixed << shift | mixed >> 32 - shift) & 0xFFFFFFFF
    state = zip(MD5_INITIAL_STATE, (a, b, c, d), strict=True)
    return struct.pack("<4I", *((old + new) & 0xFFFFFFFF for old, new in state))


def cram_md5(password: bytes) -> bytes:
    key = (md5(password) if len(password) > 64 else password).ljust(64, b"\0")
    return b"".join(md5_state(bytes(byte ^ pad for byte in key)) for pad in (0x5C, 0x36))


# One-time passwords: OTP (RFC 2289)


def _swap_words(data: bytes) -> bytes:
    return struct.pack("<2I", *struct.unpack(">2I", data))


def _fold_digest(digest: bytes) -> bytes:
    """Fold a digest to 64 bits; RFC 2289 has the bytes of SHA-1's words in reverse order."""
    folded = bytes(a ^ b for a, b in zip(digest[:8], digest[8:16], strict=True))
    if len(digest) == 16:
        return folded
    rest = digest[16:] + bytes(4)
    return _swap_words(bytes(a ^ b for a, b in zip(folded, rest, strict=True)))


OTP_DIGESTS = {"md4": md4, "md5": md5, "sha1": sha1}


def _compute_otp(password: bytes, algorithm: str, rounds: int, seed: str) -> bytes:
    digest = OTP_DIGESTS[algorithm]
    value = _fold_digest(digest(seed.lower().encode() + password))
    for _ in range(rounds):
        value = _fold_digest(digest(value))
    return f"{algorithm} {rounds} {seed} {value.hex()}".encode()


def check_otp(password: bytes, stored: bytes, username: str) -> bool:
    match = match_hash(r"(md4|md5|sha1) (\d{1,10}) ([0-9A-Za-z]{1,16}) [0-9a-f]{16}", stored)
    actual = _compute_otp(password, match[1], check_rounds(match[2], MAX_OTP_ROUNDS), match[3])
    return hmac.compare_digest(actual, stored)


def make_otp(password: bytes, username: str, rounds: int) -> bytes:
    return _compute_otp(password, "sha1", rounds, os.urandom(OTP_SEED_BYTES).hex())
