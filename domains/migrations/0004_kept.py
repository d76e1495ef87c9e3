from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0003_at_domain"),
    ]

    operations = [
        CreateMissingTable(
            name="CachedStat",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", mailadmin.db.fields.NameField(max_length=20)),
                ("domain", mailadmin.db.fields.NameField(blank=True, default="", max_length=255)),
                ("key", mailadmin.db.fields.NameField(blank=True, default="", max_length=255)),
                ("number", models.BigIntegerField(default=0)),
                ("percent", models.SmallIntegerField(default=0)),
            ],
            options={
                "db_table": "mailadmin_kept",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("domain", "name", "key"), name="mailadmin_kept_once"
                    )
                ],
            },
        ),
    ]
