"""Statistics that the worker caches."""

from django.db import models

from mailadmin.db.fields import NameField

BROKEN_TRANSPORT_STAT, BROKEN_DOMAIN_STAT = "broken_transport", "broken_domain"
SCHEME_STAT, SCHEMES_COUNTED_STAT = SCHEME_STATS = ("password_scheme", "schemes_counted")
REROUTED_DOMAIN_STAT = "rerouted_domain"  # matched by the transport `*` alone


class CachedStat(models.Model):
    """A number or a key that would take too long to find for each page.

    It is about one domain, or about all of them where `domain` is empty.
    """

    name = NameField(max_length=20)
    domain = NameField(blank=True, default="")
    key = NameField(blank=True, default="")
    number = models.BigIntegerField(default=0)
    percent = models.SmallIntegerField(default=0)

    class Meta:
        app_label = "domains"  # whose migrations have created the table
        db_table = "mailadmin_kept"
        constraints = [
            models.UniqueConstraint(fields=["domain", "name", "key"], name="mailadmin_kept_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.domain} {self.key}"
