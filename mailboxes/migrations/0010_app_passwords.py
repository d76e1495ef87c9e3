import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import AddMissingIndex, CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0007_own_totp_exception"),
        ("mailboxes", "0009_expiry_reminder"),
    ]

    operations = [
        CreateMissingTable(
            name="AppPasswordLimits",
            fields=[
                (
                    "app_password",
                    mailadmin.db.fields.OneMailKey(
                        db_column="app_password",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="limits",
                        serialize=False,
                        to="mailboxes.apppassword",
                    ),
                ),
                ("imap", models.BooleanField(db_default=True, default=True, verbose_name="IMAP")),
                ("pop3", models.BooleanField(db_default=True, default=True, verbose_name="POP3")),
                ("smtp", models.BooleanField(db_default=True, default=True, verbose_name="SMTP")),
                (
                    "sieve",
                    models.BooleanField(db_default=True, default=True, verbose_name="ManageSieve"),
                ),
                (
                    "networks",
                    mailadmin.db.fields.NameField(
                        blank=True,
                        db_default="",
                        default="",
                        max_length=1000,
                        verbose_name="networks",
                    ),
                ),
                (
                    "expires",
                    mailadmin.db.fields.DateTimeField(
                        blank=True, null=True, verbose_name="expires"
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
            ],
            options={
                "verbose_name": "limits of an app password",
                "verbose_name_plural": "limits of app passwords",
                "db_table": "mailadmin_app_password",
            },
        ),
        CreateMissingTable(
            name="DomainMailLogin",
            fields=[
                (
                    "domain",
                    mailadmin.db.fields.OneMailKey(
                        db_column="domain",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="mail_login",
                        serialize=False,
                        to="domains.domain",
                    ),
                ),
                ("app_passwords_only", models.BooleanField(db_default=False, default=False)),
            ],
            options={
                "db_table": "mailadmin_domain_mail_login",
            },
        ),
        CreateMissingTable(
            name="LastLogin",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "mailbox_id",
                        "protocol",
                        "app_password",
                        "address",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "mailbox",
                    mailadmin.db.fields.MailKey(
                        db_column="username",
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="last_logins",
                        to="mailboxes.mailbox",
                    ),
                ),
                ("protocol", mailadmin.db.fields.NameField(max_length=16)),
                ("app_password", models.IntegerField(db_default=0, default=0)),
                (
                    "address",
                    mailadmin.db.fields.NameField(db_default="", default="", max_length=64),
                ),
                ("at", models.BigIntegerField(db_default=0, default=0)),
            ],
            options={
                "verbose_name": "last sign-in",
                "verbose_name_plural": "last sign-ins",
                "db_table": "mailadmin_last_login",
            },
        ),
        CreateMissingTable(
            name="MailboxMailLogin",
            fields=[
                (
                    "mailbox",
                    mailadmin.db.fields.OneMailKey(
                        db_column="username",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="mail_login",
                        serialize=False,
                        to="mailboxes.mailbox",
                    ),
                ),
                ("app_passwords_only", models.BooleanField(db_default=False, default=False)),
            ],
            options={
                "db_table": "mailadmin_mailbox_mail_login",
            },
        ),
        AddMissingIndex(
            model_name="apppassword",
            index=models.Index(fields=["mailbox"], name="mailadmin_app_password_of"),
        ),
        AddMissingIndex(
            model_name="lastlogin",
            index=models.Index(fields=["at"], name="mailadmin_last_login_at"),
        ),
    ]
