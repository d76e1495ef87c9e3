"""The model of workers' heartbeats and the field of a job's attempts get plain names.

Table and column keep theirs.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("mailadmin", "0006_limits"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel("WorkerSign", "WorkerHeartbeat"),
                migrations.RenameField("job", "tries", "attempts"),
                migrations.AlterField(
                    "job",
                    "attempts",
                    models.PositiveSmallIntegerField(db_column="tries", db_default=0, default=0),
                ),
            ],
        ),
    ]
