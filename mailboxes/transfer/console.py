"""What the commands of imports, exports and manifests share."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from mailadmin.console import make_printable, report_database_errors
from mailboxes.transfer.entries import SourceError


@contextmanager
def report_errors() -> Iterator[None]:
    """Raise errors of sources, services and the database as CommandError, in printable text."""
    with report_database_errors():
        try:
            yield
        except ValidationError as error:
            raise CommandError(make_printable(" ".join(error.messages))) from error
        except SourceError as error:
            raise CommandError(make_printable(str(error))) from error
