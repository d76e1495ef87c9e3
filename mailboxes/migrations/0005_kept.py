import django.db.models.deletion
from django.db import migrations

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0004_kept"),
        ("mailboxes", "0004_indexes"),
    ]

    operations = [
        CreateMissingTable(
            name="StandaloneAlias",
            fields=[
                (
                    "alias",
                    mailadmin.db.fields.OneMailKey(
                        db_column="address",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="standalone_entry",
                        serialize=False,
                        to="mailboxes.alias",
                    ),
                ),
                (
                    "domain",
                    mailadmin.db.fields.MailKey(
                        db_column="domain",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="standalone_aliases",
                        to="domains.domain",
                    ),
                ),
            ],
            options={
                "db_table": "mailadmin_lone_alias",
            },
        ),
    ]
