import django.utils.timezone
from django.db import migrations, models

import domains.patterns
import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0001_initial"),
    ]

    operations = [
        CreateMissingTable(
            name="Transport",
            fields=[
                (
                    "created",
                    mailadmin.db.fields.DateTimeField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                        editable=False,
                        verbose_name="created",
                    ),
                ),
                (
                    "modified",
                    mailadmin.db.fields.DateTimeField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                        editable=False,
                        verbose_name="modified",
                    ),
                ),
                (
                    "active",
                    models.BooleanField(db_default=True, default=True, verbose_name="active"),
                ),
                (
                    "pattern",
                    mailadmin.db.fields.NameField(
                        max_length=255,
                        primary_key=True,
                        serialize=False,
                        validators=[domains.patterns.validate_pattern],
                        verbose_name="pattern",
                    ),
                ),
                (
                    "transport",
                    mailadmin.db.fields.Latin1CharField(
                        db_default="",
                        max_length=255,
                        validators=[domains.patterns.validate_transport],
                        verbose_name="transport",
                    ),
                ),
                (
                    "description",
                    mailadmin.db.fields.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        max_length=255,
                        verbose_name="description",
                    ),
                ),
            ],
            options={
                "verbose_name": "transport",
                "verbose_name_plural": "transports",
                "db_table": "mailadmin_transport",
            },
        ),
    ]
