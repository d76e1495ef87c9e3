import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable
from mailadmin.db.table_names import get_table_name


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("domains", "0001_initial"),
    ]

    operations = [
        CreateMissingTable(
            name="LoginFailure",
            fields=[
                (
                    "key",
                    mailadmin.db.fields.CharField(
                        max_length=255, primary_key=True, serialize=False
                    ),
                ),
                ("failures", models.PositiveIntegerField(default=0)),
                ("since", models.DateTimeField()),
            ],
            options={
                "db_table": "mailadmin_login_failure",
            },
        ),
        CreateMissingTable(
            name="Change",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", mailadmin.db.fields.DateTimeField()),
                ("actor", mailadmin.db.fields.CharField(max_length=255)),
                ("batch", models.UUIDField(default=uuid.uuid4)),
                ("verb", mailadmin.db.fields.CharField(max_length=40)),
                ("table", mailadmin.db.fields.CharField(max_length=64)),
                ("key", mailadmin.db.fields.CharField(max_length=255)),
                ("domain", mailadmin.db.fields.CharField(blank=True, max_length=255)),
                ("values", models.JSONField(default=dict)),
            ],
            options={
                "db_table": "mailadmin_change",
                "indexes": [
                    models.Index(fields=["at", "key"], name="mailadmin_change_at_key"),
                    models.Index(fields=["domain", "at"], name="mailadmin_change_domain"),
                    models.Index(fields=["batch"], name="mailadmin_change_batch"),
                ],
            },
        ),
        CreateMissingTable(
            name="ChangeSecret",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", mailadmin.db.fields.DateTimeField(db_index=True)),
                ("batch", models.UUIDField()),
                ("table", mailadmin.db.fields.CharField(max_length=64)),
                ("key", mailadmin.db.fields.CharField(max_length=255)),
                ("row", models.JSONField()),
            ],
            options={
                "db_table": "mailadmin_change_secret",
                "indexes": [models.Index(fields=["batch"], name="mailadmin_secret_batch")],
            },
        ),
        CreateMissingTable(
            name="Job",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created", models.DateTimeField(default=django.utils.timezone.now)),
                ("finished", models.DateTimeField(null=True)),
                ("kind", mailadmin.db.fields.CharField(max_length=64)),
                ("title", mailadmin.db.fields.CharField(max_length=255)),
                ("owner", mailadmin.db.fields.CharField(max_length=255)),
                ("owner_model", mailadmin.db.fields.CharField(max_length=64)),
                ("owner_key", mailadmin.db.fields.CharField(max_length=255)),
                ("arguments", models.JSONField(default=dict)),
                (
                    "state",
                    mailadmin.db.fields.CharField(
                        choices=[
                            ("draft", "to be confirmed"),
                            ("waiting", "waiting"),
                            ("running", "running"),
                            ("done", "done"),
                            ("failed", "failed"),
                        ],
                        default="waiting",
                        max_length=16,
                    ),
                ),
                ("done", models.PositiveIntegerField(default=0)),
                ("total", models.PositiveIntegerField(default=0)),
                ("message", models.TextField(blank=True)),
                ("lease_until", models.DateTimeField(null=True)),
                ("lease_holder", mailadmin.db.fields.CharField(blank=True, max_length=64)),
            ],
            options={
                "db_table": "mailadmin_job",
                "indexes": [models.Index(fields=["state", "id"], name="mailadmin_job_state")],
            },
        ),
        CreateMissingTable(
            name="UsedCode",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", mailadmin.db.fields.CharField(max_length=255)),
                ("step", models.BigIntegerField()),
            ],
            options={
                "db_table": "mailadmin_used_code",
                "constraints": [
                    models.UniqueConstraint(fields=("key", "step"), name="mailadmin_code_once")
                ],
            },
        ),
        CreateMissingTable(
            name="Log",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                (
                    "timestamp",
                    mailadmin.db.fields.DateTimeField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                        verbose_name="time",
                    ),
                ),
                (
                    "username",
                    mailadmin.db.fields.Latin1CharField(max_length=255, verbose_name="by"),
                ),
                ("action", mailadmin.db.fields.NameField(max_length=255, verbose_name="action")),
                ("data", mailadmin.db.fields.Latin1TextField(verbose_name="what")),
                (
                    "domain",
                    mailadmin.db.fields.MailKey(
                        db_column="domain",
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="domains.domain",
                        verbose_name="domain",
                    ),
                ),
            ],
            options={
                "verbose_name": "log line",
                "verbose_name_plural": "log",
                "db_table": get_table_name("log"),
                "indexes": [
                    models.Index(fields=["timestamp"], name="mailadmin_log_time"),
                    models.Index(fields=["domain", "timestamp"], name="mailadmin_log_domain_time"),
                ],
            },
        ),
    ]
