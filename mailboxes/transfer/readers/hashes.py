"""Password hashes of other systems, as the panel and its Dovecot read them."""

import re
from collections.abc import Mapping

from mailadmin.passwords import crypt3, schemes
from mailadmin.translation import gettext as _
from mailboxes.transfer.entries import Losses, SourceError

# The length of a hex digest identifies its scheme; Dovecot needs the name before it.
HEX_SCHEMES = {32: "PLAIN-MD5", 40: "SHA1.HEX", 64: "SHA256.HEX", 128: "SHA512.HEX"}
# PostfixAdmin writes digests with their scheme; those that Dovecot made for it have none.
DOVECOT_HEX_SCHEMES = HEX_SCHEMES | {64: "CRAM-MD5"}
LOCKED_PREFIXES = ("!", "*")  # of locked accounts in passwd(5)


def convert_password(
    text: str | None, scheme: str = "", hex_schemes: Mapping[int, str] = HEX_SCHEMES
) -> tuple[str | None, str]:
    """Return (hash to store, remark); the hash is None if nobody can log in with it.

    `scheme` is the default_pass_scheme of the source's Dovecot, if it is known.
    """
    if not text or text.startswith(LOCKED_PREFIXES):
        return None, ""
    if text.startswith("{"):
        return text, describe_unknown_scheme(text)
    if is_crypt_hash(text, scheme):
        return text, ""
    if scheme:
        return f"{{{scheme.upper()}}}{text}", ""
    if name := detect_hex_scheme(text, hex_schemes):
        return f"{{{name}}}{text}", describe_assumed_scheme(name)
    return None, _("Unknown type of password hash: select the default scheme of the old Dovecot.")


def check_scheme(scheme: str) -> None:
    if scheme and not schemes.find_scheme(scheme):
        text = _("Unknown password scheme %(scheme)s.")
        raise SourceError(text % {"scheme": scheme})


def is_crypt_hash(text: str, scheme: str) -> bool:
    """Tell whether the hash identifies its scheme.

    A hash of 13 characters does so only where crypt is the default.
    """
    if text.startswith("$argon2"):
        return True
    name = crypt3.detect_scheme_name(text.encode("utf-8", "replace"))
    choice = schemes.find_scheme(scheme) if scheme else None
    return bool(name) and (text.startswith("$") or not choice or choice.scheme.is_crypt)


def detect_hex_scheme(text: str, hex_schemes: Mapping[int, str]) -> str | None:
    return hex_schemes.get(len(text)) if re.fullmatch(r"[0-9a-fA-F]+", text) else None


def describe_unknown_scheme(text: str) -> str:
    label = text[1:].partition("}")[0]
    if schemes.find_scheme(label):
        return ""
    return _("Password in a scheme that the panel cannot verify: imported unchanged.")


def describe_assumed_scheme(name: str) -> str:
    return _("Hexadecimal password hash without a scheme: read as %(scheme)s.") % {"scheme": name}


def build_password_values(
    text: str | None,
    place: str,
    losses: Losses,
    scheme: str = "",
    hex_schemes: Mapping[int, str] = HEX_SCHEMES,
) -> dict[str, str]:
    """Return `password_hash` for an entry, or nothing if no hash can be kept; note remarks."""
    password_hash, remark = convert_password(text, scheme, hex_schemes)
    if remark:
        losses.add(remark, place)
    return {} if password_hash is None else {"password_hash": password_hash}
