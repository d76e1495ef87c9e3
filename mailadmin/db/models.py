"""What models of mail tables share."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.db.fields import DateTimeField, Unknown


def table(name):
    """The name of a table of PostfixAdmin's in this database."""
    return settings.MAILADMIN_TABLE_PREFIX + name


class Record(models.Model):
    """A row that knows when it was made and changed, and whether it is in force."""

    created = DateTimeField(
        _("created"), default=timezone.now, db_default=Unknown(), editable=False
    )
    modified = DateTimeField(
        _("modified"), default=timezone.now, db_default=Unknown(), editable=False
    )
    active = models.BooleanField(_("active"), default=True, db_default=True)

    class Meta:
        abstract = True
