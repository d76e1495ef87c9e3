"""Results of verifications of the mail server."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.db.fields import DateTimeField, NameField
from mailadmin.db.translated_fields import TranslatedTextField


class Verification(models.Model):
    """A comparison of the rows of the panel with the answers of the mail server."""

    MAX_STORED_DIFFERENCES = 1000  # the command prints all

    domain = NameField(blank=True, default="")  # empty: all domains
    checked = DateTimeField(default=timezone.now)
    rows = models.IntegerField(default=0)
    differences = models.JSONField(default=list)
    total = models.IntegerField(default=0)
    trouble = TranslatedTextField(blank=True, default="")

    class Meta:
        db_table = "mailadmin_verification"
        verbose_name = _("verification")
        verbose_name_plural = _("verifications")

    def __str__(self) -> str:
        return f"{self.domain or '*'} {self.checked}"
