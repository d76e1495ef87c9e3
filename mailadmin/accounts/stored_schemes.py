"""The schemes in which people's passwords are stored, as the database finds them.

The database classifies the hashes; none is loaded into Python.
"""

from typing import Any

from django.db.models import Case, CharField, Count, F, Q, QuerySet, Value, When
from django.db.models.functions import Length, StrIndex, Substr, Upper

from mailadmin import passwords
from mailadmin.passwords.schemes import SCHEMES
from mailadmin.passwords.strength import (
    REJECTED_SCHEMES,
    STRONG_SCHEMES,
    is_known,
    list_spellings,
)

NO_PASSWORD, PLAIN_TEXT, DIGEST, UNKNOWN = "none", "PLAIN", "digest", "unknown"
KEYWORDS = frozenset({"weak", "rejected", NO_PASSWORD, DIGEST, UNKNOWN})  # of filters
CRYPT_PREFIX = "{CRYPT}"
MIN_CRYPT_LENGTH = 26  # shorter ones are plain text that begins alike
# How hashes of crypt(3) begin; they have this form with the prefix {CRYPT} and without one.
CRYPT_BEGINNINGS = {
    **dict.fromkeys(("$2y$", "$2b$", "$2a$", "$2x$"), "BLF-CRYPT"),
    "$6$": "SHA512-CRYPT",
    "$5$": "SHA256-CRYPT",
    "$1$": "MD5-CRYPT",
    "$argon2id$": "ARGON2ID",
    "$argon2i$": "ARGON2I",
    "$argon2d$": "ARGON2ID",
    "$y$": "YESCRYPT",
    "$gy$": "GOST-YESCRYPT",
    "$7$": "SCRYPT",
    "$sha1$": "SHA1-CRYPT",
    "$md5": "SUNMD5",
}
# Length of a hexadecimal digest without prefix → the scheme that has digests of this length.
HEX_DIGESTS = {32: "PLAIN-MD5", 40: "SHA1", 64: "SHA256", 128: "SHA512"}


def add_schemes(people: QuerySet[Any]) -> QuerySet[Any]:
    """Let queries of these people name `scheme`, in which each password is stored."""
    body = Case(
        When(password__istartswith=CRYPT_PREFIX, then=Substr("password", len(CRYPT_PREFIX) + 1)),
        default=F("password"),
        output_field=CharField(),
    )
    people = people.alias(
        stored=F("password"),
        stored_length=Length("password"),
        stored_body=body,
        body_length=Length(body),
        stored_label=Upper(Substr(body, 2, StrIndex(body, Value("}")) - 2)),
    )
    scheme = Case(*list_cases(), default=Value(PLAIN_TEXT), output_field=CharField())
    return people.alias(scheme=scheme)


def list_cases() -> list[When]:
    """Return the conditions for each scheme; the first one that holds decides.

    A prefix that names no scheme may be part of a password, which no query returns.
    """
    is_unset = Q(password="") | Q(password__iexact=passwords.UNUSABLE_HASH)
    is_prefixed = Q(stored_body__startswith="{", stored_body__contains="}")
    is_known_label = Q(stored_label__in=list_spellings(frozenset(SCHEMES)))
    return [
        When(is_unset, then=Value(NO_PASSWORD)),
        *list_crypt_cases(),
        When(is_prefixed & is_known_label, then=F("stored_label")),
        When(is_prefixed, then=Value(UNKNOWN)),
        When(stored_body__regex=r"^[./0-9A-Za-z]{13}$", then=Value("DES-CRYPT")),
        When(stored__istartswith=CRYPT_PREFIX, then=Value("CRYPT")),
        *list_hex_cases(),
        When(stored__regex=r"^[0-9A-Za-z+/]{20,}={0,2}$", then=Value(DIGEST)),
        When(stored__startswith="$", then=Value(UNKNOWN)),
    ]


def list_crypt_cases() -> list[When]:
    return [
        When(
            stored_body__startswith=beginning,
            body_length__gte=MIN_CRYPT_LENGTH,
            then=Value(scheme),
        )
        for beginning, scheme in CRYPT_BEGINNINGS.items()
    ]


def list_hex_cases() -> list[When]:
    return [
        When(stored_length=length, stored__regex=r"^[0-9a-fA-F]+$", then=Value(scheme))
        for length, scheme in HEX_DIGESTS.items()
    ]


def is_scheme_filter(wanted: str) -> bool:
    """Return whether people can be filtered by this: a keyword, or the name of a scheme."""
    return wanted in KEYWORDS or is_known(wanted)


def filter_by_scheme(people: QuerySet[Any], wanted: str) -> QuerySet[Any]:
    """Return people with this scheme, or with a scheme that is `weak` or `rejected`."""
    people = add_schemes(people)
    match wanted:
        case "weak":
            return people.exclude(scheme__in=[NO_PASSWORD, *list_spellings(STRONG_SCHEMES)])
        case "rejected":
            return people.filter(scheme__in=list_spellings(REJECTED_SCHEMES))
    if not is_scheme_filter(wanted):
        return people.none()
    return people.filter(scheme=wanted if wanted in KEYWORDS else wanted.upper())


def count_schemes(people: QuerySet[Any], *by: str) -> dict[tuple[str, ...], int]:
    """Return (values of these columns, scheme) → number of people."""
    people = add_schemes(people).annotate(found_scheme=F("scheme")).order_by()
    rows = people.values_list(*by, "found_scheme").annotate(count=Count("pk"))
    return {tuple(names): count for *names, count in rows}
