"""Rules for new passwords: describe them, check them, generate a password that follows them."""

import re
import secrets
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mailadmin.passwords.guessable import find_guessable_problems
from mailadmin.passwords.limits import MAX_BCRYPT_BYTES, MAX_PASSWORD_BYTES
from mailadmin.passwords.schemes import SchemeChoice
from mailadmin.passwords.stored import get_configured_scheme, get_password_setting

# The texts of the default rules, to be found by makemessages
RULE_TEXTS = (_("Use at least 3 letters from a to z."), _("Use at least 2 digits."))

DEFAULT_LENGTH = 8
GUESSABLE_RULE = _("Do not use a common password, or one based on the email address.")

# no 0 O o, no 1 l I
ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
SPECIAL_CHARACTERS = "-+=_.,:!?%@#"
MAX_GENERATE_ATTEMPTS = 100
MAX_GENERATED_LENGTH = MAX_BCRYPT_BYTES


def describe_rules() -> list[str]:
    """Return the rules as texts, to show them beforehand."""
    max_bytes = get_configured_scheme().scheme.max_bytes
    limits = [_build_length_message(max_bytes)] if max_bytes < MAX_PASSWORD_BYTES else []
    rules = [text for _regex, text in _get_rules()]
    return [str(message) for message in [*rules, GUESSABLE_RULE, *limits]]


def validate_password(password: str, address: str = "") -> None:
    """Raise ValidationError with every rule that a new password of this person breaks."""
    if problems := find_broken_rules(password, address):
        raise ValidationError(problems)


def find_broken_rules(password: str, address: str = "") -> list:
    """Return a message for each rule that a new password of this person breaks."""
    return (
        _find_unmatched_rules(password)
        + find_guessable_problems(password, address)
        + find_scheme_problems(password, get_configured_scheme())
    )


def _get_rules() -> Sequence[tuple[str, Any]]:
    """Return (regular expression, its message) of the rules, the length first."""
    length = get_min_length()
    text = format_lazy(_("Use at least {count} characters."), count=length)
    rules = get_password_setting("RULES", ())
    return [(f"(?s).{{{length}}}", text), *((regex, gettext(own)) for regex, own in rules)]


def get_min_length() -> int:
    return get_password_setting("LENGTH", DEFAULT_LENGTH)


def _find_unmatched_rules(password: str) -> list:
    return [message for regex, message in _get_rules() if not re.search(regex, password)]


def find_scheme_problems(password: str, choice: SchemeChoice) -> list:
    """Return why the scheme cannot take this password, as messages."""
    encoded = password.encode("utf-8", "replace")
    checks = (
        ("\0" in password, _("Passwords cannot contain NUL characters.")),
        (re.search("[\ud800-\udfff]", password), _("The password is not valid Unicode text.")),
        (len(encoded) > choice.scheme.max_bytes, _build_length_message(choice.scheme.max_bytes)),
    )
    return [message for is_broken, message in checks if is_broken]


def _build_length_message(max_bytes: int) -> Any:
    text = _("Use at most {bytes} bytes. Accented letters take two bytes, emoji four.")
    return format_lazy(text, bytes=max_bytes)


def generate_password(length: int = 14) -> str:
    """Return a new password without look-alike characters, longer if the rules require it."""
    for size in range(length, MAX_GENERATED_LENGTH + 1):
        for alphabet in (ALPHABET, ALPHABET + SPECIAL_CHARACTERS):
            if password := _try_to_generate(alphabet, size):
                return password
    raise ImproperlyConfigured("MAILADMIN_PASSWORD_RULES: no generated password meets these rules")


def _try_to_generate(alphabet: str, size: int) -> str | None:
    drawn = (
        "".join(secrets.choice(alphabet) for _n in range(size))
        for _try in range(MAX_GENERATE_ATTEMPTS)
    )
    return next((password for password in drawn if not _find_unmatched_rules(password)), None)
