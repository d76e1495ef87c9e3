from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("mailboxes", "0008_search_indexes"),
    ]

    operations = [
        CreateMissingTable(
            name="ExpiryReminder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("account", mailadmin.db.fields.CharField(max_length=64)),
                ("expires", models.DateTimeField(db_index=True)),
                ("days", models.PositiveSmallIntegerField()),
            ],
            options={
                "db_table": "mailadmin_expiry_reminder",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "expires", "days"), name="mailadmin_reminder_once"
                    )
                ],
            },
        ),
    ]
