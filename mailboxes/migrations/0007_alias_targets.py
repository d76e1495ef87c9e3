import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F

import mailadmin.db.fields
from mailadmin.db.bulk import chunks
from mailadmin.db.operations import CreateMissingTable
from mailadmin.db.pagination import iter_pages
from mailboxes.models.goto import get_target_names

ROWS = 10_000


def index_targets(apps, schema_editor):
    """Index the aliases that exist, page by page; those that only keep their mail need nothing.

    Not in one transaction, which a cluster would have to take as a whole; it can be run again.
    """
    Alias, AliasTarget = (apps.get_model("mailboxes", name) for name in ("Alias", "AliasTarget"))
    aliases = Alias.objects.exclude(goto=F("address")).only("address", "goto", "domain")
    for page in iter_pages(aliases, ROWS):
        entries = [
            AliasTarget(name=name, domain_id=alias.domain_id, alias_id=alias.pk)
            for alias in page
            for name in sorted(get_target_names(alias.pk, alias.goto))
        ]
        for part in chunks(entries):
            AliasTarget.objects.bulk_create(part, ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [
        ("mailboxes", "0006_plain_texts"),
    ]

    operations = [
        CreateMissingTable(
            name="AliasTarget",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "name",
                        "domain_id",
                        "alias_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", mailadmin.db.fields.NameField(max_length=255)),
                (
                    "domain",
                    mailadmin.db.fields.MailKey(
                        db_column="domain",
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="domains.domain",
                    ),
                ),
                (
                    "alias",
                    mailadmin.db.fields.MailKey(
                        db_column="address",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="target_entries",
                        to="mailboxes.alias",
                    ),
                ),
            ],
            options={
                "db_table": "mailadmin_alias_target",
            },
        ),
        migrations.RunPython(index_targets, migrations.RunPython.noop, atomic=False),
    ]
