import django.utils.timezone
from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("mailboxes", "0001_initial"),
    ]

    operations = [
        CreateMissingTable(
            name="Verification",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("domain", mailadmin.db.fields.NameField(blank=True, default="", max_length=255)),
                ("checked", mailadmin.db.fields.DateTimeField(default=django.utils.timezone.now)),
                ("rows", models.IntegerField(default=0)),
                ("differences", models.JSONField(default=list)),
                ("total", models.IntegerField(default=0)),
                ("trouble", mailadmin.db.fields.TextField(blank=True, default="")),
            ],
            options={
                "verbose_name": "verification",
                "verbose_name_plural": "verifications",
                "db_table": "mailadmin_verification",
            },
        ),
    ]
