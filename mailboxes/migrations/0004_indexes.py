from django.db import migrations, models

from mailadmin.db.operations import AddMissingIndex


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0003_at_domain"),
        ("mailboxes", "0003_plan"),
    ]

    operations = [
        AddMissingIndex(
            model_name="alias",
            index=models.Index(fields=["active"], name="mailadmin_alias_active"),
        ),
        AddMissingIndex(
            model_name="alias",
            index=models.Index(fields=["domain", "active"], name="mailadmin_alias_domain_on"),
        ),
        AddMissingIndex(
            model_name="mailbox",
            index=models.Index(fields=["active"], name="mailadmin_mailbox_active"),
        ),
        AddMissingIndex(
            model_name="mailbox",
            index=models.Index(fields=["domain", "active"], name="mailadmin_mailbox_domain_on"),
        ),
        AddMissingIndex(
            model_name="vacation",
            index=models.Index(fields=["domain"], name="mailadmin_vacation_domain"),
        ),
    ]
