"""Limits of the work that a stored hash may demand, and the error for hashes beyond them."""

import re

# At most a few seconds of one processor: hashes that demand more are not computed.
MAX_BCRYPT_COST = 16
MAX_ROUNDS = 2_000_000  # sha-crypt, sunmd5, BSDi, PBKDF2, SCRAM
MAX_MEMORY = 256 * 1024 * 1024  # bytes: yescrypt, scrypt (times its lanes), argon2
MAX_ARGON2_KIB = MAX_MEMORY // 1024
MAX_ARGON2_WORK = 8 * MAX_ARGON2_KIB  # memory times passes
MAX_ARGON2_LANES = 16
MAX_OTP_ROUNDS = 10_000

MAX_PASSWORD_BYTES = 4096
MAX_BCRYPT_BYTES = 72
MAX_CRYPT_BYTES = 511  # CRYPT_MAX_PASSPHRASE_SIZE of libxcrypt, less its NUL


class UnverifiableHash(Exception):
    """A stored value that cannot be verified; the text is for the log and quotes none of it."""


def match_hash(pattern: str, stored: bytes) -> re.Match:
    match = re.fullmatch(pattern, stored.decode("latin-1"), re.DOTALL)
    if not match:
        raise UnverifiableHash("malformed hash")
    return match


def check_rounds(rounds: str, limit: int = MAX_ROUNDS) -> int:
    if not 0 < int(rounds) <= limit:
        raise UnverifiableHash("hash with a cost above the limit")
    return int(rounds)
