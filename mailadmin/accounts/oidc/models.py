"""Which sessions of the panel belong to which session at the provider."""

from django.db import models

from mailadmin.db.fields import CharField


class ProviderSession(models.Model):
    """A session that began at the provider, by hashes of what its logout tokens name."""

    signed_in_id = models.BigIntegerField(primary_key=True)  # of its `SignedInSession`
    sid_hash = CharField(max_length=64, db_index=True)
    sub_hash = CharField(max_length=64, db_index=True)
    since = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "mailadmin_provider_session"

    def __str__(self) -> str:
        return str(self.signed_in_id)
