import django.utils.timezone
from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("mailboxes", "0014_fetchmail_runs"),
    ]

    operations = [
        CreateMissingTable(
            name="Broadcast",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created", models.DateTimeField(default=django.utils.timezone.now)),
                ("owner", mailadmin.db.fields.CharField(max_length=255)),
                ("owner_model", mailadmin.db.fields.CharField(max_length=64)),
                ("owner_key", mailadmin.db.fields.CharField(max_length=255)),
                ("subject", mailadmin.db.fields.CharField(max_length=255)),
                ("text", mailadmin.db.fields.TextField()),
                ("domains", models.JSONField(default=list)),
                ("addresses", models.JSONField(default=list)),
                ("has_aliases", models.BooleanField(default=False)),
                ("total", models.PositiveIntegerField(default=0)),
                ("part", models.PositiveSmallIntegerField(default=0)),
                ("position", mailadmin.db.fields.CharField(default="", max_length=255)),
                ("is_complete", models.BooleanField(default=False)),
                ("stopped", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "message to users",
                "verbose_name_plural": "messages to users",
                "db_table": "mailadmin_broadcast",
            },
        ),
    ]
