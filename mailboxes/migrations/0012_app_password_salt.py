from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("mailboxes", "0011_sender_permissions"),
    ]

    operations = [
        CreateMissingTable(
            name="AppPasswordSalt",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                ("salt", mailadmin.db.fields.CharField(max_length=64, secret=True)),
            ],
            options={
                "db_table": "mailadmin_app_password_salt",
            },
        ),
    ]
