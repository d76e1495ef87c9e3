"""What the panel should know of its database before it promises anything."""

import functools
import time

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.translation import gettext_lazy as _

FORGET_SECONDS = 300


def own_tables():
    return {model._meta.db_table for model in apps.get_models()}


def tables_without_transactions():
    """Tables of this database in which a change may stay half done (MyISAM and the like)."""
    return _tables_without_transactions(connection.vendor, int(time.monotonic() / FORGET_SECONDS))


def refuse_without_transactions():
    """What promises all or nothing promises it only where the database can keep that."""
    if names := tables_without_transactions():
        text = _("The tables %(names)s are not InnoDB: run “mailadmin convert-tables” first.")
        raise ValidationError(text, params={"names": ", ".join(names)})


@functools.lru_cache(maxsize=2)
def _tables_without_transactions(vendor, _period):
    if vendor != "mysql":
        return ()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
            " AND table_type = 'BASE TABLE' AND engine <> 'InnoDB'"
        )
        return tuple(sorted({name for (name,) in cursor} & own_tables()))
