"""crypt(3): every form today's C libraries write, each below a ceiling of work.

The C library does the work, as it does for Dovecot: its own salts, its own limits. Where it is
missing, passlib does what it knows, and the rest is not verified. bcrypt is the `bcrypt` package's.
"""

import ctypes
import functools
import hmac
import re
from collections.abc import Callable
from typing import NamedTuple

import bcrypt
from passlib.hash import apr_md5_crypt, des_crypt, md5_crypt, sha256_crypt, sha512_crypt

from mailadmin.passwords.limits import (
    BCRYPT_BYTES,
    CRYPT_BYTES,
    MAX_BCRYPT_COST,
    MAX_MEMORY,
    MAX_ROUNDS,
    Unreadable,
)

CRYPT_DATA_BYTES = 256 * 1024  # struct crypt_data: 32 KiB in libxcrypt, 128 KiB in glibc
SALT_BYTES = 192  # CRYPT_GENSALT_OUTPUT_SIZE of libxcrypt

ITOA64 = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def number(digits: bytes) -> int:
    """crypt(3)'s numbers: six bits a character, the lowest first."""
    return sum(ITOA64.index(digit) << (6 * place) for place, digit in enumerate(digits))


def _free(match: re.Match) -> bool:
    return True


def _bcrypt_cost(match: re.Match) -> bool:
    return int(match["cost"]) <= MAX_BCRYPT_COST


def _rounds(match: re.Match) -> bool:
    return int(match["rounds"] or 0) <= MAX_ROUNDS


def _bsdi_rounds(match: re.Match) -> bool:
    return number(match["rounds"]) <= MAX_ROUNDS


def _yescrypt_memory(match: re.Match) -> bool:
    # yescrypt counts both from one: 128 * N * r bytes, N = 2 ** (n + 1)
    return (256 << number(match["n"])) * (number(match["r"]) + 1) <= MAX_MEMORY


def _scrypt_memory(match: re.Match) -> bool:
    return (128 << number(match["n"])) * number(match["r"]) * number(match["p"]) <= MAX_MEMORY


def _bcrypt(password: bytes, setting: bytes) -> bytes:
    """As crypt(3) does it: the first 72 bytes count. bcrypt 5 raises on more."""
    try:
        return bcrypt.hashpw(password[:BCRYPT_BYTES], setting)
    except ValueError as error:
        raise Unreadable("broken bcrypt hash") from error


class Form(NamedTuple):
    """One kind of hash: its name, its shape, whether its price is fair, who else can compute it."""

    name: str
    shape: re.Pattern[bytes]
    is_affordable: Callable[[re.Match], bool] = _free
    passlib: type | None = None


def _form(name: str, shape: bytes, *rest) -> Form:
    return Form(name, re.compile(shape.replace(b"#", b"[./0-9A-Za-z]"), re.DOTALL), *rest)


# yescrypt's further parameters (p, t, g, ROM) multiply the work and nobody writes them: no form.
FORMS = (
    _form("BLF-CRYPT", rb"\$2[aby]\$(?P<cost>\d\d)\$#{53}", _bcrypt_cost),
    _form("BLF-CRYPT-2X", rb"\$2x\$(?P<cost>\d\d)\$#{53}", _bcrypt_cost),
    # Dovecot ignores what follows a third $
    _form("MD5-CRYPT", rb"(?P<hash>\$1\$[^$]{0,8}\$#{22})(?:\$.*)?", _free, md5_crypt),
    _form(
        "SHA256-CRYPT",
        rb"\$5\$(?:rounds=(?P<rounds>\d{1,10})\$)?[^$]{0,16}\$#{43}",
        _rounds,
        sha256_crypt,
    ),
    _form(
        "SHA512-CRYPT",
        rb"\$6\$(?:rounds=(?P<rounds>\d{1,10})\$)?[^$]{0,16}\$#{86}",
        _rounds,
        sha512_crypt,
    ),
    _form(
        "YESCRYPT",
        rb"\$y\$j(?P<n>[./0-9A-Za-j])(?P<r>[./0-9A-Za-j])\$#{1,86}\$#{43}",
        _yescrypt_memory,
    ),
    _form(
        "GOST-YESCRYPT",
        rb"\$gy\$j(?P<n>[./0-9A-Za-j])(?P<r>[./0-9A-Za-j])\$#{1,86}\$#{43}",
        _yescrypt_memory,
    ),
    _form("SCRYPT", rb"\$7\$(?P<n>#)(?P<r>#{5})(?P<p>#{5})[^$]{0,86}\$#{43}", _scrypt_memory),
    _form("SHA1-CRYPT", rb"\$sha1\$(?P<rounds>\d{1,10})\$#{1,64}\$#{28}", _rounds),
    _form("SUNMD5", rb"\$md5(?:,rounds=(?P<rounds>\d{1,10}))?\$[^$]{0,64}\${1,2}#{22}", _rounds),
    _form("APR1", rb"\$apr1\$[^$]{0,8}\$#{22}", _free, apr_md5_crypt),
    _form("NT", rb"\$3\$\$[0-9a-f]{32}"),
    _form("BSDI", rb"_(?P<rounds>#{4})#{4}#{11}", _bsdi_rounds),
    _form("DES-CRYPT", rb"#{13}", _free, des_crypt),
)


@functools.cache
def library() -> ctypes.CDLL | None:
    """libcrypt by its two sonames: ctypes.util.find_library would start processes."""
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
    """The hash, or None where the C library is missing or does not want to."""
    libcrypt = library()
    if libcrypt is None or len(password) > CRYPT_BYTES:
        return None
    result = libcrypt.crypt_r(password, setting, ctypes.create_string_buffer(CRYPT_DATA_BYTES))
    return None if result is None or result.startswith(b"*") else result


def gensalt(prefix: bytes, count: int = 0) -> bytes | None:
    """A new setting of that form at that cost (0: the library's own), or None."""
    try:
        crypt_gensalt = library().crypt_gensalt_rn
    except AttributeError:  # no library, or one older than libxcrypt
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


def form_of(stored: bytes) -> tuple[Form, re.Match] | None:
    for form in FORMS:
        if match := form.shape.fullmatch(stored):
            return form, match
    return None


def name_of(stored: bytes) -> str:
    """The scheme this hash is of, or the empty string."""
    found = form_of(stored)
    return found[0].name if found else ""


def _by_passlib(form: Form, match: re.Match, password: bytes) -> bool:
    if form.passlib is None:
        raise Unreadable(f"the C library cannot compute {form.name}")
    if len(password) > CRYPT_BYTES and match.groupdict().get("rounds"):
        return False  # the price is rounds times length, and crypt(3) says no as well
    try:
        return form.passlib.verify(password, match.groupdict().get("hash") or match[0])
    except ValueError as error:
        raise Unreadable(f"broken {form.name} hash") from error


def check(password: bytes, stored: bytes, username: str = "") -> bool:
    """Whether crypt(3) makes this hash of this password."""
    found = form_of(stored)
    if found is None:
        raise Unreadable("no form of crypt(3)")
    form, match = found
    if not form.is_affordable(match):
        raise Unreadable(f"{form.name} hash that asks for more work than allowed")
    wanted = match.groupdict().get("hash") or stored
    made = _bcrypt(password, stored) if form.name == "BLF-CRYPT" else crypt_r(password, wanted)
    if made is None:
        return _by_passlib(form, match, password)
    return hmac.compare_digest(made, wanted)
