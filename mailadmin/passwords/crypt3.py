"""crypt(3): every format that today's C libraries write, up to a limit of work.

The C library does the work, as it does for Dovecot, with its own salts and limits. Where it is
missing, passlib verifies the formats it has, and the others cannot be verified. bcrypt hashes are
verified by the package `bcrypt`.
"""

import ctypes
import functools
import hmac
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import bcrypt

from mailadmin.passwords.limits import (
    MAX_BCRYPT_BYTES,
    MAX_BCRYPT_COST,
    MAX_CRYPT_BYTES,
    MAX_MEMORY,
    MAX_ROUNDS,
    UnverifiableHash,
)

CRYPT_DATA_BYTES = 256 * 1024  # struct crypt_data: 32 KiB in libxcrypt, 128 KiB in glibc
SALT_BYTES = 192  # CRYPT_GENSALT_OUTPUT_SIZE of libxcrypt

ITOA64 = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def decode_itoa64(digits: bytes) -> int:
    """Decode a number of crypt(3): six bits for each character, the lowest first."""
    return sum(ITOA64.index(digit) << (6 * position) for position, digit in enumerate(digits))


def _is_always_affordable(match: re.Match) -> bool:
    return True


def _is_bcrypt_affordable(match: re.Match) -> bool:
    return int(match["cost"]) <= MAX_BCRYPT_COST


def _are_rounds_affordable(match: re.Match) -> bool:
    return int(match["rounds"] or 0) <= MAX_ROUNDS


def _are_bsdi_rounds_affordable(match: re.Match) -> bool:
    return decode_itoa64(match["rounds"]) <= MAX_ROUNDS


def _is_yescrypt_affordable(match: re.Match) -> bool:
    # yescrypt counts both from one: 128 * N * r bytes, N = 2 ** (n + 1)
    return (256 << decode_itoa64(match["n"])) * (decode_itoa64(match["r"]) + 1) <= MAX_MEMORY


def _is_scrypt_affordable(match: re.Match) -> bool:
    return (128 << decode_itoa64(match["n"])) * decode_itoa64(match["r"]) * decode_itoa64(
        match["p"]
    ) <= MAX_MEMORY


def _hash_with_bcrypt(password: bytes, setting: bytes) -> bytes:
    """Hash as crypt(3) does, which uses the first 72 bytes; bcrypt 5 raises on more."""
    try:
        return bcrypt.hashpw(password[:MAX_BCRYPT_BYTES], setting)
    except ValueError as error:
        raise UnverifiableHash("malformed bcrypt hash") from error


class CryptFormat(NamedTuple):
    """A hash format: its name, its pattern, a check of its cost, and passlib's name for it."""

    name: str
    pattern: re.Pattern[bytes]
    is_affordable: Callable[[re.Match], bool] = _is_always_affordable
    passlib_name: str = ""


def _build_format(name: str, pattern: bytes, *rest: Any) -> CryptFormat:
    return CryptFormat(name, re.compile(pattern.replace(b"#", b"[./0-9A-Za-z]"), re.DOTALL), *rest)


# yescrypt's other parameters (p, t, g, ROM) multiply the work, and nobody uses them: unsupported.
CRYPT_FORMATS = (
    _build_format("BLF-CRYPT", rb"\$2[aby]\$(?P<cost>\d\d)\$#{53}", _is_bcrypt_affordable),
    _build_format("BLF-CRYPT-2X", rb"\$2x\$(?P<cost>\d\d)\$#{53}", _is_bcrypt_affordable),
    # Dovecot ignores what follows a third $
    _build_format(
        "MD5-CRYPT",
        rb"(?P<hash>\$1\$[^$]{0,8}\$#{22})(?:\$.*)?",
        _is_always_affordable,
        "md5_crypt",
    ),
    _build_format(
        "SHA256-CRYPT",
        rb"\$5\$(?:rounds=(?P<rounds>\d{1,10})\$)?[^$]{0,16}\$#{43}",
        _are_rounds_affordable,
        "sha256_crypt",
    ),
    _build_format(
        "SHA512-CRYPT",
        rb"\$6\$(?:rounds=(?P<rounds>\d{1,10})\$)?[^$]{0,16}\$#{86}",
        _are_rounds_affordable,
        "sha512_crypt",
    ),
    _build_format(
        "YESCRYPT",
        rb"\$y\$j(?P<n>[./0-9A-Za-j])(?P<r>[./0-9A-Za-j])\$#{1,86}\$#{43}",
        _is_yescrypt_affordable,
    ),
    _build_format(
        "GOST-YESCRYPT",
        rb"\$gy\$j(?P<n>[./0-9A-Za-j])(?P<r>[./0-9A-Za-j])\$#{1,86}\$#{43}",
        _is_yescrypt_affordable,
    ),
    _build_format(
        "SCRYPT", rb"\$7\$(?P<n>#)(?P<r>#{5})(?P<p>#{5})[^$]{0,86}\$#{43}", _is_scrypt_affordable
    ),
    _build_format(
        "SHA1-CRYPT", rb"\$sha1\$(?P<rounds>\d{1,10})\$#{1,64}\$#{28}", _are_rounds_affordable
    ),
    _build_format(
        "SUNMD5",
        rb"\$md5(?:,rounds=(?P<rounds>\d{1,10}))?\$[^$]{0,64}\${1,2}#{22}",
        _are_rounds_affordable,
    ),
    _build_format("APR1", rb"\$apr1\$[^$]{0,8}\$#{22}", _is_always_affordable, "apr_md5_crypt"),
    _build_format("NT", rb"\$3\$\$[0-9a-f]{32}"),
    _build_format("BSDI", rb"_(?P<rounds>#{4})#{4}#{11}", _are_bsdi_rounds_affordable),
    _build_format("DES-CRYPT", rb"#{13}", _is_always_affordable, "des_crypt"),
)


def get_passlib_hasher(name: str) -> Any:
    """Return passlib's implementation; most processes hash nothing by it and do not load it."""
    from passlib.registry import get_crypt_handler

    return get_crypt_handler(name)


@functools.cache
def load_libcrypt() -> ctypes.CDLL | None:
    """Load libcrypt by its two sonames: ctypes.util.find_library would start processes."""
    for name in ("libcrypt.so.1", "libcrypt.so.2"):
        try:
            libcrypt = ctypes.CDLL(name)
        except OSError:
            continue
        libcrypt.crypt_r.restype = ctypes.c_char_p
        libcrypt.crypt_r.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]
        return libcrypt
    return None


def crypt_r(password: bytes, setting: bytes) -> bytes | None:
    """Return the hash, or None if the C library is missing or refuses."""
    libcrypt = load_libcrypt()
    if libcrypt is None or len(password) > MAX_CRYPT_BYTES:
        return None
    result = libcrypt.crypt_r(password, setting, ctypes.create_string_buffer(CRYPT_DATA_BYTES))
    return None if result is None or result.startswith(b"*") else result


def gensalt(prefix: bytes, count: int = 0) -> bytes | None:
    """Return a new setting with this prefix and cost (0: the library's default), or None."""
    libcrypt = load_libcrypt()
    if libcrypt is None:
        return None
    try:
        crypt_gensalt = libcrypt.crypt_gensalt_rn
    except AttributeError:  # older than libxcrypt
        return None
    crypt_gensalt.restype = ctypes.c_char_p
    crypt_gensalt.argtypes = [
        ctypes.c_char_p,
        ctypes.c_ulong,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int,
    ]
    return crypt_gensalt(
        prefix, count, None, 0, ctypes.create_string_buffer(SALT_BYTES), SALT_BYTES
    )


def find_format(stored: bytes) -> tuple[CryptFormat, re.Match] | None:
    for crypt_format in CRYPT_FORMATS:
        if match := crypt_format.pattern.fullmatch(stored):
            return crypt_format, match
    return None


def detect_scheme_name(stored: bytes) -> str:
    """Return the name of this hash's scheme, or the empty string."""
    match = find_format(stored)
    return match[0].name if match else ""


def _verify_with_passlib(crypt_format: CryptFormat, match: re.Match, password: bytes) -> bool:
    if not crypt_format.passlib_name:
        raise UnverifiableHash(f"the C library does not support {crypt_format.name}")
    if len(password) > MAX_CRYPT_BYTES and match.groupdict().get("rounds"):
        return False  # the cost is rounds times length; crypt(3) refuses it too
    try:
        hasher = get_passlib_hasher(crypt_format.passlib_name)
        return hasher.verify(password, match.groupdict().get("hash") or match[0])
    except ValueError as error:
        raise UnverifiableHash(f"malformed {crypt_format.name} hash") from error


def verify_crypt(password: bytes, stored: bytes, username: str = "") -> bool:
    """Return whether crypt(3) computes this hash from this password."""
    found = find_format(stored)
    if found is None:
        raise UnverifiableHash("not a crypt(3) hash")
    crypt_format, match = found
    if not crypt_format.is_affordable(match):
        raise UnverifiableHash(f"{crypt_format.name} hash with a cost above the limit")
    expected = match.groupdict().get("hash") or stored
    actual = (
        _hash_with_bcrypt(password, stored)
        if crypt_format.name == "BLF-CRYPT"
        else crypt_r(password, expected)
    )
    if actual is None:
        return _verify_with_passlib(crypt_format, match, password)
    return hmac.compare_digest(actual, expected)
