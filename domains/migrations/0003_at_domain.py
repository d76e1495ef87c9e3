import django.db.models.functions
from django.db import migrations, models

import mailadmin.fields
from mailadmin.operations import AddMissingColumn


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
                output_field=mailadmin.fields.NameField(max_length=255),
                unique=True,
            ),
        ),
    ]
