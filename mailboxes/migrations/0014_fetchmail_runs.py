import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("mailboxes", "0013_device_links"),
    ]

    operations = [
        CreateMissingTable(
            name="FetchmailRun",
            fields=[
                (
                    "entry",
                    mailadmin.db.fields.OneMailKey(
                        db_column="fetchmail",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="run",
                        serialize=False,
                        to="mailboxes.fetchmail",
                    ),
                ),
                (
                    "holder",
                    mailadmin.db.fields.CharField(db_default="", default="", max_length=64),
                ),
                (
                    "until",
                    mailadmin.db.fields.DateTimeField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                    ),
                ),
                (
                    "failures",
                    models.PositiveIntegerField(db_default=0, default=0, verbose_name="failures"),
                ),
                ("seen_messages", models.TextField(null=True)),
            ],
            options={
                "verbose_name": "run of fetchmail",
                "verbose_name_plural": "runs of fetchmail",
                "db_table": "mailadmin_fetchmail_run",
            },
        ),
    ]
