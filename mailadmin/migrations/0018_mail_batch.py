from django.db import migrations

import mailadmin.db.fields
from mailadmin.db.operations import AddMissingColumn


class Migration(migrations.Migration):
    dependencies = [
        ("mailadmin", "0017_hook_delivery"),
    ]

    operations = [
        AddMissingColumn(
            model_name="outgoingmail",
            name="batch",
            field=mailadmin.db.fields.CharField(
                blank=True, db_default="", db_index=True, default="", max_length=64
            ),
        ),
    ]
