from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("mailadmin", "0015_recovery"),
    ]

    operations = [
        CreateMissingTable(
            name="PasswordRequest",
            fields=[
                (
                    "key",
                    mailadmin.db.fields.CharField(max_length=64, primary_key=True, serialize=False),
                ),
                ("digest", mailadmin.db.fields.CharField(max_length=64)),
                ("at", models.DateTimeField(db_index=True)),
            ],
            options={"db_table": "mailadmin_password_request"},
        ),
    ]
