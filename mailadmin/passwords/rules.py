"""Rules for new passwords: what to tell before, what to refuse, what to suggest."""

import re
import secrets

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from mailadmin.passwords.limits import BCRYPT_BYTES, MAX_PASSWORD_BYTES
from mailadmin.passwords.schemes import Choice
from mailadmin.passwords.stored import configured, setting

# PostfixAdmin's `password_validation`
RULES = (
    (r".{5}", _("At least 5 characters.")),
    (r"([a-zA-Z].*){3}", _("At least 3 letters from a to z.")),
    (r"([0-9].*){2}", _("At least 2 digits.")),
)

# no 0 O o, no 1 l I
ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
SPECIAL = "-+=_.,:!?%@#"
TRIES = 100
LONGEST_GENERATED = BCRYPT_BYTES


def rules() -> list[str]:
    """The rules in words, to be shown before they are broken."""
    longest = configured().scheme.longest
    limits = [_too_long(longest)] if longest < MAX_PASSWORD_BYTES else []
    return [str(message) for message in [*(text for _regex, text in _rules()), *limits]]


def validate(password: str) -> None:
    """ValidationError with every rule that a new password breaks."""
    if problems := _broken(password) + unfit(password, configured()):
        raise ValidationError(problems)


def _rules() -> tuple:
    return setting("RULES", RULES)


def _broken(password: str) -> list:
    return [message for regex, message in _rules() if not re.search(regex, password)]


def unfit(password: str, choice: Choice) -> list:
    """Why the scheme cannot take this password, as a list of messages."""
    encoded = password.encode("utf-8", "replace")
    complaints = (
        ("\0" in password, _("A password cannot contain a NUL character.")),
        (re.search("[\ud800-\udfff]", password), _("The password is not valid text.")),
        (len(encoded) > choice.scheme.longest, _too_long(choice.scheme.longest)),
    )
    return [message for is_unfit, message in complaints if is_unfit]


def _too_long(longest: int):
    text = _("At most {bytes} bytes: an accented letter takes two, an emoji four.")
    return format_lazy(text, bytes=longest)


def generate(length: int = 14) -> str:
    """A new password without look-alikes, longer where the rules ask for it."""
    for size in range(length, LONGEST_GENERATED + 1):
        for alphabet in (ALPHABET, ALPHABET + SPECIAL):
            if password := _try_to_generate(alphabet, size):
                return password
    raise ImproperlyConfigured("MAILADMIN_PASSWORD_RULES: no generated password follows them")


def _try_to_generate(alphabet: str, size: int) -> str | None:
    drawn = ("".join(secrets.choice(alphabet) for _n in range(size)) for _try in range(TRIES))
    return next((password for password in drawn if not _broken(password)), None)
