"""Expensive hashes that crypt(3) does not make: PBKDF2, SCRAM, Argon2."""

import hashlib
import hmac
import os

from mailadmin.passwords.encodings import from_base64, to_base64
from mailadmin.passwords.limits import (
    MAX_ARGON2_KIB,
    MAX_ARGON2_LANES,
    MAX_ARGON2_WORK,
    UnverifiableHash,
    check_rounds,
    match_hash,
)

SALT_BYTES = 16
SCRAM_SALT_BYTES = 12  # so that .HEX fits into a column of 255
ARGON2_HASH_BYTES = 32


# PBKDF2, in a format that only Dovecot has


def _pbkdf2(password: bytes, salt: str, rounds: int) -> bytes:
    key = hashlib.pbkdf2_hmac("sha1", password, salt.encode("latin-1"), rounds)
    return f"$1${salt}${rounds}${key.hex()}".encode("latin-1")


def check_pbkdf2(password: bytes, stored: bytes, username: str) -> bool:
    match = match_hash(r"\$1\$([^$]+)\$(\d{1,10})\$([0-9a-f]{40})", stored)
    actual = _pbkdf2(password, match[1], check_rounds(match[2]))
    return hmac.compare_digest(actual, stored)


def make_pbkdf2(password: bytes, username: str, rounds: int) -> bytes:
    return _pbkdf2(password, os.urandom(SALT_BYTES).hex(), rounds)


# SCRAM (RFC 5802), stored as `rounds,salt,StoredKey,ServerKey`


def _scram_keys(algorithm: str, password: bytes, salt: bytes, rounds: int) -> str:
    salted = hashlib.pbkdf2_hmac(algorithm, password, salt, rounds)
    client = hmac.digest(salted, b"Client Key", algorithm)
    server = hmac.digest(salted, b"Server Key", algorithm)
    return f"{to_base64(hashlib.new(algorithm, client).digest())},{to_base64(server)}"


def check_scram(algorithm: str, password: bytes, stored: bytes, username: str) -> bool:
    match = match_hash(r"(\d{1,10}),([^,]+),([^,]+,[^,]+)", stored)
    actual = _scram_keys(algorithm, password, from_base64(match[2]), check_rounds(match[1]))
    return hmac.compare_digest(actual.encode(), match[3].encode())


def make_scram(algorithm: str, password: bytes, username: str, rounds: int) -> bytes:
    salt = os.urandom(SCRAM_SALT_BYTES)
    keys = _scram_keys(algorithm, password, salt, rounds)
    return f"{rounds},{to_base64(salt)},{keys}".encode()


# Argon2. Its package is loaded by the first such hash: most processes meet none.

ARGON2_PATTERN = (
    r"\$argon2(i|d|id)\$(?:v=\d{1,3}\$)?m=(\d{1,10}),t=(\d{1,10}),p=(\d{1,10})"
    r"\$[0-9A-Za-z+/]+\$[0-9A-Za-z+/]+"
)


def check_argon2(password: bytes, stored: bytes, username: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
    from argon2.low_level import Type, verify_secret

    match = match_hash(ARGON2_PATTERN, stored)
    memory, passes, lanes = (int(match[i]) for i in (2, 3, 4))
    if memory > MAX_ARGON2_KIB or memory * passes > MAX_ARGON2_WORK or lanes > MAX_ARGON2_LANES:
        raise UnverifiableHash("argon2 hash with a cost above the limit")
    try:
        return verify_secret(stored, password, Type[match[1].upper()])
    except VerifyMismatchError:
        return False
    except (VerificationError, InvalidHashError) as error:
        raise UnverifiableHash("malformed argon2 hash") from error


def make_argon2(
    variant: str, memory_kib: int, password: bytes, username: str, rounds: int
) -> bytes:
    from argon2.low_level import Type, hash_secret

    salt = os.urandom(SALT_BYTES)
    variant_type = Type[variant.upper()]
    return hash_secret(password, salt, rounds, memory_kib, 1, ARGON2_HASH_BYTES, variant_type)
