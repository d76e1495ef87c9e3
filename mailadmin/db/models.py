"""What models of mail tables share."""

import copy
from typing import TypeVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.db.fields import DateTimeField, UnknownDate

Row = TypeVar("Row", bound=models.Model)


class TimestampedModel(models.Model):
    """A row with the dates of its creation and last change, active or not."""

    created = DateTimeField(
        _("created"), default=timezone.now, db_default=UnknownDate(), editable=False
    )
    modified = DateTimeField(
        _("modified"), default=timezone.now, db_default=UnknownDate(), editable=False
    )
    active = models.BooleanField(_("active"), default=True, db_default=True)

    class Meta:
        abstract = True


def has_generated_key(model: type[models.Model]) -> bool:
    """Return whether the database gives new rows their key, a number."""
    return isinstance(model._meta.pk, models.AutoField)


def copy_with_values(row: Row, values: dict[str, object]) -> Row:
    """Return a copy of the row with these values, to validate them before anything is written.

    MyISAM tables keep what was written before an error.
    """
    edited = copy.copy(row)
    for name, value in values.items():
        setattr(edited, name, value)
    return edited
