"""Names of columns and states in plain words: only Django's state changes."""

from django.db import migrations, models

import mailadmin.db.fields


class Migration(migrations.Migration):
    dependencies = [
        ("mailadmin", "0007_plain_names"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterModelOptions(
                    name="log",
                    options={"verbose_name": "log entry", "verbose_name_plural": "log"},
                ),
                migrations.AlterField(
                    model_name="job",
                    name="state",
                    field=mailadmin.db.fields.CharField(
                        choices=[
                            ("draft", "awaiting confirmation"),
                            ("waiting", "waiting"),
                            ("running", "running"),
                            ("done", "done"),
                            ("failed", "failed"),
                        ],
                        default="waiting",
                        max_length=16,
                    ),
                ),
                migrations.AlterField(
                    model_name="log",
                    name="data",
                    field=mailadmin.db.fields.Latin1TextField(verbose_name="object"),
                ),
                migrations.AlterField(
                    model_name="token",
                    name="hint",
                    field=mailadmin.db.fields.CharField(max_length=24, verbose_name="prefix"),
                ),
                migrations.AlterField(
                    model_name="token",
                    name="verbs",
                    field=models.JSONField(default=list, verbose_name="permissions"),
                ),
            ],
        ),
    ]
