"""The schemes in which people's passwords are stored, as the database finds them.

Hashes are not read for it: a million of them are counted by one query.
"""

from typing import Any

from django.db.models import Case, CharField, Count, F, Q, QuerySet, Value, When
from django.db.models.functions import Length, StrIndex, Substr, Upper

from mailadmin import passwords
from mailadmin.passwords.strength import (
    REJECTED_SCHEMES,
    STRONG_SCHEMES,
    is_known,
    list_spellings,
)

NO_PASSWORD, PLAIN_TEXT, DIGEST, UNKNOWN = "none", "PLAIN", "digest", "unknown"
CRYPT_PREFIX = "{CRYPT}"
# How hashes of crypt(3) begin; they have this form with the prefix {CRYPT} and without one.
CRYPT_BEGINNINGS = {
    "$2": "BLF-CRYPT",
    "$6$": "SHA512-CRYPT",
    "$5$": "SHA256-CRYPT",
    "$1$": "MD5-CRYPT",
    "$argon2id$": "ARGON2ID",
    "$argon2i$": "ARGON2I",
    "$y$": "YESCRYPT",
    "$gy$": "GOST-YESCRYPT",
    "$7$": "SCRYPT",
    "$sha1$": "SHA1-CRYPT",
    "$md5": "SUNMD5",
}
# Length of a hexadecimal digest without prefix → the scheme that has digests of this length.
HEX_SCHEMES = {32: "PLAIN-MD5", 40: "SHA1", 64: "SHA256", 128: "SHA512"}


def annotate_schemes(people: QuerySet[Any]) -> QuerySet[Any]:
    """Add to each person the name of the scheme in which their password is stored."""
    body = Case(
        When(password__istartswith=CRYPT_PREFIX, then=Substr("password", len(CRYPT_PREFIX) + 1)),
        default=F("password"),
        output_field=CharField(),
    )
    people = people.alias(stored=F("password"), stored_body=body, stored_length=Length("password"))
    scheme = Case(*list_cases(), default=Value(PLAIN_TEXT), output_field=CharField())
    return people.annotate(scheme=scheme)


def list_cases() -> list[When]:
    """Return the conditions for each scheme, the most frequent ones first."""
    none = Q(password__in=("", passwords.UNUSABLE_HASH))
    crypt = [
        When(stored_body__startswith=beginning, then=Value(scheme))
        for beginning, scheme in CRYPT_BEGINNINGS.items()
    ]
    prefixed = Q(stored_body__startswith="{", stored_body__contains="}")
    label = Upper(Substr("stored_body", 2, StrIndex("stored_body", Value("}")) - 2))
    digests = [
        When(stored_length=length, stored__regex=r"^[0-9a-fA-F]+$", then=Value(scheme))
        for length, scheme in HEX_SCHEMES.items()
    ]
    return [
        When(none, then=Value(NO_PASSWORD)),
        *crypt,
        When(prefixed, then=label),
        When(stored_body__regex=r"^[./0-9A-Za-z]{13}$", then=Value("DES-CRYPT")),
        When(stored__istartswith=CRYPT_PREFIX, then=Value("CRYPT")),
        *digests,
        When(stored__regex=r"^[0-9A-Za-z+/]{20,}={0,2}$", then=Value(DIGEST)),
        When(stored__startswith="$", then=Value(UNKNOWN)),
    ]


def filter_by_scheme(people: QuerySet[Any], wanted: str) -> QuerySet[Any]:
    """Return people with this scheme, or with a scheme that is `weak` or `rejected`."""
    people = annotate_schemes(people)
    match wanted:
        case "weak":
            return people.exclude(scheme__in=[NO_PASSWORD, *list_spellings(STRONG_SCHEMES)])
        case "rejected":
            return people.filter(scheme__in=list_spellings(REJECTED_SCHEMES))
    if wanted in (NO_PASSWORD, DIGEST, UNKNOWN):
        return people.filter(scheme=wanted)
    return people.filter(scheme=wanted.upper()) if is_known(wanted) else people.none()


def count_schemes(people: QuerySet[Any], *by: str) -> dict[tuple[str, ...], int]:
    """Return (values of these columns, scheme) → number of people.

    What looks like a prefix and names no scheme may be part of a password, and is not returned.
    """
    counts: dict[tuple[str, ...], int] = {}
    rows = annotate_schemes(people).order_by().values_list(*by, "scheme")
    for *values, scheme, count in rows.annotate(count=Count("pk")):
        is_named = scheme in (NO_PASSWORD, DIGEST, UNKNOWN) or is_known(scheme)
        key = (*values, scheme if is_named else UNKNOWN)
        counts[key] = counts.get(key, 0) + count
    return counts
