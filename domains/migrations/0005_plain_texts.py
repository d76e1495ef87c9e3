"""Names of columns and states in plain words: only Django's state changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0004_kept"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="domain",
                    name="aliases",
                    field=models.IntegerField(db_default=0, default=0, verbose_name="alias limit"),
                ),
                migrations.AlterField(
                    model_name="domain",
                    name="mailboxes",
                    field=models.IntegerField(
                        db_default=0, default=0, verbose_name="mailbox limit"
                    ),
                ),
                migrations.AlterField(
                    model_name="domain",
                    name="maxquota",
                    field=models.BigIntegerField(
                        db_default=0, default=0, verbose_name="maximum quota per mailbox"
                    ),
                ),
                migrations.AlterField(
                    model_name="domain",
                    name="password_expiry",
                    field=models.IntegerField(
                        blank=True,
                        db_default=0,
                        default=0,
                        null=True,
                        verbose_name="password lifetime (days)",
                    ),
                ),
                migrations.AlterField(
                    model_name="domain",
                    name="quota",
                    field=models.BigIntegerField(
                        db_default=0, default=0, verbose_name="domain quota"
                    ),
                ),
            ],
        ),
    ]
