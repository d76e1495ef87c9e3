from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("mailadmin", "0002_job_tries"),
    ]

    operations = [
        CreateMissingTable(
            name="WorkerSign",
            fields=[
                (
                    "machine",
                    mailadmin.db.fields.CharField(max_length=64, primary_key=True, serialize=False),
                ),
                ("seen", models.DateTimeField()),
            ],
            options={
                "db_table": "mailadmin_worker_sign",
            },
        ),
    ]
