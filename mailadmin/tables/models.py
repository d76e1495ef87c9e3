"""Saved filters: a person's named links to filtered lists."""

from django.db import models

from mailadmin.accounts.models import OwnedQuerySet
from mailadmin.db.fields import CharField


class SavedFilter(models.Model):
    """The query string of a filtered list, under a name of its owner."""

    owner_model = CharField(max_length=64)
    owner_key = CharField(max_length=255)
    table = CharField(max_length=32)
    name = CharField(max_length=60)
    query = CharField(max_length=1000)
    created = models.DateTimeField(auto_now_add=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        db_table = "mailadmin_saved_filter"
        indexes = [
            models.Index(fields=["owner_key", "table"], name="mailadmin_filter_owner"),
        ]

    def __str__(self) -> str:
        return self.name
