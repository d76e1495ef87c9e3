"""Which schemes protect passwords whose hashes were stolen, and which Dovecot 2.4 rejects."""

from mailadmin.passwords.schemes import ENCODINGS, find_scheme

# Deliberately slow schemes; hashes of all others are guessed quickly.
STRONG_SCHEMES = frozenset(
    {"BLF-CRYPT", "SHA256-CRYPT", "SHA512-CRYPT", "SHA1-CRYPT", "PBKDF2"}
    | {"ARGON2", "ARGON2I", "ARGON2ID", "SCRYPT", "YESCRYPT", "GOST-YESCRYPT"}
    | {"SCRAM-SHA-1", "SCRAM-SHA-256"}
)
ENCODING_SUFFIXES = tuple(f".{name}" for name in ENCODINGS)
# By Dovecot 2.4, unless auth_allow_weak_schemes is set (each tested by signing in).
REJECTED_SCHEMES = frozenset(
    {"DES-CRYPT", "HMAC-MD5", "LDAP-MD5", "MD5", "MD5-CRYPT", "PLAIN-MD4", "PLAIN-MD5", "SMD5"}
)


def is_weak(scheme: str) -> bool:
    """Return whether this scheme is too fast for passwords; `.HEX` and the like do not matter."""
    return get_base_name(scheme) not in STRONG_SCHEMES


def is_rejected(scheme: str) -> bool:
    """Return whether Dovecot 2.4 rejects this scheme as it is installed."""
    return get_base_name(scheme) in REJECTED_SCHEMES


def is_known(scheme: str) -> bool:
    """Return whether this is the name of a scheme, with or without an encoding."""
    return find_scheme(scheme) is not None


def get_base_name(scheme: str) -> str:
    return scheme.upper().partition(".")[0]


def list_spellings(schemes: frozenset[str]) -> list[str]:
    """Return the names of these schemes as prefixes spell them, with each encoding and without."""
    return [f"{name}{end}" for name in sorted(schemes) for end in ("", *ENCODING_SUFFIXES)]
