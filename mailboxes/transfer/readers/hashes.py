"""Stored passwords of other systems, as the panel and its Dovecot read them."""

import re

from django.utils.translation import gettext as _

from mailadmin.passwords import crypt3, schemes
from mailboxes.transfer.entries import UnfitSource

# A digest in hex says by its length what it is: to Dovecot only with a name before it.
HEX = {32: "PLAIN-MD5", 40: "SHA1.HEX", 64: "SHA256.HEX", 128: "SHA512.HEX"}
# PostfixAdmin writes digests with their names; what Dovecot made for it has none.
HEX_OF_DOVECOT = HEX | {64: "CRAM-MD5"}
LOCKED = ("!", "*")  # passwd(5)'s marks, which no password makes


def as_stored(text, scheme="", digests=HEX):
    """(what to store, or None where nobody can log in with it; what to know about it).

    `scheme` is the default_pass_scheme of the source's Dovecot, if somebody has told it.
    """
    if not text or text.startswith(LOCKED):
        return None, ""
    if text.startswith("{"):
        return text, unknown_prefix(text)
    if is_crypt(text, scheme):
        return text, ""
    if scheme:
        return f"{{{scheme.upper()}}}{text}", ""
    if name := digest_name(text, digests):
        return f"{{{name}}}{text}", read_as(name)
    return None, _("A password of no kind that is known: say which scheme the old Dovecot took.")


def refuse_scheme(scheme):
    if scheme and not schemes.find(scheme):
        text = _("There is no password scheme %(scheme)s.")
        raise UnfitSource(text % {"scheme": scheme})


def is_crypt(text, scheme):
    """Whether the value says itself what it is; 13 letters do only where crypt is meant."""
    if text.startswith("$argon2"):
        return True
    name = crypt3.name_of(text.encode("utf-8", "replace"))
    choice = schemes.find(scheme) if scheme else None
    return bool(name) and (text.startswith("$") or not choice or choice.scheme.is_crypt)


def digest_name(text, digests):
    return digests.get(len(text)) if re.fullmatch(r"[0-9a-fA-F]+", text) else None


def unknown_prefix(text):
    label = text[1:].partition("}")[0]
    if schemes.find(label):
        return ""
    return _("A password of a scheme that the panel cannot verify, kept as it is.")


def read_as(name):
    return _("Passwords in hex without a scheme are taken for %(scheme)s.") % {"scheme": name}


def password_values(text, place, losses, scheme="", digests=HEX):
    """`password_hash` for an entry, or nothing where the source has none that could be kept."""
    stored, remark = as_stored(text, scheme, digests)
    if remark:
        losses.add(remark, place)
    return {} if stored is None else {"password_hash": stored}
