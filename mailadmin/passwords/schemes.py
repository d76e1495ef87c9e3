"""The table of schemes: those of Dovecot 2.3, with Courier's and PostfixAdmin's names for them.

{MD5} is Dovecot's: `$1$` when written, any of the three MD5 forms when read. PostfixAdmin's
`encrypt = md5` is PLAIN-MD5 here, its `sha512.b64` is SHA512-CRYPT.B64. What Dovecot 2.3 does not
have (LANMAN, NTLM, RPA, SKEY, MD5RAW) is not supported here either: a password is valid for the
panel exactly if it is valid for the mailbox.
"""

import hmac
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import bcrypt

from mailadmin.passwords import crypt3, digests, stretched
from mailadmin.passwords.encodings import DECODERS, ENCODERS
from mailadmin.passwords.limits import (
    MAX_ARGON2_WORK,
    MAX_BCRYPT_BYTES,
    MAX_BCRYPT_COST,
    MAX_CRYPT_BYTES,
    MAX_OTP_ROUNDS,
    MAX_PASSWORD_BYTES,
    MAX_ROUNDS,
    UnverifiableHash,
)

SALT_BYTES = 8


@dataclass(frozen=True)
class Scheme:
    """How to verify and to make the hashes of one scheme."""

    check: Callable[[bytes, bytes, str], bool]
    make: Callable[[bytes, str, int], bytes]
    encoding: str = ""
    digest_size: int = 0  # if it is fixed, it tells hex from base64
    max_bytes: int = MAX_PASSWORD_BYTES
    rounds: tuple[int, int, int] = (0, 0, 0)  # default, least, most
    prefix: str = ""  # Dovecot's name, if it is not the one in the table
    is_crypt: bool = False

    def clamp_rounds(self, rounds: int | None) -> int:
        default, lowest, highest = self.rounds
        return default if rounds is None else min(max(rounds, lowest), highest)


def _digest_scheme(
    function: Callable[..., bytes], digest_size: int, encoding: str = "B64"
) -> Scheme:
    """Return the scheme of an unsalted digest."""
    return Scheme(
        check=lambda password, stored, username: hmac.compare_digest(function(password), stored),
        make=lambda password, username, rounds: function(password),
        encoding=encoding,
        digest_size=digest_size,
    )


def _salted_scheme(function: Callable[[bytes], bytes], size: int) -> Scheme:
    """Return the scheme of a digest of password and salt, followed by the salt."""

    def check(password: bytes, stored: bytes, username: str) -> bool:
        if len(stored) <= size:
            raise UnverifiableHash("salted digest without salt")
        return hmac.compare_digest(function(password + stored[size:]), stored[:size])

    def make(password: bytes, username: str, rounds: int) -> bytes:
        salt = os.urandom(SALT_BYTES)
        return function(password + salt) + salt

    return Scheme(check, make, encoding="B64")


def _scram_scheme(algorithm: str) -> Scheme:
    return Scheme(
        partial(stretched.check_scram, algorithm),
        partial(stretched.make_scram, algorithm),
        rounds=(4096, 4096, MAX_ROUNDS),  # Dovecot refuses fewer
    )


def _argon2_scheme(variant: str, memory_kib: int, passes: int) -> Scheme:
    return Scheme(
        stretched.check_argon2,
        partial(stretched.make_argon2, variant, memory_kib),
        rounds=(passes, 1, MAX_ARGON2_WORK // memory_kib),
    )


# crypt(3)


def _make_bcrypt(password: bytes, username: str, rounds: int) -> bytes:
    # PHP and Dovecot write 2b as 2y
    return bcrypt.hashpw(password, b"$2y$" + bcrypt.gensalt(rounds)[4:])


def _make_with_passlib(name: str) -> Callable[[bytes, str, int], bytes]:
    return lambda password, username, rounds: (
        crypt3.get_passlib_hasher(name).hash(password).encode()
    )


def _make_sha_crypt(name: str) -> Callable[[bytes, str, int], bytes]:
    return lambda password, username, rounds: (
        crypt3.get_passlib_hasher(name).using(rounds=rounds).hash(password).encode()
    )


def _libcrypt_scheme(gensalt_prefix: bytes, **options: Any) -> Scheme:
    """Return a scheme that only the C library can write; Dovecot knows it as CRYPT."""

    def make(password: bytes, username: str, rounds: int) -> bytes:
        setting = crypt3.gensalt(gensalt_prefix, rounds)
        hashed = setting and crypt3.crypt_r(password, setting)
        if not hashed:
            raise UnverifiableHash("not supported by the C library of this machine")
        return hashed

    return Scheme(
        crypt3.verify_crypt,
        make,
        max_bytes=MAX_CRYPT_BYTES,
        prefix="CRYPT",
        is_crypt=True,
        **options,
    )


def _crypt_scheme(
    make: Callable[[bytes, str, int], bytes], max_bytes: int = MAX_CRYPT_BYTES, **options: Any
) -> Scheme:
    return Scheme(crypt3.verify_crypt, make, max_bytes=max_bytes, is_crypt=True, **options)


# Plain text


def _check_plain(password: bytes, stored: bytes, username: str) -> bool:
    if not stored:
        raise UnverifiableHash("no password stored")
    return hmac.compare_digest(password, stored)


def _check_plain_trunc(password: bytes, stored: bytes, username: str) -> bool:
    """Verify `<length>-<text>`, text truncated to that length; `doveadm pw` writes bare text."""
    length, dash, text = stored.partition(b"-")
    if not (dash and length.isdigit()):
        return _check_plain(password, stored, username)
    is_cut = length.lstrip(b"0") == b"%d" % len(text)
    return _check_plain(password[: len(text)] if is_cut else password, text, username)


def _check_md5(password: bytes, stored: bytes, username: str) -> bool:
    """Verify {MD5}, which is MD5-CRYPT, PLAIN-MD5 or LDAP-MD5, by its form."""
    if stored.startswith(b"$1$"):
        return crypt3.verify_crypt(password, stored)
    plain_md5 = SCHEMES["PLAIN-MD5"]
    digest = decode_hash(plain_md5, "", stored.decode("latin-1"))
    return plain_md5.check(password, digest, username)


SHA_CRYPT_ROUNDS = (5000, 1000, MAX_ROUNDS)
BCRYPT = _crypt_scheme(_make_bcrypt, MAX_BCRYPT_BYTES, rounds=(10, 4, MAX_BCRYPT_COST))
MD5_CRYPT = _crypt_scheme(_make_with_passlib("md5_crypt"))
ARGON2ID = _argon2_scheme("id", 64 * 1024, 3)
PLAIN = Scheme(_check_plain, lambda password, username, rounds: password)

SCHEMES = {
    "BLF-CRYPT": BCRYPT,
    "CRYPT": BCRYPT,
    "DES-CRYPT": _crypt_scheme(_make_with_passlib("des_crypt")),
    "MD5-CRYPT": MD5_CRYPT,
    "MD5": replace(MD5_CRYPT, check=_check_md5),
    "SHA256-CRYPT": _crypt_scheme(_make_sha_crypt("sha256_crypt"), rounds=SHA_CRYPT_ROUNDS),
    "SHA512-CRYPT": _crypt_scheme(_make_sha_crypt("sha512_crypt"), rounds=SHA_CRYPT_ROUNDS),
    "YESCRYPT": _libcrypt_scheme(b"$y$", rounds=(5, 1, 9)),
    "GOST-YESCRYPT": _libcrypt_scheme(b"$gy$", rounds=(5, 1, 9)),
    "SCRYPT": _libcrypt_scheme(b"$7$", rounds=(7, 6, 9)),
    "SHA1-CRYPT": _libcrypt_scheme(b"$sha1", rounds=(262_144, 1000, MAX_ROUNDS // 2)),
    "SUNMD5": _libcrypt_scheme(b"$md5", rounds=(0, 0, MAX_ROUNDS // 2)),
    "ARGON2I": _argon2_scheme("i", 32 * 1024, 4),
    "ARGON2ID": ARGON2ID,
    "ARGON2": replace(ARGON2ID, prefix="ARGON2ID"),  # Dovecot 2.4 has this name too, 2.3 does not
    "PBKDF2": Scheme(stretched.check_pbkdf2, stretched.make_pbkdf2, rounds=(5000, 1, MAX_ROUNDS)),
    "SCRAM-SHA-1": _scram_scheme("sha1"),
    "SCRAM-SHA-256": _scram_scheme("sha256"),
    "CRAM-MD5": _digest_scheme(digests.cram_md5, 32, "HEX"),
    "HMAC-MD5": _digest_scheme(digests.cram_md5, 32, "HEX"),
    "DIGEST-MD5": Scheme(
        digests.check_digest_md5, digests.make_digest_md5, encoding="HEX", digest_size=16
    ),
    "PLAIN-MD5": _digest_scheme(digests.md5, 16, "HEX"),
    "LDAP-MD5": _digest_scheme(digests.md5, 16),
    "PLAIN-MD4": _digest_scheme(digests.md4, 16, "HEX"),
    "SHA": _digest_scheme(digests.sha1, 20),
    "SHA1": _digest_scheme(digests.sha1, 20),
    "SHA256": _digest_scheme(digests.sha256, 32),
    "SHA512": _digest_scheme(digests.sha512, 64),
    "SMD5": _salted_scheme(digests.md5, 16),
    "SSHA": _salted_scheme(digests.sha1, 20),
    "SSHA256": _salted_scheme(digests.sha256, 32),
    "SSHA512": _salted_scheme(digests.sha512, 64),
    "PLAIN": PLAIN,
    "CLEAR": PLAIN,
    "CLEARTEXT": PLAIN,
    "PLAIN-TRUNC": Scheme(
        _check_plain_trunc,
        lambda password, username, rounds: b"%d-%s" % (len(password) + 1, password),
    ),
    "OTP": Scheme(digests.check_otp, digests.make_otp, rounds=(1024, 1, MAX_OTP_ROUNDS)),
}

# Values of PostfixAdmin's `encrypt`, and Dovecot's names for the same schemes
POSTFIXADMIN_SCHEMES = {
    "PHP_CRYPT": "BLF-CRYPT",
    "PHP_CRYPT:BLOWFISH": "BLF-CRYPT",
    "PHP_CRYPT:SHA512": "SHA512-CRYPT",
    "PHP_CRYPT:SHA256": "SHA256-CRYPT",
    "PHP_CRYPT:MD5": "MD5-CRYPT",
    "PHP_CRYPT:DES": "DES-CRYPT",
    "MD5CRYPT": "MD5-CRYPT",
    "SYSTEM": "DES-CRYPT",
    "COURIER:SSHA": "SSHA",
    "COURIER:SHA256": "SHA256",
}
ENCODINGS = {"HEX": "HEX", "B64": "B64", "BASE64": "B64"}


@dataclass(frozen=True)
class SchemeChoice:
    """A scheme as it was configured or stored: with an encoding, with a cost."""

    name: str
    encoding: str = ""
    rounds: int | None = None

    @property
    def scheme(self) -> Scheme:
        return SCHEMES[self.name]

    @property
    def canonical_name(self) -> str:
        """Return the name by which a hash of this scheme identifies itself."""
        usual = {"CRYPT": "BLF-CRYPT", "MD5": "MD5-CRYPT", "ARGON2": "ARGON2ID"}
        return usual.get(self.name, self.name)

    @property
    def prefix(self) -> str:
        encoding = self.encoding and f".{self.encoding}"
        return f"{{{self.scheme.prefix or self.name}{encoding}}}"


def find_scheme(label: str) -> SchemeChoice | None:
    """Return the scheme of a `{label}`, or None."""
    name, dot, encoding = label.upper().partition(".")
    if name not in SCHEMES or (dot and encoding not in ENCODINGS):
        return None
    return SchemeChoice(name, ENCODINGS.get(encoding, ""))


def parse_scheme_setting(spelling: str) -> SchemeChoice | None:
    """Return the scheme of a setting of Dovecot or PostfixAdmin; None if it is not supported."""
    spelling = spelling.strip().upper().removeprefix("DOVECOT:")
    spelled_rounds = re.fullmatch(r"(PHP_CRYPT:(?:BLOWFISH|SHA256|SHA512)):(\d{1,10})", spelling)
    if spelled_rounds:
        return _choice_with_rounds(POSTFIXADMIN_SCHEMES[spelled_rounds[1]], int(spelled_rounds[2]))
    return find_scheme(POSTFIXADMIN_SCHEMES.get(spelling, spelling))


def _choice_with_rounds(name: str, rounds: int) -> SchemeChoice | None:
    return (
        SchemeChoice(name, rounds=rounds) if SCHEMES[name].clamp_rounds(rounds) == rounds else None
    )


def decode_hash(scheme: Scheme, encoding: str, body: str) -> bytes:
    """Return the bytes that Dovecot decodes from the text after the prefix."""
    if scheme.digest_size:
        data = DECODERS["HEX" if len(body) == 2 * scheme.digest_size else "B64"](body)
        if len(data) != scheme.digest_size:
            raise UnverifiableHash("digest of the wrong length")
        return data
    if encoding and "$" in body:  # as Dovecot: the prefix says base64, and the text is not
        return DECODERS[""](body)
    return DECODERS[encoding or scheme.encoding](body)


def encode_hash(scheme: Scheme, encoding: str, data: bytes) -> str:
    return ENCODERS[encoding or scheme.encoding](data)
