from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("mailadmin", "0010_log_data_index"),
    ]

    operations = [
        CreateMissingTable(
            name="SignedInSession",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("account", mailadmin.db.fields.CharField(db_index=True, max_length=64)),
                ("session_key", mailadmin.db.fields.CharField(max_length=40)),
                ("password_digest", mailadmin.db.fields.CharField(max_length=16)),
                ("device", mailadmin.db.fields.CharField(max_length=120)),
                ("address", mailadmin.db.fields.CharField(max_length=64)),
                ("since", models.DateTimeField()),
                ("seen", models.DateTimeField(db_index=True)),
            ],
            options={
                "db_table": "mailadmin_signed_in_session",
            },
        ),
    ]
