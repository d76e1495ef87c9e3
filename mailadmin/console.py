"""What commands share: words that any terminal takes, and a database that does not answer."""

from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import DatabaseError, connection
from django.utils.translation import gettext as _


@contextmanager
def report_database_errors():
    """A database that is away, or that nobody has migrated, is named instead of traced."""
    try:
        yield
    except DatabaseError as error:
        name = connection.settings_dict["NAME"]
        text = _("The database %(name)s: %(error)s (has “mailadmin migrate” been run?)")
        raise CommandError(text % {"name": name, "error": error}) from error


def make_printable(text: str):
    """Text that any terminal and any file takes, whatever bytes it was read from."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
