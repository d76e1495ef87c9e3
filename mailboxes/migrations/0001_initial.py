import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import mailadmin.db.fields
import mailboxes.models
import mailboxes.models.goto
from mailadmin.db.operations import CreateMissingTable, prepare_postfixadmin_upgrade
from mailadmin.db.table_names import get_table_name


def allow_upgrade(apps, schema_editor):
    prepare_postfixadmin_upgrade(schema_editor.connection)


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("domains", "0001_initial"),
    ]

    operations = [
        CreateMissingTable(
            name="Mailbox",
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
                (
                    "password",
                    mailadmin.db.fields.Latin1CharField(
                        max_length=255, secret=True, verbose_name="password"
                    ),
                ),
                (
                    "phone",
                    mailadmin.db.fields.CharField(
                        blank=True, db_default="", default="", editable=False, max_length=30
                    ),
                ),
                (
                    "email_other",
                    mailadmin.db.fields.CharField(
                        blank=True, db_default="", default="", editable=False, max_length=255
                    ),
                ),
                (
                    "token",
                    mailadmin.db.fields.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        editable=False,
                        max_length=255,
                        secret=True,
                    ),
                ),
                (
                    "token_validity",
                    mailadmin.db.fields.DateTimeField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                        editable=False,
                    ),
                ),
                (
                    "totp_secret",
                    mailadmin.db.fields.CharField(
                        blank=True, editable=False, max_length=255, null=True, secret=True
                    ),
                ),
                (
                    "username",
                    mailadmin.db.fields.AddressField(
                        max_length=255, primary_key=True, serialize=False, verbose_name="mailbox"
                    ),
                ),
                (
                    "name",
                    mailadmin.db.fields.CharField(
                        blank=True, default="", max_length=255, verbose_name="name"
                    ),
                ),
                (
                    "maildir",
                    mailadmin.db.fields.Latin1CharField(
                        editable=False, max_length=255, verbose_name="maildir"
                    ),
                ),
                ("quota", models.BigIntegerField(db_default=0, default=0, verbose_name="quota")),
                (
                    "local_part",
                    mailadmin.db.fields.NameField(max_length=255, verbose_name="local part"),
                ),
                (
                    "password_expiry",
                    mailadmin.db.fields.DateTimeField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                        editable=False,
                        verbose_name="password expires",
                    ),
                ),
                (
                    "smtp_active",
                    models.BooleanField(db_default=True, default=True, verbose_name="may send"),
                ),
                (
                    "domain",
                    mailadmin.db.fields.MailKey(
                        db_column="domain",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="mailbox_set",
                        to="domains.domain",
                        verbose_name="domain",
                    ),
                ),
            ],
            fills={
                "local_part": (
                    f"UPDATE {get_table_name('mailbox')}"  # noqa: S608
                    " SET local_part = SUBSTR(username, 1, INSTR(username, '@') - 1)"
                ),
            },
            options={
                "verbose_name": "mailbox",
                "verbose_name_plural": "mailboxes",
                "db_table": get_table_name("mailbox"),
            },
        ),
        CreateMissingTable(
            name="Alias",
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
                (
                    "address",
                    mailadmin.db.fields.NameField(
                        max_length=255, primary_key=True, serialize=False, verbose_name="alias"
                    ),
                ),
                ("goto", mailboxes.models.goto.GotoField(verbose_name="goes to")),
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
                        related_name="alias_set",
                        to="domains.domain",
                        verbose_name="domain",
                    ),
                ),
            ],
            options={
                "verbose_name": "alias",
                "verbose_name_plural": "aliases",
                "db_table": get_table_name("alias"),
            },
        ),
        CreateMissingTable(
            name="Usage",
            fields=[
                (
                    "mailbox",
                    mailadmin.db.fields.OneMailKey(
                        db_column="username",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="usage",
                        serialize=False,
                        to="mailboxes.mailbox",
                    ),
                ),
                ("bytes", models.BigIntegerField(db_default=0, default=0)),
                ("messages", models.IntegerField(db_default=0, default=0)),
            ],
            options={
                "db_table": get_table_name("quota2"),
            },
        ),
        CreateMissingTable(
            name="Vacation",
            fields=[
                (
                    "mailbox",
                    mailadmin.db.fields.OneMailKey(
                        db_column="email",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="vacation",
                        serialize=False,
                        to="mailboxes.mailbox",
                    ),
                ),
                ("subject", mailadmin.db.fields.CharField(max_length=255, verbose_name="subject")),
                ("body", mailadmin.db.fields.TextField(verbose_name="text")),
                (
                    "cache",
                    mailadmin.db.fields.Latin1TextField(blank=True, default="", editable=False),
                ),
                (
                    "created",
                    mailadmin.db.fields.DateTimeField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                        editable=False,
                    ),
                ),
                (
                    "modified",
                    mailadmin.db.fields.TimestampField(
                        db_default=mailadmin.db.fields.CurrentTime(),
                        default=django.utils.timezone.now,
                        editable=False,
                    ),
                ),
                (
                    "active",
                    models.BooleanField(db_default=True, default=True, verbose_name="active"),
                ),
                (
                    "activefrom",
                    mailadmin.db.fields.TimestampField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                        verbose_name="from",
                    ),
                ),
                (
                    "activeuntil",
                    mailadmin.db.fields.TimestampField(
                        db_default=mailadmin.db.fields.FarFutureDate(),
                        default=django.utils.timezone.now,
                        verbose_name="until",
                    ),
                ),
                (
                    "interval_time",
                    models.IntegerField(db_default=0, default=0, verbose_name="answer each sender"),
                ),
                (
                    "domain",
                    mailadmin.db.fields.MailKey(
                        db_column="domain",
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="vacations",
                        to="domains.domain",
                    ),
                ),
            ],
            options={
                "verbose_name": "vacation",
                "verbose_name_plural": "vacations",
                "db_table": get_table_name("vacation"),
            },
        ),
        CreateMissingTable(
            name="Fetchmail",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("src_server", mailadmin.db.fields.Latin1CharField(max_length=255)),
                (
                    "src_auth",
                    mailboxes.models.EnumField(
                        choices=[
                            ("password", "password"),
                            ("kerberos_v5", "kerberos_v5"),
                            ("kerberos", "kerberos"),
                            ("kerberos_v4", "kerberos_v4"),
                            ("gssapi", "gssapi"),
                            ("cram-md5", "cram-md5"),
                            ("otp", "otp"),
                            ("ntlm", "ntlm"),
                            ("msn", "msn"),
                            ("ssh", "ssh"),
                            ("any", "any"),
                        ],
                        max_length=255,
                        null=True,
                    ),
                ),
                ("src_user", mailadmin.db.fields.Latin1CharField(max_length=255)),
                ("src_password", mailadmin.db.fields.Latin1CharField(max_length=255, secret=True)),
                (
                    "src_folder",
                    mailadmin.db.fields.Latin1CharField(blank=True, default="", max_length=255),
                ),
                ("poll_time", models.PositiveIntegerField(db_default=10, default=10)),
                ("fetchall", models.BooleanField(db_default=False, default=False)),
                ("keep", models.BooleanField(db_default=False, default=False)),
                (
                    "protocol",
                    mailboxes.models.EnumField(
                        choices=[
                            ("POP3", "POP3"),
                            ("IMAP", "IMAP"),
                            ("POP2", "POP2"),
                            ("ETRN", "ETRN"),
                            ("AUTO", "AUTO"),
                        ],
                        max_length=255,
                        null=True,
                    ),
                ),
                ("usessl", models.BooleanField(db_default=False, default=False)),
                ("extra_options", mailadmin.db.fields.Latin1TextField(blank=True, null=True)),
                ("returned_text", mailadmin.db.fields.Latin1TextField(blank=True, null=True)),
                (
                    "mda",
                    mailadmin.db.fields.Latin1CharField(
                        blank=True, default="", max_length=255, null=True
                    ),
                ),
                (
                    "date",
                    mailadmin.db.fields.TimestampField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                    ),
                ),
                ("sslcertck", models.BooleanField(db_default=False, default=False)),
                (
                    "sslcertpath",
                    mailadmin.db.fields.CharField(
                        blank=True, db_default="", default="", max_length=255, null=True
                    ),
                ),
                (
                    "sslfingerprint",
                    mailadmin.db.fields.Latin1CharField(
                        blank=True, db_default="", default="", max_length=255, null=True
                    ),
                ),
                ("active", models.BooleanField(db_default=False, default=False)),
                (
                    "created",
                    mailadmin.db.fields.TimestampField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                    ),
                ),
                (
                    "modified",
                    mailadmin.db.fields.TimestampField(
                        db_default=mailadmin.db.fields.CurrentTime(),
                        default=django.utils.timezone.now,
                    ),
                ),
                ("src_port", models.IntegerField(db_default=0, default=0)),
                (
                    "domain",
                    mailadmin.db.fields.MailKey(
                        db_column="domain",
                        db_constraint=False,
                        db_default="",
                        default="",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="fetchmail_set",
                        to="domains.domain",
                    ),
                ),
                (
                    "mailbox",
                    mailadmin.db.fields.MailKey(
                        db_column="mailbox",
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="fetchmail_set",
                        to="mailboxes.mailbox",
                    ),
                ),
            ],
            options={
                "verbose_name": "fetchmail entry",
                "verbose_name_plural": "fetchmail entries",
                "db_table": get_table_name("fetchmail"),
            },
        ),
        CreateMissingTable(
            name="AppPassword",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("description", mailadmin.db.fields.CharField(max_length=255, null=True)),
                (
                    "password_hash",
                    mailadmin.db.fields.CharField(max_length=255, null=True, secret=True),
                ),
                (
                    "mailbox",
                    mailadmin.db.fields.MailKey(
                        db_column="username",
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="app_passwords",
                        to="mailboxes.mailbox",
                    ),
                ),
            ],
            options={
                "verbose_name": "app password",
                "verbose_name_plural": "app passwords",
                "db_table": get_table_name("mailbox_app_password"),
            },
        ),
        CreateMissingTable(
            name="OldUsage",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "mailbox_id",
                        "path",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("path", mailadmin.db.fields.NameField(max_length=100)),
                ("current", models.BigIntegerField(db_default=0, default=0)),
                (
                    "mailbox",
                    mailadmin.db.fields.MailKey(
                        db_column="username",
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="old_usage",
                        to="mailboxes.mailbox",
                    ),
                ),
            ],
            options={
                "db_table": get_table_name("quota"),
            },
        ),
        CreateMissingTable(
            name="VacationNotification",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "vacation_id",
                        "notified",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "notified",
                    mailadmin.db.fields.NameField(db_default="", default="", max_length=255),
                ),
                (
                    "notified_at",
                    mailadmin.db.fields.TimestampField(
                        db_default=mailadmin.db.fields.CurrentTime(),
                        default=django.utils.timezone.now,
                    ),
                ),
                (
                    "vacation",
                    mailadmin.db.fields.MailKey(
                        db_column="on_vacation",
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notifications",
                        to="mailboxes.vacation",
                    ),
                ),
            ],
            options={
                "db_table": get_table_name("vacation_notification"),
            },
        ),
        migrations.RunPython(allow_upgrade, migrations.RunPython.noop),
    ]
