from django.db import migrations

from mailadmin.db.indexes import PrefixIndex
from mailadmin.db.operations import AddMissingIndex


class Migration(migrations.Migration):
    dependencies = [
        ("mailadmin", "0009_saved_filter"),
    ]

    operations = [
        AddMissingIndex(
            model_name="log",
            index=PrefixIndex(field="data", length=64, name="mailadmin_log_data"),
        ),
    ]
