"""Results of asking the mail server about rows of the panel."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.db.fields import DateTimeField, NameField, TextField


class Verification(models.Model):
    """A comparison of the panel's rows with what the mail server answers."""

    MAX_STORED_DIFFERENCES = 1000  # differences; the command prints them all

    domain = NameField(blank=True, default="")  # none: all of them
    checked = DateTimeField(default=timezone.now)
    rows = models.IntegerField(default=0)
    differences = models.JSONField(default=list)
    total = models.IntegerField(default=0)
    trouble = TextField(blank=True, default="")

    class Meta:
        db_table = "mailadmin_verification"
        verbose_name = _("verification")
        verbose_name_plural = _("verifications")

    def __str__(self):
        return f"{self.domain or '*'} {self.checked}"
