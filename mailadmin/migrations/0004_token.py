import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("mailadmin", "0003_worker_sign"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        CreateMissingTable(
            name="Token",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", mailadmin.db.fields.CharField(max_length=100, verbose_name="name")),
                ("hint", mailadmin.db.fields.CharField(max_length=24, verbose_name="begins with")),
                ("digest", mailadmin.db.fields.CharField(max_length=64, secret=True, unique=True)),
                ("tables", models.JSONField(default=list, verbose_name="tables")),
                ("verbs", models.JSONField(default=list, verbose_name="rights")),
                ("domains", models.JSONField(default=list, verbose_name="domains")),
                ("networks", models.JSONField(default=list, verbose_name="networks")),
                (
                    "created",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
                ),
                ("expires", models.DateTimeField(null=True, verbose_name="expires")),
                ("last_used", models.DateTimeField(null=True, verbose_name="last used")),
                (
                    "last_address",
                    mailadmin.db.fields.CharField(blank=True, default="", max_length=64),
                ),
                ("window_start", models.DateTimeField(null=True)),
                ("window_count", models.PositiveIntegerField(default=0)),
                (
                    "owner",
                    mailadmin.db.fields.MailKey(
                        db_column="owner",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tokens",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "token",
                "verbose_name_plural": "tokens",
                "db_table": "mailadmin_token",
            },
        ),
        CreateMissingTable(
            name="StoredResponse",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", mailadmin.db.fields.CharField(max_length=64)),
                ("digest", mailadmin.db.fields.CharField(max_length=64)),
                ("body", models.JSONField(null=True)),
                ("at", models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                (
                    "token",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="mailadmin.token",
                    ),
                ),
            ],
            options={
                "db_table": "mailadmin_answer",
                "constraints": [
                    models.UniqueConstraint(fields=("token", "key"), name="mailadmin_answer_once")
                ],
            },
        ),
    ]
