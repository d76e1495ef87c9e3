import django.utils.timezone
from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("mailadmin", "0011_signed_in_session"),
    ]

    operations = [
        CreateMissingTable(
            name="RoleFactorPolicy",
            fields=[
                (
                    "role",
                    mailadmin.db.fields.CharField(max_length=16, primary_key=True, serialize=False),
                ),
                (
                    "level",
                    mailadmin.db.fields.CharField(
                        choices=[
                            ("off", "not offered"),
                            ("offered", "offered"),
                            ("required", "required"),
                        ],
                        max_length=16,
                    ),
                ),
            ],
            options={
                "db_table": "mailadmin_role_factor_policy",
            },
        ),
        CreateMissingTable(
            name="UsedChallenge",
            fields=[
                (
                    "digest",
                    mailadmin.db.fields.CharField(max_length=64, primary_key=True, serialize=False),
                ),
                ("used", models.DateTimeField(db_index=True)),
            ],
            options={
                "db_table": "mailadmin_used_challenge",
            },
        ),
        CreateMissingTable(
            name="Passkey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("owner_model", mailadmin.db.fields.CharField(max_length=64)),
                ("owner_key", mailadmin.db.fields.NameField(max_length=255)),
                ("created", models.DateTimeField(default=django.utils.timezone.now)),
                ("name", mailadmin.db.fields.CharField(max_length=60)),
                ("digest", mailadmin.db.fields.CharField(max_length=64, unique=True)),
                ("credential_id", models.TextField()),
                ("public_key", models.TextField()),
                ("sign_count", models.BigIntegerField(default=0)),
                ("transports", models.JSONField(default=list)),
                ("last_used", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "mailadmin_passkey",
                "indexes": [models.Index(fields=["owner_key"], name="mailadmin_passkey_owner")],
            },
        ),
        CreateMissingTable(
            name="RecoveryCode",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("owner_model", mailadmin.db.fields.CharField(max_length=64)),
                ("owner_key", mailadmin.db.fields.NameField(max_length=255)),
                ("created", models.DateTimeField(default=django.utils.timezone.now)),
                ("digest", mailadmin.db.fields.CharField(max_length=64)),
                ("used", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "mailadmin_recovery_code",
                "indexes": [models.Index(fields=["owner_key"], name="mailadmin_recovery_owner")],
            },
        ),
    ]
