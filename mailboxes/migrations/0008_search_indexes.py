from django.db import migrations

from mailadmin.db.indexes import LongIndex
from mailadmin.db.operations import AddMissingIndex


class Migration(migrations.Migration):
    dependencies = [
        ("mailboxes", "0007_alias_targets"),
    ]

    operations = [
        AddMissingIndex(
            model_name="mailbox",
            index=LongIndex(fields=["username", "name"], name="mailadmin_mailbox_search"),
        ),
        AddMissingIndex(
            model_name="mailbox",
            index=LongIndex(
                fields=["domain", "username", "name"], name="mailadmin_mailbox_search_in"
            ),
        ),
    ]
