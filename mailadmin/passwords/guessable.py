"""Passwords that are guessed first: common and breached ones, and those made of the address."""

import functools
import re
from typing import Any

from django.contrib.auth.password_validation import CommonPasswordValidator
from django.utils.translation import gettext_lazy as _

from mailadmin.names import domain_to_unicode
from mailadmin.passwords.breached import is_breached
from mailadmin.passwords.limits import MAX_PASSWORD_BYTES
from mailadmin.passwords.stored import get_password_setting

MAX_ADDRESS_LENGTH = 255
MIN_NAME_LENGTH = 3  # shorter parts of an address are in many good passwords
MIN_REST_LENGTH = 8  # characters that a password must have besides the parts of the address


@functools.cache
def load_common_passwords() -> frozenset[str]:
    """Return Django's list of the 20,000 commonest passwords, in lower case."""
    return frozenset(CommonPasswordValidator().passwords)


def find_guessable_problems(password: str, address: str = "") -> list[Any]:
    """Return why this password is guessed early, as messages; the address is its owner's."""
    if len(password) > MAX_PASSWORD_BYTES or len(address) > MAX_ADDRESS_LENGTH:
        return []  # refused for its length, or no address
    folded, breached = password.strip().lower(), get_password_setting("BREACHED", None)
    checks = (
        (folded in load_common_passwords(), _("This password is one of the most common ones.")),
        (
            is_made_of_address(folded, address.lower()),
            _("The password consists mostly of the email address or its domain."),
        ),
        (
            breached is not None and is_breached(password, breached),
            _("This password is known from a data breach. Choose another one."),
        ),
    )
    return [message for is_broken, message in checks if is_broken]


def is_made_of_address(password: str, address: str) -> bool:
    """Return whether little is left of a password without the parts of the address."""
    rest = password
    for name in list_names(address):
        rest = rest.replace(name, "")
    return rest != password and len(rest) < MIN_REST_LENGTH


def list_names(address: str) -> list[str]:
    """Return the parts of an address by which somebody may guess, the longest first."""
    local_part, _at, domain = address.rpartition("@")
    domains = {domain, domain_to_unicode(domain)}
    labels = {label for each in domains for label in each.split(".")[:-1]}
    names = {address, local_part, *re.split("[._+-]", local_part), *domains, *labels}
    return sorted((name for name in names if len(name) >= MIN_NAME_LENGTH), key=len, reverse=True)
