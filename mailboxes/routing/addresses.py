"""Addresses as Postfix takes them apart and puts them together."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


def split_address(address):
    local_part, _at, domain = address.rpartition("@")
    return local_part, domain


def split_extension(local_part, delimiters):
    """The part that owns the mail and the extension with its sign; `+x` alone is no extension."""
    size = next((n for n, sign in enumerate(local_part) if sign in delimiters), 0)
    if not size or is_whole(local_part, delimiters):
        return local_part, ""
    return local_part[:size], local_part[size:]


def is_whole(local_part, delimiters):
    """Names that Postfix never splits, though there may be a sign in them."""
    name = local_part.lower()
    of_a_list = name.startswith("owner-") or name.endswith("-request")
    return name in ("mailer-daemon", "double-bounce") or ("-" in delimiters and of_a_list)


def extended(target, extension):
    local_part, at, domain = target.rpartition("@")
    return f"{local_part}{extension}@{domain}" if at else f"{target}{extension}"


def quoted(address):
    """As it is written: what is no plain name stands in quotes."""
    local_part, domain = split_address(address)
    plain = local_part and not any(sign in SPECIAL for sign in local_part)
    return address if plain or not domain else f'"{local_part}"@{domain}'


SPECIAL = '@,<>()[]:;" '


def without_doubles(addresses):
    return list({address.lower(): address for address in reversed(addresses)}.values())[::-1]


def typed_address(text):
    """What somebody typed as an address to ask about."""
    address = text.strip().removeprefix("<").removesuffix(">")
    local_part, domain = split_address(address)
    if not local_part or not domain or any(sign.isspace() for sign in address):
        raise ValidationError(_("“%(value)s” is not an address."), params={"value": text})
    return address
