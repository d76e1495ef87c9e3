"""What the columns of this database can hold: adopted ones may be narrower than ours."""

import datetime
import functools
import re
from decimal import Decimal
from typing import Any, NamedTuple

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import connections, models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

CODECS = {"latin1": "cp1252", "ascii": "ascii"}
TEXT_BYTES = {"tinytext": 2**8, "text": 2**16}  # fewer than so many
INTEGER_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
INTEGER_RE = re.compile(r"(\w*int)\b(?:\(\d+\))?( unsigned)?.*")
TIMESTAMPS = (  # of MySQL: the first, and that after the last
    datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=datetime.UTC),
    datetime.datetime(2038, 1, 19, 3, 14, 8, tzinfo=datetime.UTC),
)
DECIMAL_RE = re.compile(r"decimal\((\d+),(\d+)\)( unsigned)?.*")


class ColumnFacts(NamedTuple):
    """A column as the database describes it."""

    charset: str | None = None
    column_type: str = ""
    collation: str | None = None


@functools.cache
def load_column_facts(alias: str) -> dict[tuple[str, str], ColumnFacts]:
    """Return (table, column) → its facts: adopted columns may be narrower than ours."""
    connection = connections[alias]
    if connection.vendor != "mysql":
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, character_set_name, column_type, collation_name"
            " FROM information_schema.columns WHERE table_schema = DATABASE()"
        )
        return {(table, column): ColumnFacts(*facts) for table, column, *facts in cursor}


def fits_column(field: models.Field, value: Any, alias: str = "default") -> bool:
    """Return whether the column of this field can store the value and be compared with it."""
    return find_column_error(field, value, alias) is None


def validate_column(field: models.Field, value: Any) -> None:
    if text := find_column_error(field, value):
        raise ValidationError(text)


def get_column_field(model: type[models.Model], name: str) -> models.Field:
    """Return the field of this name; raise FieldDoesNotExist if it is none of the table itself."""
    field = model._meta.get_field(name)
    if not isinstance(field, models.Field):
        raise FieldDoesNotExist(f"{model.__name__} has no column {name}")
    return field


def find_column_error(field: models.Field, value: Any, alias: str = "default") -> Any:
    """Return why the column of this field cannot hold the value; None if it can."""
    column = field.model._meta.db_table, str(field.column)
    charset, column_type, _collation = load_column_facts(alias).get(column, ColumnFacts())
    if isinstance(value, datetime.datetime):
        if not _fits_calendar(column_type, value):
            return _("This date is out of the range of the database column.")
    elif isinstance(value, (int, Decimal)):
        if not _fits_range(column_type, value):
            return _("This number is too large for the database column.")
    elif charset and not _can_encode(charset, value):
        return _("The database column cannot store some of these characters.")
    elif charset and not _fits_length(charset, column_type, value):
        return _("This text is too long for the database column.")
    return None


@functools.cache
def parse_number_range(column_type: str) -> tuple[int, int] | None:
    """Return the range of whole numbers in a column: the first, and that after the last.

    None for a column that holds no numbers.
    """
    if (found := INTEGER_RE.fullmatch(column_type)) and found[1] in INTEGER_BITS:
        bits = INTEGER_BITS[found[1]]
        return (0, 2**bits) if found[2] else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    if found := DECIMAL_RE.fullmatch(column_type):
        most = int(10 ** (int(found[1]) - int(found[2])))
        return (0, most) if found[3] else (1 - most, most)
    return None


def _fits_range(column_type: str, value: int | Decimal) -> bool:
    """Return whether a column of numbers holds this one."""
    numbers = parse_number_range(column_type)
    if numbers is None:
        return True
    first, end = numbers
    return first <= int(value) < end and (first < 0 or value >= 0)


def _fits_calendar(column_type: str, moment: datetime.datetime) -> bool:
    """Return whether a column holds a moment, in UTC and in the time zone of the server."""
    try:
        moment = timezone.localtime(moment.astimezone(datetime.UTC))
    except OverflowError:
        return False
    first, end = TIMESTAMPS
    return not column_type.startswith("timestamp") or first <= moment < end


def _can_encode(charset: str, text: str) -> bool:
    if charset == "utf8mb4":
        return True
    if charset in ("utf8", "utf8mb3"):
        return all(ord(letter) < 0x10000 for letter in text)
    try:
        text.encode(CODECS.get(charset, "ascii"))
    except UnicodeEncodeError:
        return False
    return True


@functools.cache
def parse_max_characters(column_type: str) -> int | None:
    """Return how many characters a `varchar` or `char` column holds, None for another type."""
    found = re.fullmatch(r"(?:var)?char\((\d+)\)", column_type)
    return int(found[1]) if found else None


def _fits_length(charset: str, column_type: str, text: str) -> bool:
    """Return whether the text is short enough: `varchar` counts characters, `text` bytes."""
    if (most := parse_max_characters(column_type)) is not None:
        return len(text) <= most
    size = len(text.encode()) if charset.startswith("utf8") else len(text)
    return size < TEXT_BYTES.get(column_type, size + 1)
