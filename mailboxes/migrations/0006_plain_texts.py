"""Names of columns and states in plain words: only Django's state changes."""

from django.db import migrations, models

import mailadmin.db.fields
import mailboxes.models.goto


class Migration(migrations.Migration):
    dependencies = [
        ("mailboxes", "0005_kept"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterModelOptions(
                    name="vacation",
                    options={
                        "verbose_name": "vacation reply",
                        "verbose_name_plural": "vacation replies",
                    },
                ),
                migrations.AlterField(
                    model_name="alias",
                    name="goto",
                    field=mailboxes.models.goto.GotoField(verbose_name="forwards to"),
                ),
                migrations.AlterField(
                    model_name="mailbox",
                    name="smtp_active",
                    field=models.BooleanField(
                        db_default=True, default=True, verbose_name="sending allowed"
                    ),
                ),
                migrations.AlterField(
                    model_name="plan",
                    name="state",
                    field=mailadmin.db.fields.CharField(
                        choices=[
                            ("reading", "reading"),
                            ("ready", "ready for review"),
                            ("applying", "applying"),
                            ("stopped", "stopped"),
                            ("applied", "applied"),
                            ("returning", "undoing"),
                            ("returned", "undone"),
                            ("failed", "reading failed"),
                            ("discarded", "discarded"),
                        ],
                        default="reading",
                        max_length=16,
                    ),
                ),
                migrations.AlterField(
                    model_name="planrow",
                    name="verb",
                    field=mailadmin.db.fields.NameField(
                        choices=[
                            ("new", "new"),
                            ("changed", "changed"),
                            ("same", "unchanged"),
                            ("refused", "rejected"),
                        ],
                        max_length=8,
                    ),
                ),
                migrations.AlterField(
                    model_name="vacation",
                    name="interval_time",
                    field=models.IntegerField(
                        db_default=0, default=0, verbose_name="reply to each sender"
                    ),
                ),
            ],
        ),
    ]
