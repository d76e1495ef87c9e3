"""Which reminders of expiring passwords were sent."""

from django.db import models

from mailadmin.db.fields import CharField


class ExpiryReminder(models.Model):
    """A reminder that was sent: of one account, for one date, so many days before."""

    account = CharField(max_length=64)  # a hash, since names are personal data
    expires = models.DateTimeField(db_index=True)
    days = models.PositiveSmallIntegerField()

    class Meta:
        db_table = "mailadmin_expiry_reminder"
        constraints = [
            models.UniqueConstraint(
                fields=["account", "expires", "days"], name="mailadmin_reminder_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.expires} {self.days}"
