"""The values of a mail, as they are stored: encrypted, since they may hold links that sign in."""

import datetime
import json
from collections.abc import Mapping
from typing import Any

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime

from mailadmin.names import CONTROL_CHARACTER_RE
from mailadmin.sealing import get_cipher
from mailadmin.translation import decode_text, encode_text, evaluate_lazy

CIPHER_PURPOSE = b"outgoing-mail"
MOMENT = "moment"  # names a date and time, which is shown in the reader's format


class ValuesUnreadable(Exception):
    """The values were encrypted with another secret key."""


def seal_values(values: Mapping[str, Any]) -> str:
    """Return the values encrypted: texts, numbers, dates, and translated texts as data."""
    stored = {name: encode_value(value) for name, value in values.items()}
    return get_cipher(CIPHER_PURPOSE).encrypt(json.dumps(stored).encode()).decode()


def unseal_values(sealed: str) -> dict[str, str]:
    """Return the values as single lines in the active language; raise ValuesUnreadable."""
    from cryptography.fernet import InvalidToken  # loaded when it is used, as in `sealing`

    try:
        stored = json.loads(get_cipher(CIPHER_PURPOSE).decrypt(sealed.encode()))
    except InvalidToken:
        raise ValuesUnreadable from None
    return {name: to_single_line(decode_value(value)) for name, value in stored.items()}


def encode_value(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return {MOMENT: value.isoformat()}
    return encode_text(evaluate_lazy(value) if isinstance(value, Promise) else str_of(value))


def str_of(value: Any) -> str:
    """Return a text as it is, with what it was translated from, and anything else as text."""
    return value if isinstance(value, str) else str(value)


def decode_value(stored: Any) -> str:
    if isinstance(stored, dict):
        moment = localtime(datetime.datetime.fromisoformat(stored[MOMENT]))
        return f"{date_format(moment, 'DATETIME_FORMAT')} {moment:%Z}"
    return decode_text(stored)


def to_single_line(text: str) -> str:
    """Return a text without line ends and control characters: it may end up in a header."""
    return CONTROL_CHARACTER_RE.sub("", " ".join(text.split()))
