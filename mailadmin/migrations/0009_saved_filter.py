from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("mailadmin", "0008_plain_texts"),
    ]

    operations = [
        CreateMissingTable(
            name="SavedFilter",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("owner_model", mailadmin.db.fields.CharField(max_length=64)),
                ("owner_key", mailadmin.db.fields.CharField(max_length=255)),
                ("table", mailadmin.db.fields.CharField(max_length=32)),
                ("name", mailadmin.db.fields.CharField(max_length=60)),
                ("query", mailadmin.db.fields.CharField(max_length=1000)),
                ("created", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "db_table": "mailadmin_saved_filter",
                "indexes": [
                    models.Index(fields=["owner_key", "table"], name="mailadmin_filter_owner")
                ],
            },
        ),
    ]
