"""The targets of an alias: the column that holds them, and the target of a vacation reply."""

from collections.abc import Iterable, Sequence

from django.conf import settings
from django.utils.translation import gettext as _

from mailadmin.address_lists import parse_address_list
from mailadmin.db.fields import ListTextField


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
