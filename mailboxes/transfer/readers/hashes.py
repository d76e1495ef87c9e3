"""Stored passwords of other systems, as the panel and its Dovecot read them."""

import re

from django.utils.translation import gettext as _

from mailadmin.passwords import crypt3, schemes
from mailboxes.transfer.entries import SourceError

# A digest in hex says by its length what it is: to Dovecot only with a name before it.
HEX_SCHEMES = {32: "PLAIN-MD5", 40: "SHA1.HEX", 64: "SHA256.HEX", 128: "SHA512.HEX"}
# PostfixAdmin writes digests with their names; what Dovecot made for it has none.
DOVECOT_HEX_SCHEMES = HEX_SCHEMES | {64: "CRAM-MD5"}
LOCKED_PREFIXES = ("!", "*")  # passwd(5)'s marks, which no password makes


def convert_password(text, scheme="", digests=HEX_SCHEMES):
    """(what to store, or None where nobody can log in with it; what to know about it).

    `scheme` is the default_pass_scheme of the source's Dovecot, if somebody has told it.
    """
    if not text or text.startswith(LOCKED_PREFIXES):
        return None, ""
    if text.startswith("{"):
        return text, describe_unknown_scheme(text)
    if is_crypt_hash(text, scheme):
        return text, ""
    if scheme:
        return f"{{{scheme.upper()}}}{text}", ""
    if name := detect_hex_scheme(text, digests):
        return f"{{{name}}}{text}", describe_assumed_scheme(name)
    return None, _("A password of no kind that is known: say which scheme the old Dovecot took.")


def check_scheme(scheme):
    if scheme and not schemes.find_scheme(scheme):
        text = _("There is no password scheme %(scheme)s.")
        raise SourceError(text % {"scheme": scheme})


def is_crypt_hash(text, scheme):
    """Whether the value says itself what it is; 13 letters do only where crypt is meant."""
    if text.startswith("$argon2"):
        return True
    name = crypt3.detect_scheme_name(text.encode("utf-8", "replace"))
    choice = schemes.find_scheme(scheme) if scheme else None
    return bool(name) and (text.startswith("$") or not choice or choice.scheme.is_crypt)


def detect_hex_scheme(text, digests):
    return digests.get(len(text)) if re.fullmatch(r"[0-9a-fA-F]+", text) else None


def describe_unknown_scheme(text):
    label = text[1:].partition("}")[0]
    if schemes.find_scheme(label):
        return ""
    return _("A password of a scheme that the panel cannot verify, kept as it is.")


def describe_assumed_scheme(name):
    return _("Passwords in hex without a scheme are taken for %(scheme)s.") % {"scheme": name}


def build_password_values(text, place, losses, scheme="", digests=HEX_SCHEMES):
    """`password_hash` for an entry, or nothing where the source has none that could be kept."""
    stored, remark = convert_password(text, scheme, digests)
    if remark:
        losses.add(remark, place)
    return {} if stored is None else {"password_hash": stored}
