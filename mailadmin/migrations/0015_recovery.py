import django.utils.timezone
from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("mailadmin", "0014_provider_session"),
    ]

    operations = [
        CreateMissingTable(
            name="RecoveryRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", mailadmin.db.fields.CharField(max_length=255)),
                ("address", mailadmin.db.fields.CharField(max_length=64)),
                ("device", mailadmin.db.fields.CharField(max_length=120)),
                (
                    "requested",
                    models.DateTimeField(db_index=True, default=django.utils.timezone.now),
                ),
            ],
            options={"db_table": "mailadmin_recovery_request"},
        ),
    ]
