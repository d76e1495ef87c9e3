import django.db.models.deletion
from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import AddMissingColumn, CreateMissingTable, RemoveOwnColumn

STEP = 100  # keys that a step of a job works on


def store_selections(apps, schema_editor):
    """Jobs that have not ended keep their keys as rows from here on."""
    Job, JobKeys = apps.get_model("mailadmin", "Job"), apps.get_model("mailadmin", "JobKeys")
    for job in Job.objects.exclude(state__in=["done", "failed"]).iterator():
        keys = job.arguments.pop("keys", None) or job.arguments.pop("domains", None)
        if not keys or JobKeys.objects.filter(job=job).exists():
            continue
        for position, start in enumerate(range(0, len(keys), STEP)):
            JobKeys.objects.create(job=job, position=position, keys=keys[start : start + STEP])
        job.save(update_fields=["arguments"])


class Migration(migrations.Migration):
    dependencies = [
        ("mailadmin", "0005_indexes"),
    ]

    operations = [
        CreateMissingTable(
            name="KnownNetwork",
            fields=[
                (
                    "key",
                    mailadmin.db.fields.CharField(max_length=64, primary_key=True, serialize=False),
                ),
                ("seen", models.DateTimeField(db_index=True)),
            ],
            options={"db_table": "mailadmin_known_network"},
        ),
        CreateMissingTable(
            name="RequestCount",
            fields=[
                (
                    "owner",
                    mailadmin.db.fields.CharField(
                        max_length=255, primary_key=True, serialize=False
                    ),
                ),
                ("window_start", models.DateTimeField()),
                ("requests", models.PositiveIntegerField(default=0)),
            ],
            options={"db_table": "mailadmin_request_count"},
        ),
        CreateMissingTable(
            name="SessionEpoch",
            fields=[
                (
                    "key",
                    mailadmin.db.fields.CharField(max_length=64, primary_key=True, serialize=False),
                ),
                ("at", models.DateTimeField(db_index=True)),
            ],
            options={"db_table": "mailadmin_session_epoch"},
        ),
        CreateMissingTable(
            name="JobKeys",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveIntegerField()),
                ("keys", models.JSONField()),
                (
                    "job",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="selection",
                        to="mailadmin.job",
                    ),
                ),
            ],
            options={
                "db_table": "mailadmin_job_keys",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("job", "position"), name="mailadmin_job_keys_position"
                    )
                ],
            },
        ),
        AddMissingColumn(
            model_name="job",
            name="token",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="mailadmin.token",
            ),
        ),
        RemoveOwnColumn(model_name="token", name="window_start"),
        RemoveOwnColumn(model_name="token", name="window_count"),
        migrations.RunPython(store_selections, migrations.RunPython.noop),
    ]
