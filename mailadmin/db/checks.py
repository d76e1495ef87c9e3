"""Checks of the database: are its tables transactional?"""

import functools
import time

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.translation import gettext_lazy as _

CACHE_SECONDS = 300


def get_mapped_tables() -> set[str]:
    return {model._meta.db_table for model in apps.get_models()}


def find_nontransactional_tables() -> tuple[str, ...]:
    """Return tables where an interrupted change stays half done (MyISAM and the like)."""
    return _find_nontransactional_tables(connection.vendor, int(time.monotonic() / CACHE_SECONDS))


def check_transactional_tables() -> None:
    """Refuse a change that has to be all or nothing where some table is not transactional."""
    if names := find_nontransactional_tables():
        text = _("The tables %(names)s are not InnoDB: run “mailadmin convert-tables” first.")
        raise ValidationError(text, params={"names": ", ".join(names)})


@functools.lru_cache(maxsize=2)
def _find_nontransactional_tables(vendor: str, _period: int) -> tuple[str, ...]:
    if vendor != "mysql":
        return ()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
            " AND table_type = 'BASE TABLE' AND engine <> 'InnoDB'"
        )
        return tuple(sorted({name for (name,) in cursor} & get_mapped_tables()))
