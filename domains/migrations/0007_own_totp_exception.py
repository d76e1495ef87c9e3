import django.db.models.deletion
from django.db import migrations

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0006_factor_policy"),
    ]

    operations = [
        CreateMissingTable(
            name="OwnTotpException",
            fields=[
                (
                    "exception",
                    mailadmin.db.fields.OneMailKey(
                        db_column="exception_id",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="own_exception",
                        serialize=False,
                        to="domains.totpexception",
                    ),
                ),
            ],
            options={
                "db_table": "mailadmin_own_totp_exception",
            },
        ),
    ]
