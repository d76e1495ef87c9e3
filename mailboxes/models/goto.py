"""The targets of an alias: the column that holds them, and the target of a vacation reply."""

from collections.abc import Iterable, Sequence

from django.conf import settings
from django.utils.translation import gettext as _

from mailadmin.address_lists import parse_address_list
from mailadmin.db.fields import ListTextField

MAX_NAME_LENGTH = 255


class GotoField(ListTextField):
    """The targets of an alias, joined by commas."""

    def split(self, text: str | None) -> list[str]:
        return split_goto(text)

    def format_items(self, items: Sequence[str]) -> str:
        """Return targets for display: the internal one of a vacation reply by its name."""
        return super().format_items(
            [_("vacation reply") if is_vacation_target(item) else item for item in items]
        )


def split_goto(goto: str | None) -> list[str]:
    """Return the targets of an alias as Postfix reads them, without null addresses."""
    return [target for target in parse_address_list(goto or "") if target]


def join_goto(targets: Iterable[str]) -> str:
    return ",".join(dict.fromkeys(targets))


def vacation_target(address: str) -> str:
    """Return the target that passes a copy to the autoresponder: user#domain@autoreply…"""
    return f"{address.replace('@', '#')}@{settings.MAILADMIN_VACATION_DOMAIN}"


def is_vacation_target(target: str) -> bool:
    return target.lower().endswith("@" + settings.MAILADMIN_VACATION_DOMAIN.lower())


def get_target_names(address: str, goto: str | None) -> set[str]:
    """Return the names by which an alias is found that points to an address or into a domain.

    These are its targets in lower case and, as `@domain`, their domains; except the alias's own.
    What no key of a mailbox or domain can equal is left out.
    """
    addresses = {target.lower() for target in split_goto(goto) if "@" in target}
    targets = [address for address in addresses if not is_vacation_target(address)]
    names = {*targets, *map(get_domain_name, targets)}
    names -= {address.lower(), get_domain_name(address.lower())}
    return {name for name in names if is_indexable(name)}


def get_domain_name(address: str) -> str:
    return "@" + address.rpartition("@")[2]


def is_indexable(name: str) -> bool:
    """Return whether a column for names can hold this one and be compared with it."""
    return len(name) <= MAX_NAME_LENGTH and name.isascii() and name.isprintable()
