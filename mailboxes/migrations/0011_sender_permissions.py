import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0007_own_totp_exception"),
        ("mailboxes", "0010_app_passwords"),
    ]

    operations = [
        CreateMissingTable(
            name="SenderPermission",
            fields=[
                (
                    "created",
                    mailadmin.db.fields.DateTimeField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                        editable=False,
                        verbose_name="created",
                    ),
                ),
                (
                    "modified",
                    mailadmin.db.fields.DateTimeField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                        editable=False,
                        verbose_name="modified",
                    ),
                ),
                (
                    "active",
                    models.BooleanField(db_default=True, default=True, verbose_name="active"),
                ),
                ("id", models.AutoField(primary_key=True, serialize=False)),
                (
                    "address",
                    mailadmin.db.fields.NameField(max_length=255, verbose_name="sender address"),
                ),
                (
                    "description",
                    mailadmin.db.fields.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        max_length=255,
                        verbose_name="description",
                    ),
                ),
                (
                    "domain",
                    mailadmin.db.fields.MailKey(
                        db_column="domain",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sender_permissions",
                        to="domains.domain",
                        verbose_name="domain",
                    ),
                ),
                (
                    "mailbox",
                    mailadmin.db.fields.MailKey(
                        db_column="mailbox",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sender_permissions",
                        to="mailboxes.mailbox",
                        verbose_name="mailbox",
                    ),
                ),
                (
                    "mailbox_domain",
                    mailadmin.db.fields.MailKey(
                        db_column="mailbox_domain",
                        db_constraint=False,
                        editable=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="domains.domain",
                    ),
                ),
            ],
            options={
                "verbose_name": "sender permission",
                "verbose_name_plural": "sender permissions",
                "db_table": "mailadmin_sender_permission",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("address", "mailbox"), name="mailadmin_sender_permission_once"
                    )
                ],
            },
        ),
    ]
