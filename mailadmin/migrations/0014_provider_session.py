from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("mailadmin", "0013_outgoing_mail"),
    ]

    operations = [
        CreateMissingTable(
            name="ProviderSession",
            fields=[
                ("signed_in_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("sid_hash", mailadmin.db.fields.CharField(db_index=True, max_length=64)),
                ("sub_hash", mailadmin.db.fields.CharField(db_index=True, max_length=64)),
                ("since", models.DateTimeField(db_index=True)),
            ],
            options={
                "db_table": "mailadmin_provider_session",
            },
        ),
    ]
