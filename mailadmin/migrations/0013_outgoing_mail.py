import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0005_plain_texts"),
        ("mailadmin", "0012_second_factors"),
    ]

    operations = [
        CreateMissingTable(
            name="ReaderLanguage",
            fields=[
                (
                    "account",
                    mailadmin.db.fields.CharField(max_length=64, primary_key=True, serialize=False),
                ),
                ("language", mailadmin.db.fields.CharField(max_length=16)),
                ("used", models.DateTimeField(db_index=True)),
            ],
            options={
                "db_table": "mailadmin_reader_language",
            },
        ),
        CreateMissingTable(
            name="OutgoingMail",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created", models.DateTimeField(default=django.utils.timezone.now)),
                ("kind", mailadmin.db.fields.CharField(max_length=64)),
                ("recipient", mailadmin.db.fields.CharField(db_index=True, max_length=255)),
                ("sender", mailadmin.db.fields.CharField(max_length=255)),
                ("language", mailadmin.db.fields.CharField(max_length=16)),
                ("message_id", mailadmin.db.fields.CharField(max_length=255)),
                (
                    "sealed_values",
                    mailadmin.db.fields.TextField(blank=True, default="", secret=True),
                ),
                (
                    "state",
                    mailadmin.db.fields.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("sending", "being sent"),
                            ("sent", "sent"),
                            ("failed", "not delivered"),
                        ],
                        default="waiting",
                        max_length=16,
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("first_attempt", models.DateTimeField(null=True)),
                ("due", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "lease_holder",
                    mailadmin.db.fields.CharField(blank=True, default="", max_length=64),
                ),
                ("error", models.TextField(blank=True, default="")),
                ("finished", models.DateTimeField(null=True)),
                (
                    "domain",
                    mailadmin.db.fields.MailKey(
                        db_column="domain",
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="domains.domain",
                    ),
                ),
            ],
            options={
                "db_table": "mailadmin_outgoing_mail",
                "indexes": [
                    models.Index(fields=["state", "due"], name="mailadmin_mail_due"),
                    models.Index(fields=["state", "finished"], name="mailadmin_mail_finished"),
                ],
            },
        ),
    ]
