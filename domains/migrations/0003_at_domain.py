import django.db.models.functions
from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import AddMissingColumn


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0002_transport"),
    ]

    operations = [
        AddMissingColumn(
            model_name="domainstate",
            name="at_domain",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.functions.Concat(models.Value("@"), "domain"),
                output_field=mailadmin.db.fields.NameField(max_length=255),
                unique=True,
            ),
        ),
    ]
