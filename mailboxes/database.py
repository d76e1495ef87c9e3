"""What commands say when the database has no answer."""

from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import DatabaseError, connection
from django.utils.translation import gettext as _


@contextmanager
def told_plainly():
    """A database that is away, or that nobody has migrated, is named instead of traced."""
    try:
        yield
    except DatabaseError as error:
        name = connection.settings_dict["NAME"]
        text = _("The database %(name)s: %(error)s (has “mailadmin migrate” been run?)")
        raise CommandError(text % {"name": name, "error": error}) from error
