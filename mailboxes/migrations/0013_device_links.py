import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("mailboxes", "0012_app_password_salt"),
    ]

    operations = [
        CreateMissingTable(
            name="DeviceLink",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("secret_hash", mailadmin.db.fields.CharField(max_length=64, secret=True)),
                (
                    "created_by",
                    mailadmin.db.fields.NameField(
                        db_default="", default="", max_length=255, verbose_name="created by"
                    ),
                ),
                (
                    "created",
                    mailadmin.db.fields.DateTimeField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                        verbose_name="created",
                    ),
                ),
                ("expires", mailadmin.db.fields.DateTimeField(verbose_name="expires")),
                (
                    "mailbox",
                    mailadmin.db.fields.MailKey(
                        db_column="username",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="device_links",
                        to="mailboxes.mailbox",
                        verbose_name="mailbox",
                    ),
                ),
            ],
            options={
                "verbose_name": "device link",
                "verbose_name_plural": "device links",
                "db_table": "mailadmin_device_link",
                "indexes": [models.Index(fields=["expires"], name="mailadmin_device_link_end")],
            },
        ),
    ]
