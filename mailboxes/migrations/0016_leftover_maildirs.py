import django.utils.timezone
from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("mailboxes", "0015_broadcasts"),
    ]

    operations = [
        CreateMissingTable(
            name="LeftoverMaildir",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("storage", mailadmin.db.fields.CharField(max_length=64, verbose_name="storage")),
                ("path", mailadmin.db.fields.TextField(verbose_name="maildir")),
                ("digest", mailadmin.db.fields.CharField(db_index=True, max_length=64)),
                (
                    "mailbox",
                    mailadmin.db.fields.CharField(
                        db_default="", default="", max_length=255, verbose_name="mailbox"
                    ),
                ),
                (
                    "domain_name",
                    mailadmin.db.fields.NameField(
                        db_default="", default="", max_length=255, verbose_name="domain"
                    ),
                ),
                ("size", models.BigIntegerField(db_default=0, default=0, verbose_name="size")),
                (
                    "messages",
                    models.PositiveIntegerField(db_default=0, default=0, verbose_name="messages"),
                ),
                (
                    "first_seen",
                    mailadmin.db.fields.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="without a mailbox since"
                    ),
                ),
                (
                    "last_mail",
                    mailadmin.db.fields.DateTimeField(null=True, verbose_name="last mail"),
                ),
                (
                    "last_change",
                    mailadmin.db.fields.DateTimeField(null=True, verbose_name="last change"),
                ),
                (
                    "state",
                    mailadmin.db.fields.CharField(
                        choices=[
                            ("listed", "Listed"),
                            ("archiving", "Being archived"),
                            ("removing", "Being removed"),
                            ("archived", "Archived"),
                            ("purging", "Being purged"),
                            ("purged", "Purged"),
                        ],
                        db_index=True,
                        default="listed",
                        max_length=16,
                        verbose_name="state",
                    ),
                ),
                ("kept", models.BooleanField(db_default=False, default=False, verbose_name="kept")),
                (
                    "archive_due",
                    mailadmin.db.fields.DateTimeField(null=True, verbose_name="archived on"),
                ),
                (
                    "archive",
                    mailadmin.db.fields.CharField(
                        db_default="", default="", max_length=64, verbose_name="archive"
                    ),
                ),
                (
                    "archive_size",
                    models.BigIntegerField(
                        db_default=0, default=0, verbose_name="size of the archive"
                    ),
                ),
                ("archived", mailadmin.db.fields.DateTimeField(null=True, verbose_name="archived")),
                (
                    "purge_due",
                    mailadmin.db.fields.DateTimeField(null=True, verbose_name="purged on"),
                ),
                ("purged", mailadmin.db.fields.DateTimeField(null=True, verbose_name="purged")),
                ("restored", mailadmin.db.fields.DateTimeField(null=True, verbose_name="restored")),
                (
                    "problem",
                    mailadmin.db.fields.TextField(blank=True, default="", verbose_name="problem"),
                ),
            ],
            options={
                "verbose_name": "leftover maildir",
                "verbose_name_plural": "leftover maildirs",
                "db_table": "mailadmin_leftover_maildir",
            },
        ),
        CreateMissingTable(
            name="MaildirRun",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("storage", mailadmin.db.fields.CharField(max_length=64, unique=True)),
                ("holder", mailadmin.db.fields.CharField(db_default="", default="", max_length=64)),
                ("until", mailadmin.db.fields.DateTimeField(default=django.utils.timezone.now)),
                ("host", mailadmin.db.fields.CharField(db_default="", default="", max_length=64)),
                ("started", mailadmin.db.fields.DateTimeField(null=True)),
                ("finished", mailadmin.db.fields.DateTimeField(null=True)),
                ("error", mailadmin.db.fields.TextField(blank=True, default="")),
                ("mailboxes", models.PositiveIntegerField(db_default=0, default=0)),
                ("maildirs", models.PositiveIntegerField(db_default=0, default=0)),
                ("scanned", mailadmin.db.fields.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "run on maildirs",
                "verbose_name_plural": "runs on maildirs",
                "db_table": "mailadmin_maildir_run",
            },
        ),
    ]
