"""Texts that are stored and shown in the language of their reader.

`gettext` and the others replace those of Django: what they return is a string in the active
language that keeps its msgid and parameters, so that it can be stored as data. Where texts of a
module end up in the database (jobs, imports, verifications), import them from here.
"""

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.utils import translation
from django.utils.formats import number_format
from django.utils.functional import Promise, lazy
from django.utils.translation import override

Data = dict[str, Any]  # msgid, params; plural and number where they matter
ENCODER = json.JSONEncoder(ensure_ascii=False)  # made once: an import encodes a text per row
STORED_PREFIX = '{"msgid": '
PARAMETER_RE = re.compile(r"%\((\w+)\)")


class TranslatedText(str):
    """A text in the language that was active when it was made, and what it was made from."""

    data: Data

    def __new__(cls, text: str, data: Data | None = None) -> Self:
        result = super().__new__(cls, text)
        result.data = data or {"msgid": text}
        return result

    def __str__(self) -> str:
        return self

    def __mod__(self, params: Any) -> str:
        if not isinstance(params, Mapping) or "params" in self.data:
            return super().__mod__(params)
        forms = self.data["msgid"] + self.data.get("plural", "")
        used = find_parameters(forms)  # validators also give what was typed: a password
        values = {name: to_parameter(params[name]) for name in params if name in used}
        return TranslatedText(super().__mod__(params), self.data | {"params": values})


@functools.lru_cache(maxsize=256)  # an import has the same text in every row
def find_parameters(forms: str) -> frozenset[str]:
    """Return the names of the parameters in a text."""
    return frozenset(PARAMETER_RE.findall(forms))


class Count(int):
    """A number that texts show in the format of the active language: "1,500"."""

    def __str__(self) -> str:
        return number_format(int(self))


def gettext(msgid: str) -> str:
    """Translate as Django does; the result can be stored as data."""
    return TranslatedText(translation.gettext(msgid), {"msgid": msgid})


def ngettext(singular: str, plural: str, number: int) -> str:
    """Translate as Django does; the result can be stored as data."""
    data = {"msgid": singular, "plural": plural, "number": number}
    return TranslatedText(translation.ngettext(singular, plural, number), data)


gettext_lazy = lazy(gettext, str)


class LazyPlural:
    """A text in two forms; its parameters give the number, and with it the form."""

    def __init__(self, singular: str, plural: str, number_name: str) -> None:
        self.singular, self.plural, self.number_name = singular, plural, number_name

    def __mod__(self, params: Mapping[str, Any]) -> str:
        return ngettext(self.singular, self.plural, params[self.number_name]) % params


def ngettext_lazy(singular: str, plural: str, number_name: str) -> LazyPlural:
    """Translate when the parameters are given; the result can be stored as data."""
    return LazyPlural(singular, plural, number_name)


def compose(pattern: str, **params: Any) -> str:
    """Return a pattern without words, such as "%(name)s: %(text)s", filled with texts."""
    return TranslatedText(pattern) % params


def join_texts(texts: Iterable[str], separator: str = " ") -> str:
    """Join texts such that the result can be stored as data."""
    parts = {f"text{number}": text for number, text in enumerate(texts)}
    if len(parts) == 1:
        return parts["text0"]
    return compose(separator.join(f"%({name})s" for name in parts), **parts) if parts else ""


# Messages of errors, those of Django too


def message_texts(error: ValidationError) -> list[str]:
    """Return the messages of an error such that they can be stored as data."""
    if hasattr(error, "error_dict"):
        return [
            text for each in error.error_dict.values() for e in each for text in message_texts(e)
        ]
    return [to_text(each.message, each.params) for each in error.error_list]


def join_messages(error: ValidationError) -> str:
    return join_texts(message_texts(error))


def to_text(message: Any, params: Mapping[str, Any] | None = None) -> str:
    """Return a message, which may be lazy, with its parameters."""
    if isinstance(message, Promise):
        message = evaluate_plural(message, params or {}) or evaluate_lazy(message)
    return message % params if params else str(message)


def evaluate_lazy(message: Promise) -> str:
    text = str(message)
    if isinstance(text, TranslatedText):
        return text
    with override(None):
        return TranslatedText(text, {"msgid": str(message)})


def evaluate_plural(message: Any, params: Mapping[str, Any]) -> str | None:
    """Return the form of Django's `ngettext_lazy` for these parameters; None for other texts.

    Without a number such a text is empty. `format` gives the form for a number, and leaves the
    placeholders of `%` as they are; so the two forms are known, and which parameter is the number.
    """
    if str(message) or not params:
        return None
    ones, twos = dict.fromkeys(params, 1), dict.fromkeys(params, 2)
    with override(None):
        singular, plural = message.format(**ones), message.format(**twos)
        number = next(
            params[name] for name in params if message.format(**twos | {name: 1}) == singular
        )
    return ngettext(singular, plural, number)


def to_parameter(value: Any) -> Any:
    """Return a parameter as JSON holds it."""
    if isinstance(value, (int, float, type(None))):
        return value
    text = evaluate_lazy(value) if isinstance(value, Promise) else str(value)
    return text.data if isinstance(text, TranslatedText) else text


# Storage


def encode_text(text: str, max_length: int | None = None) -> str:
    """Return what is stored for a text: JSON, or the text itself where it is not translated."""
    if not isinstance(text, TranslatedText):
        if not text.startswith(STORED_PREFIX):
            return text[:max_length]
        # Somebody's own, and not to be read as data.
        text = TranslatedText(text, {"msgid": "%(text)s", "params": {"text": text}})
    stored = dump_data(text.data)
    while max_length is not None and len(stored) > max_length:
        shorter = shorten_parameter(text.data, len(stored) - max_length)
        if shorter is None:
            return text[:max_length]
        text = render_data(shorter)
        stored = dump_data(text.data)
    return stored


def dump_data(data: Data) -> str:
    return ENCODER.encode(data)


def shorten_parameter(data: Data, excess: int) -> Data | None:
    """Return the data with its longest parameter shortened; None if that does not help."""
    params = {name: value for name, value in data.get("params", {}).items() if is_plain(value)}
    name = max(params, key=lambda each: len(params[each]), default="")
    value = params[name].removesuffix("…") if name else ""
    if not value:
        return None
    kept = max(0, len(value) - max(1, excess // 2))  # a character may take two in JSON
    return data | {"params": data["params"] | {name: value[:kept] + "…"}}


def is_plain(value: Any) -> bool:
    return isinstance(value, str)


def decode_text(stored: str) -> str:
    """Return a stored text in the active language; older texts are stored as they were shown."""
    if not stored.startswith(STORED_PREFIX):
        return stored
    try:
        data = json.loads(stored)
        return render_data(data)
    except (ValueError, TypeError, KeyError, AttributeError):
        return stored


def render_data(data: Data) -> TranslatedText:
    """Translate data into the active language."""
    if "plural" in data:
        text = translation.ngettext(data["msgid"], data["plural"], data["number"])
    else:
        text = translation.gettext(data["msgid"]) if data["msgid"] else ""
    if "params" in data:
        text %= {name: render_parameter(value, data) for name, value in data["params"].items()}
    return TranslatedText(text, data)


def render_parameter(value: Any, data: Data) -> Any:
    """Return a parameter of this data, as the text shows it."""
    if isinstance(value, dict):
        return render_data(value)
    return Count(value) if type(value) is int and value == data.get("number") else value


def replace_in_text(text: str, replace: Callable[[str], str]) -> str:
    """Apply a function to a text, or to its parameters where it is translated."""
    replaced = replace(text)
    if replaced == text:
        return text
    if not isinstance(text, TranslatedText):
        return replaced
    return render_data(replace_in_data(text.data, replace))


def replace_in_data(data: Data, replace: Callable[[str], str]) -> Data:
    params = {
        name: replace(value)
        if is_plain(value)
        else replace_in_data(value, replace)
        if isinstance(value, dict)
        else value
        for name, value in data.get("params", {}).items()
    }
    return data | ({"params": params} if params else {})
