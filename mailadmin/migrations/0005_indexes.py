from django.db import migrations, models

from mailadmin.db.operations import AddMissingIndex


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0004_kept"),
        ("mailadmin", "0004_token"),
    ]

    operations = [
        AddMissingIndex(
            model_name="log",
            index=models.Index(fields=["action", "timestamp"], name="mailadmin_log_action_time"),
        ),
        AddMissingIndex(
            model_name="log",
            index=models.Index(fields=["username", "timestamp"], name="mailadmin_log_name_time"),
        ),
        AddMissingIndex(
            model_name="log",
            index=models.Index(
                fields=["domain", "action", "timestamp"], name="mailadmin_log_domain_act"
            ),
        ),
    ]
