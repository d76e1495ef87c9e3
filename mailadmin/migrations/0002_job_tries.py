from django.db import migrations, models

from mailadmin.db.operations import AddMissingColumn


class Migration(migrations.Migration):
    dependencies = [
        ("mailadmin", "0001_initial"),
    ]

    operations = [
        AddMissingColumn(
            model_name="job",
            name="tries",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
    ]
