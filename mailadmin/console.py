"""What commands share: printable text, and errors of the database in words."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import DatabaseError, connection
from django.utils.translation import gettext as _


@contextmanager
def report_database_errors() -> Iterator[None]:
    """Turn errors of the database into CommandError with the name of the database."""
    try:
        yield
    except DatabaseError as error:
        name = connection.settings_dict["NAME"]
        text = _("Database %(name)s: %(error)s (have you run “mailadmin migrate”?)")
        raise CommandError(text % {"name": name, "error": error}) from error


def make_printable(text: str) -> str:
    """Return text that any terminal and any file can show, whatever bytes it was read from."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
