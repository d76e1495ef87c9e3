import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("mailboxes", "0002_verification"),
    ]

    operations = [
        CreateMissingTable(
            name="Plan",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created", mailadmin.db.fields.DateTimeField(default=django.utils.timezone.now)),
                ("format", mailadmin.db.fields.NameField(max_length=20)),
                ("source", mailadmin.db.fields.CharField(max_length=255)),
                ("options", models.JSONField(default=dict)),
                ("owner", mailadmin.db.fields.CharField(max_length=255)),
                ("owner_model", mailadmin.db.fields.CharField(max_length=64)),
                ("owner_key", mailadmin.db.fields.CharField(max_length=255)),
                ("of_superadmin", models.BooleanField(default=False)),
                (
                    "state",
                    mailadmin.db.fields.CharField(
                        choices=[
                            ("reading", "being read"),
                            ("ready", "to be reviewed"),
                            ("applying", "being applied"),
                            ("stopped", "stopped"),
                            ("applied", "applied"),
                            ("returning", "being taken back"),
                            ("returned", "taken back"),
                            ("failed", "could not be read"),
                            ("discarded", "discarded"),
                        ],
                        default="reading",
                        max_length=16,
                    ),
                ),
                ("batch", models.UUIDField(default=uuid.uuid4)),
                ("losses", models.JSONField(default=list)),
                ("trouble", mailadmin.db.fields.TextField(blank=True, default="")),
                ("is_returning", models.BooleanField(default=False)),
                ("job", models.BigIntegerField(null=True)),
            ],
            options={
                "verbose_name": "import",
                "verbose_name_plural": "imports",
                "db_table": "mailadmin_plan",
            },
        ),
        CreateMissingTable(
            name="UploadPiece",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sealed", models.BinaryField()),
                (
                    "plan",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="pieces",
                        to="mailboxes.plan",
                    ),
                ),
            ],
            options={
                "db_table": "mailadmin_upload_piece",
            },
        ),
        CreateMissingTable(
            name="PlanRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("stage", models.PositiveSmallIntegerField()),
                ("kind", mailadmin.db.fields.NameField(max_length=20)),
                ("key", mailadmin.db.fields.CharField(max_length=255)),
                ("place", mailadmin.db.fields.CharField(max_length=255)),
                (
                    "verb",
                    mailadmin.db.fields.NameField(
                        choices=[
                            ("new", "new"),
                            ("changed", "changed"),
                            ("same", "same"),
                            ("refused", "refused"),
                        ],
                        max_length=8,
                    ),
                ),
                ("values", models.JSONField(default=dict)),
                ("differences", models.JSONField(default=list)),
                ("digest", mailadmin.db.fields.NameField(blank=True, default="", max_length=32)),
                ("is_done", models.BooleanField(default=False)),
                ("done", mailadmin.db.fields.DateTimeField(null=True)),
                ("reason", mailadmin.db.fields.TextField(blank=True, default="")),
                (
                    "plan",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rows",
                        to="mailboxes.plan",
                    ),
                ),
            ],
            options={
                "db_table": "mailadmin_plan_row",
                "indexes": [
                    models.Index(
                        fields=["plan", "is_done", "stage", "id"], name="mailadmin_plan_next"
                    ),
                    models.Index(
                        fields=["plan", "verb", "stage", "id"], name="mailadmin_plan_verb"
                    ),
                    models.Index(fields=["plan", "kind", "key"], name="mailadmin_plan_key"),
                ],
            },
        ),
    ]
