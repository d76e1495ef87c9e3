import django.utils.timezone
from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("mailadmin", "0016_password_request"),
    ]

    operations = [
        CreateMissingTable(
            name="HookDelivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("first_attempt", models.DateTimeField(null=True)),
                ("due", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "lease_holder",
                    mailadmin.db.fields.CharField(blank=True, default="", max_length=64),
                ),
                ("finished", models.DateTimeField(null=True)),
                ("created", models.DateTimeField(default=django.utils.timezone.now)),
                ("event", mailadmin.db.fields.CharField(max_length=64)),
                ("key", mailadmin.db.fields.CharField(max_length=255)),
                ("target", mailadmin.db.fields.CharField(max_length=255)),
                ("arguments", models.JSONField(default=list)),
                ("body", mailadmin.db.fields.TextField(default="")),
                (
                    "sealed_input",
                    mailadmin.db.fields.TextField(blank=True, default="", secret=True),
                ),
                (
                    "state",
                    mailadmin.db.fields.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("running", "running"),
                            ("done", "done"),
                            ("failed", "failed"),
                        ],
                        default="waiting",
                        max_length=16,
                    ),
                ),
                ("code", models.IntegerField(null=True)),
                ("output", mailadmin.db.fields.TextField(blank=True, default="")),
            ],
            options={
                "db_table": "mailadmin_hook_delivery",
                "indexes": [
                    models.Index(fields=["state", "due"], name="mailadmin_hook_due"),
                    models.Index(fields=["state", "finished"], name="mailadmin_hook_finished"),
                ],
            },
        ),
    ]
