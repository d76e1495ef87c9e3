"""The table of schemes: Dovecot 2.3's, those it has dropped, Courier's and PostfixAdmin's names.

{MD5} is Dovecot's: `$1$` when written, any of the three MD5 forms when read. PostfixAdmin's
`encrypt = md5` is PLAIN-MD5 here, its `sha512.b64` is SHA512-CRYPT.B64. LANMAN, NTLM, RPA, SKEY and
MD5RAW are read and never written: today's Dovecot does not know them.
"""

import binascii
import functools
import hashlib
import hmac
import os
import re
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import floor, sin

import argon2.low_level
import bcrypt
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from passlib.crypto.digest import lookup_hash
from passlib.hash import des_crypt, lmhash, md5_crypt, sha256_crypt, sha512_crypt

from mailadmin.passwords import crypt3
from mailadmin.passwords.crypt3 import (
    BCRYPT_BYTES,
    CRYPT_BYTES,
    MAX_BCRYPT_COST,
    MAX_MEMORY,
    MAX_ROUNDS,
    Unreadable,
)

MAX_PASSWORD_BYTES = 4096  # above what an IMAP client can send
MAX_ARGON2_KIB = MAX_MEMORY // 1024
MAX_ARGON2_WORK = 8 * MAX_ARGON2_KIB  # memory times passes
MAX_ARGON2_LANES = 16
MAX_OTP_ROUNDS = 10_000

SALT_BYTES = 8
ARGON2_SALT_BYTES = 16
SCRAM_SALT_BYTES = 16


@dataclass(frozen=True)
class Scheme:
    """How one scheme is read and written; `make` is None where Dovecot could not read it."""

    check: Callable[[bytes, bytes, str], bool]
    make: Callable[[bytes, str, int], bytes] | None = None
    encoding: str = ""
    size: int = 0  # of the decoded value, where it is fixed: hex and base64 are then told apart
    longest: int = MAX_PASSWORD_BYTES
    rounds: tuple[int, int, int] = (0, 0, 0)  # default, least, most
    prefix: str = ""  # Dovecot's name for it, where the table's is ours
    is_crypt: bool = False

    def cost(self, asked: int | None) -> int:
        default, least, most = self.rounds
        return default if asked is None else min(max(asked, least), most)


# Digests

md4 = lookup_hash("md4").const  # OpenSSL 3 has none; passlib brings its own


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _sha512(data: bytes) -> bytes:
    return hashlib.sha512(data).digest()


def _md4(data: bytes) -> bytes:
    return md4(data).digest()


def _ntlm(password: bytes) -> bytes:
    return _md4(password.decode("latin-1").encode("utf-16-le"))  # byte by byte, as Dovecot had it


def _rpa(password: bytes) -> bytes:
    return _md5(password.decode("latin-1").encode("utf-16-be"))


def _digest_md5(password: bytes, username: str) -> bytes:
    if not username:
        raise Unreadable("DIGEST-MD5 needs the user name")
    user, _, realm = username.partition("@")
    return _md5(f"{user}:{realm}:".encode("utf-8", "replace") + password)


def _digest(function: Callable[..., bytes], size: int, encoding: str = "B64") -> Scheme:
    """A digest of the password alone."""
    return Scheme(
        check=lambda password, stored, username: hmac.compare_digest(function(password), stored),
        make=lambda password, username, rounds: function(password),
        encoding=encoding,
        size=size,
    )


def _salted(function: Callable[[bytes], bytes], size: int) -> Scheme:
    """A digest of password and salt, the salt behind it."""

    def check(password, stored, username):
        if len(stored) <= size:
            raise Unreadable("salted digest without salt")
        return hmac.compare_digest(function(password + stored[size:]), stored[:size])

    def make(password, username, rounds):
        salt = os.urandom(SALT_BYTES)
        return function(password + salt) + salt

    return Scheme(check, make, encoding="B64")


# CRAM-MD5: HMAC-MD5 stopped after its keys. hashlib does not show that state, hence MD5's one block
# (RFC 1321).

MD5_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
MD5_SINES = [floor(abs(sin(i + 1)) * 2**32) for i in range(64)]
MD5_SHIFTS = [(7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21)]
MD5_ROUNDS = [
    (lambda b, c, d: (b & c) | (~b & d), 1, 0),
    (lambda b, c, d: (d & b) | (~d & c), 5, 1),
    (lambda b, c, d: b ^ c ^ d, 3, 5),
    (lambda b, c, d: c ^ (b | ~d), 7, 0),
]


def _md5_state(block: bytes) -> bytes:
    """MD5's inner state after its first 64 bytes."""
    words = struct.unpack("<16I", block)
    a, b, c, d = MD5_START
    for i in range(64):
        function, step, start = MD5_ROUNDS[i // 16]
        mixed = a + function(b, c, d) + MD5_SINES[i] + words[(step * i + start) % 16] & 0xFFFFFFFF
        shift = MD5_SHIFTS[i // 16][i % 4]
        a, d, c, b = d, c, b, b + (mixed << shift | mixed >> 32 - shift) & 0xFFFFFFFF
    state = zip(MD5_START, (a, b, c, d), strict=True)
    return struct.pack("<4I", *((old + new) & 0xFFFFFFFF for old, new in state))


def _cram_md5(password: bytes) -> bytes:
    key = (_md5(password) if len(password) > 64 else password).ljust(64, b"\0")
    return b"".join(_md5_state(bytes(byte ^ pad for byte in key)) for pad in (0x5C, 0x36))


# PBKDF2 and SCRAM


def _match(shape: str, stored: bytes) -> re.Match:
    match = re.fullmatch(shape, stored.decode("latin-1"), re.DOTALL)
    if not match:
        raise Unreadable("broken hash")
    return match


def _affordable(rounds: str, most: int = MAX_ROUNDS) -> int:
    if not 0 < int(rounds) <= most:
        raise Unreadable("hash that asks for more work than allowed")
    return int(rounds)


def _pbkdf2(password: bytes, salt: str, rounds: int) -> bytes:
    key = hashlib.pbkdf2_hmac("sha1", password, salt.encode("latin-1"), rounds)
    return f"$1${salt}${rounds}${key.hex()}".encode("latin-1")


def _check_pbkdf2(password: bytes, stored: bytes, username: str) -> bool:
    match = _match(r"\$1\$([^$]+)\$(\d{1,10})\$([0-9a-f]{40})", stored)
    made = _pbkdf2(password, match[1], _affordable(match[2]))
    return hmac.compare_digest(made, stored)


def _make_pbkdf2(password: bytes, username: str, rounds: int) -> bytes:
    return _pbkdf2(password, os.urandom(SALT_BYTES).hex(), rounds)


def _scram(algorithm: str) -> Scheme:
    """RFC 5802, stored as `rounds,salt,StoredKey,ServerKey`."""
    function = functools.partial(hashlib.new, algorithm)

    def keys(password: bytes, salt: bytes, rounds: int) -> str:
        salted = hashlib.pbkdf2_hmac(algorithm, password, salt, rounds)
        client = hmac.digest(salted, b"Client Key", algorithm)
        server = hmac.digest(salted, b"Server Key", algorithm)
        return f"{_b64(function(client).digest())},{_b64(server)}"

    def check(password, stored, username):
        match = _match(r"(\d{1,10}),([^,]+),([^,]+,[^,]+)", stored)
        made = keys(password, decode_b64(match[2]), _affordable(match[1]))
        return hmac.compare_digest(made.encode(), match[3].encode())

    def make(password, username, rounds):
        salt = os.urandom(SCRAM_SALT_BYTES)
        return f"{rounds},{_b64(salt)},{keys(password, salt, rounds)}".encode()

    return Scheme(check, make, rounds=(4096, 4096, MAX_ROUNDS))  # Dovecot refuses fewer


# OTP (RFC 2289), SKEY (RFC 1760)


def _swapped(words: bytes) -> bytes:
    return struct.pack(f"<{len(words) // 4}I", *struct.unpack(f">{len(words) // 4}I", words))


def _fold(digest: bytes) -> bytes:
    """64 bits of a digest; RFC 2289 counts SHA-1's words from the other end."""
    folded = bytes(a ^ b for a, b in zip(digest[:8], digest[8:16], strict=True))
    if len(digest) == 16:
        return folded
    return _swapped(bytes(a ^ b for a, b in zip(folded, digest[16:] + bytes(4), strict=True)))


OTP_DIGESTS = {"md4": _md4, "md5": _md5, "sha1": _sha1}


def _otp(password: bytes, algorithm: str, rounds: int, seed: str) -> bytes:
    digest = OTP_DIGESTS[algorithm]
    value = _fold(digest(seed.lower().encode() + password))
    for _ in range(rounds):
        value = _fold(digest(value))
    return f"{algorithm} {rounds} {seed} {value.hex()}".encode()


def _check_otp(password: bytes, stored: bytes, username: str) -> bool:
    match = _match(r"(md4|md5|sha1) (\d{1,10}) ([0-9A-Za-z]{1,16}) [0-9a-f]{16}", stored)
    made = _otp(password, match[1], _affordable(match[2], MAX_OTP_ROUNDS), match[3])
    return hmac.compare_digest(made, stored)


def _make_otp(password: bytes, username: str, rounds: int) -> bytes:
    return _otp(password, "sha1", rounds, os.urandom(SALT_BYTES).hex())


# Argon2

ARGON2_SHAPE = (
    r"\$argon2(i|d|id)\$(?:v=\d{1,3}\$)?m=(\d{1,10}),t=(\d{1,10}),p=(\d{1,5})"
    r"\$[0-9A-Za-z+/]+\$[0-9A-Za-z+/]+"
)
ARGON2_TYPES = {
    "i": argon2.low_level.Type.I,
    "d": argon2.low_level.Type.D,
    "id": argon2.low_level.Type.ID,
}


def _check_argon2(password: bytes, stored: bytes, username: str) -> bool:
    match = _match(ARGON2_SHAPE, stored)
    memory, passes, lanes = (int(match[i]) for i in (2, 3, 4))
    if memory > MAX_ARGON2_KIB or memory * passes > MAX_ARGON2_WORK or lanes > MAX_ARGON2_LANES:
        raise Unreadable("argon2 hash that asks for more work than allowed")
    try:
        return argon2.low_level.verify_secret(stored, password, ARGON2_TYPES[match[1]])
    except VerifyMismatchError:
        return False
    except (VerificationError, InvalidHashError) as error:
        raise Unreadable("broken argon2 hash") from error


def _argon2(kind: str, memory: int, passes: int) -> Scheme:
    def make(password, username, rounds):
        salt = os.urandom(ARGON2_SALT_BYTES)
        return argon2.low_level.hash_secret(
            password, salt, rounds, memory, 1, 32, ARGON2_TYPES[kind]
        )

    return Scheme(_check_argon2, make, rounds=(passes, 1, MAX_ARGON2_WORK // memory))


# crypt(3)


def _make_bcrypt(password: bytes, username: str, rounds: int) -> bytes:
    # 2y is 2b by the name that PHP and Dovecot write
    return bcrypt.hashpw(password, b"$2y$" + bcrypt.gensalt(rounds)[4:])


def _make_sha_crypt(handler) -> Callable[[bytes, str, int], bytes]:
    return lambda password, username, rounds: handler.using(rounds=rounds).hash(password).encode()


def _libcrypt(gensalt_prefix: bytes, **more) -> Scheme:
    """A form only the C library writes; Dovecot knows it as CRYPT."""

    def make(password, username, rounds):
        setting = crypt3.gensalt(gensalt_prefix, rounds)
        made = setting and crypt3.crypt_r(password, setting)
        if not made:
            raise Unreadable("the C library of this machine does not write it")
        return made

    return Scheme(crypt3.check, make, longest=CRYPT_BYTES, prefix="CRYPT", is_crypt=True, **more)


def _crypt(make: Callable, longest: int = CRYPT_BYTES, **more) -> Scheme:
    return Scheme(crypt3.check, make, longest=longest, is_crypt=True, **more)


# Plain text


def _check_plain(password: bytes, stored: bytes, username: str) -> bool:
    if not stored:
        raise Unreadable("nothing stored")
    return hmac.compare_digest(password, stored)


def _check_plain_trunc(password: bytes, stored: bytes, username: str) -> bool:
    """`<length>-<text>`: text that was cut at that length. `doveadm pw` writes bare text."""
    length, dash, text = stored.partition(b"-")
    if not (dash and length.isdigit()):
        return _check_plain(password, stored, username)
    is_cut = length.lstrip(b"0") == str(len(text)).encode() and text
    return hmac.compare_digest(password[: len(text)] if is_cut else password, text)


def _check_md5(password: bytes, stored: bytes, username: str) -> bool:
    """{MD5} is whichever of MD5-CRYPT, PLAIN-MD5 and LDAP-MD5 it looks like."""
    if stored.startswith(b"$1$"):
        return crypt3.check(password, stored)
    digest = decode(SCHEMES["PLAIN-MD5"], "", stored.decode("latin-1"))
    return hmac.compare_digest(_md5(password), digest)


def _read_only(scheme: Scheme) -> Scheme:
    return replace(scheme, make=None)


SHA_CRYPT_ROUNDS = (5000, 1000, MAX_ROUNDS)
BCRYPT = _crypt(_make_bcrypt, BCRYPT_BYTES, rounds=(10, 4, MAX_BCRYPT_COST))
MD5_CRYPT = _crypt(lambda password, username, rounds: md5_crypt.hash(password).encode())
PLAIN = Scheme(_check_plain, lambda password, username, rounds: password)
OTP = Scheme(_check_otp, _make_otp, rounds=(1024, 1, MAX_OTP_ROUNDS))

SCHEMES = {
    "BLF-CRYPT": BCRYPT,
    "CRYPT": BCRYPT,
    "DES-CRYPT": _crypt(lambda password, username, rounds: des_crypt.hash(password).encode()),
    "MD5-CRYPT": MD5_CRYPT,
    "MD5": replace(MD5_CRYPT, check=_check_md5),
    "SHA256-CRYPT": _crypt(_make_sha_crypt(sha256_crypt), rounds=SHA_CRYPT_ROUNDS),
    "SHA512-CRYPT": _crypt(_make_sha_crypt(sha512_crypt), rounds=SHA_CRYPT_ROUNDS),
    "YESCRYPT": _libcrypt(b"$y$", rounds=(5, 1, 9)),
    "GOST-YESCRYPT": _libcrypt(b"$gy$", rounds=(5, 1, 9)),
    "SCRYPT": _libcrypt(b"$7$", rounds=(7, 6, 9)),
    "SHA1-CRYPT": _libcrypt(b"$sha1", rounds=(262_144, 1000, MAX_ROUNDS // 2)),
    "SUNMD5": _libcrypt(b"$md5", rounds=(0, 0, MAX_ROUNDS // 2)),
    "ARGON2I": _argon2("i", 32 * 1024, 4),
    "ARGON2ID": _argon2("id", 64 * 1024, 3),
    "PBKDF2": Scheme(_check_pbkdf2, _make_pbkdf2, rounds=(5000, 1, MAX_ROUNDS)),
    "SCRAM-SHA-1": _scram("sha1"),
    "SCRAM-SHA-256": _scram("sha256"),
    "CRAM-MD5": _digest(_cram_md5, 32, "HEX"),
    "HMAC-MD5": _digest(_cram_md5, 32, "HEX"),
    "DIGEST-MD5": Scheme(
        check=lambda password, stored, username: hmac.compare_digest(
            _digest_md5(password, username), stored
        ),
        make=lambda password, username, rounds: _digest_md5(password, username),
        encoding="HEX",
        size=16,
    ),
    "PLAIN-MD5": _digest(_md5, 16, "HEX"),
    "LDAP-MD5": _digest(_md5, 16),
    "PLAIN-MD4": _digest(_md4, 16, "HEX"),
    "SHA": _digest(_sha1, 20),
    "SHA1": _digest(_sha1, 20),
    "SHA256": _digest(_sha256, 32),
    "SHA512": _digest(_sha512, 64),
    "SMD5": _salted(_md5, 16),
    "SSHA": _salted(_sha1, 20),
    "SSHA256": _salted(_sha256, 32),
    "SSHA512": _salted(_sha512, 64),
    "PLAIN": PLAIN,
    "CLEAR": PLAIN,
    "CLEARTEXT": PLAIN,
    "PLAIN-TRUNC": Scheme(
        _check_plain_trunc,
        lambda password, username, rounds: b"%d-%s" % (len(password) + 1, password),
    ),
    "OTP": OTP,
    "SKEY": _read_only(OTP),
    "MD5RAW": _read_only(_digest(_md5, 16, "HEX")),
    "NTLM": _read_only(_digest(_ntlm, 16, "HEX")),
    "LANMAN": _read_only(_digest(lmhash.raw, 16, "HEX")),
    "RPA": _read_only(_digest(_rpa, 16, "HEX")),
}

# PostfixAdmin's `encrypt`, where it says what Dovecot's name says
ALIASES = {
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
class Choice:
    """A scheme as somebody named it: with an encoding, with a cost."""

    name: str
    encoding: str = ""
    rounds: int | None = None

    @property
    def scheme(self) -> Scheme:
        return SCHEMES[self.name]

    @property
    def kind(self) -> str:
        """What it writes, by the name that a hash of it gives itself."""
        return {"CRYPT": "BLF-CRYPT", "MD5": "MD5-CRYPT"}.get(self.name, self.name)

    @property
    def prefix(self) -> str:
        encoding = self.encoding and f".{self.encoding}"
        return f"{{{self.scheme.prefix or self.name}{encoding}}}"


def find(label: str) -> Choice | None:
    """The scheme of a `{label}`, or None."""
    name, dot, encoding = label.upper().partition(".")
    if name not in SCHEMES or (dot and encoding not in ENCODINGS):
        return None
    return Choice(name, ENCODINGS.get(encoding, ""))


def find_writable(spelling: str) -> Choice | None:
    """The scheme a setting means, in Dovecot's or PostfixAdmin's words; None if it is not ours."""
    spelling = spelling.strip().upper().removeprefix("DOVECOT:")
    spelled_rounds = re.fullmatch(r"(PHP_CRYPT:(?:BLOWFISH|SHA256|SHA512)):(\d{1,10})", spelling)
    if spelled_rounds:
        return _at_cost(ALIASES[spelled_rounds[1]], int(spelled_rounds[2]))
    choice = find(ALIASES.get(spelling, spelling))
    return choice if choice and choice.scheme.make else None


def _at_cost(name: str, rounds: int) -> Choice | None:
    return Choice(name, rounds=rounds) if SCHEMES[name].cost(rounds) == rounds else None


# Encodings


def _b64(data: bytes) -> str:
    return b64encode(data).decode()


def decode_b64(text: str) -> bytes:
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable("broken base64") from error


def _decode_hex(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        return decode_b64(text)  # as Dovecot: some write base64 under a name that says hex


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Unreadable("not valid text") from error


DECODERS = {"HEX": _decode_hex, "B64": decode_b64, "": _encoded}
ENCODERS = {"HEX": lambda data: data.hex(), "B64": _b64, "": lambda data: data.decode()}


def decode(scheme: Scheme, encoding: str, body: str) -> bytes:
    """What Dovecot makes of the text behind the prefix."""
    if scheme.size:
        data = DECODERS["HEX" if len(body) == 2 * scheme.size else "B64"](body)
        if len(data) != scheme.size:
            raise Unreadable("digest of a wrong length")
        return data
    if encoding and "$" in body:  # as Dovecot: a prefix that says base64 before what is not
        return _encoded(body)
    return DECODERS[encoding or scheme.encoding](body)


def encode(scheme: Scheme, encoding: str, data: bytes) -> str:
    return ENCODERS[encoding or scheme.encoding](data)
