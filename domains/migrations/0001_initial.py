import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable, get_table_names
from mailadmin.db.table_names import get_table_name


def write_version(apps, schema_editor):
    """A database that holds nothing of PostfixAdmin's yet is one of its schema 1856."""
    others = {
        get_table_name(name)
        for name in ("admin", "alias", "domain", "domain_admins", "log", "mailbox")
    }
    config = apps.get_model("domains", "Config").objects
    if not others & set(get_table_names(schema_editor)) and not config.exists():
        config.create(name="version", value="1856")


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        CreateMissingTable(
            name="Config",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                (
                    "name",
                    mailadmin.db.fields.NameField(
                        db_default="", default="", max_length=20, unique=True
                    ),
                ),
                ("value", mailadmin.db.fields.NameField(db_default="", default="", max_length=20)),
            ],
            options={
                "db_table": get_table_name("config"),
            },
        ),
        migrations.RunPython(write_version, migrations.RunPython.noop),
        CreateMissingTable(
            name="Admin",
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
                        max_length=255, primary_key=True, serialize=False, verbose_name="admin"
                    ),
                ),
                (
                    "superadmin",
                    models.BooleanField(db_default=False, default=False, verbose_name="superadmin"),
                ),
            ],
            fills={
                "superadmin": (
                    f"UPDATE {get_table_name('admin')} SET superadmin = 1 WHERE username IN"  # noqa: S608
                    f" (SELECT username FROM {get_table_name('domain_admins')}"
                    " WHERE domain = 'ALL' AND active = 1)"
                )
            },
            options={
                "verbose_name": "admin",
                "verbose_name_plural": "admins",
                "db_table": get_table_name("admin"),
            },
        ),
        CreateMissingTable(
            name="Domain",
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
                    "domain",
                    mailadmin.db.fields.DomainField(
                        max_length=255, primary_key=True, serialize=False, verbose_name="domain"
                    ),
                ),
                (
                    "description",
                    mailadmin.db.fields.CharField(
                        blank=True, default="", max_length=255, verbose_name="description"
                    ),
                ),
                ("aliases", models.IntegerField(db_default=0, default=0, verbose_name="aliases")),
                (
                    "mailboxes",
                    models.IntegerField(db_default=0, default=0, verbose_name="mailboxes"),
                ),
                (
                    "maxquota",
                    models.BigIntegerField(
                        db_default=0, default=0, verbose_name="largest mailbox (MB)"
                    ),
                ),
                (
                    "quota",
                    models.BigIntegerField(
                        db_default=0, default=0, verbose_name="quota of the domain (MB)"
                    ),
                ),
                (
                    "transport",
                    mailadmin.db.fields.Latin1CharField(
                        blank=True, default="virtual", max_length=255, verbose_name="transport"
                    ),
                ),
                (
                    "backupmx",
                    models.BooleanField(db_default=False, default=False, verbose_name="backup MX"),
                ),
                (
                    "password_expiry",
                    models.IntegerField(
                        blank=True,
                        db_default=0,
                        default=0,
                        null=True,
                        verbose_name="passwords expire after (days)",
                    ),
                ),
            ],
            options={
                "verbose_name": "domain",
                "verbose_name_plural": "domains",
                "db_table": get_table_name("domain"),
            },
        ),
        CreateMissingTable(
            name="DomainState",
            fields=[
                (
                    "domain",
                    mailadmin.db.fields.OneMailKey(
                        db_column="domain",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="state",
                        serialize=False,
                        to="domains.domain",
                    ),
                ),
                ("version", models.BigIntegerField(default=0)),
                ("mailboxes", models.IntegerField(default=0)),
                ("aliases", models.IntegerField(default=0)),
                ("quota_assigned", models.BigIntegerField(default=0)),
                ("quota_used", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "mailadmin_domain_state",
            },
        ),
        CreateMissingTable(
            name="AdminPreference",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "admin_id",
                        "pref_key",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "pref_key",
                    mailadmin.db.fields.NameField(db_default="", default="", max_length=64),
                ),
                (
                    "pref_value",
                    mailadmin.db.fields.Latin1CharField(db_default="", default="", max_length=2048),
                ),
                (
                    "admin",
                    mailadmin.db.fields.MailKey(
                        db_column="username",
                        db_constraint=False,
                        default="",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="preferences",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": get_table_name("admin_preferences"),
            },
        ),
        CreateMissingTable(
            name="DkimKey",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                (
                    "description",
                    mailadmin.db.fields.CharField(
                        blank=True, db_default="", default="", max_length=255, null=True
                    ),
                ),
                (
                    "selector",
                    mailadmin.db.fields.NameField(
                        db_default="default", default="default", max_length=63
                    ),
                ),
                ("private_key", mailadmin.db.fields.Latin1TextField(null=True, secret=True)),
                ("public_key", mailadmin.db.fields.Latin1TextField(null=True)),
                (
                    "created",
                    mailadmin.db.fields.DateTimeField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                    ),
                ),
                (
                    "modified",
                    mailadmin.db.fields.DateTimeField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                    ),
                ),
                (
                    "domain_name",
                    mailadmin.db.fields.MailKey(
                        db_column="domain_name",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="dkim_keys",
                        to="domains.domain",
                    ),
                ),
            ],
            options={
                "verbose_name": "DKIM key",
                "verbose_name_plural": "DKIM keys",
                "db_table": get_table_name("dkim"),
            },
        ),
        CreateMissingTable(
            name="DkimSigning",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                (
                    "author",
                    mailadmin.db.fields.NameField(
                        db_default="", db_index=True, default="", max_length=255
                    ),
                ),
                (
                    "created",
                    mailadmin.db.fields.DateTimeField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                    ),
                ),
                (
                    "modified",
                    mailadmin.db.fields.DateTimeField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                    ),
                ),
                (
                    "dkim",
                    mailadmin.db.fields.MailKey(
                        db_column="dkim_id",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="signings",
                        to="domains.dkimkey",
                    ),
                ),
            ],
            options={
                "verbose_name": "DKIM signing",
                "verbose_name_plural": "DKIM signings",
                "db_table": get_table_name("dkim_signing"),
            },
        ),
        CreateMissingTable(
            name="TotpException",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("ip", mailadmin.db.fields.NameField(max_length=46)),
                ("username", mailadmin.db.fields.CharField(max_length=255, null=True)),
                ("description", mailadmin.db.fields.CharField(max_length=255, null=True)),
                (
                    "created",
                    mailadmin.db.fields.TimestampField(
                        db_default=mailadmin.db.fields.CurrentTime(),
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
            ],
            options={
                "verbose_name": "TOTP exception",
                "verbose_name_plural": "TOTP exceptions",
                "db_table": get_table_name("totp_exception_address"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("ip", "username"), name="mailadmin_totp_exception"
                    )
                ],
            },
        ),
        CreateMissingTable(
            name="DomainAdmin",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                (
                    "created",
                    mailadmin.db.fields.DateTimeField(
                        db_default=mailadmin.db.fields.UnknownDate(),
                        default=django.utils.timezone.now,
                    ),
                ),
                ("active", models.BooleanField(db_default=True, default=True)),
                (
                    "admin",
                    mailadmin.db.fields.MailKey(
                        db_column="username",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="assignments",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="admin",
                    ),
                ),
                (
                    "domain",
                    mailadmin.db.fields.MailKey(
                        db_column="domain",
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="assignments",
                        to="domains.domain",
                        verbose_name="domain",
                    ),
                ),
            ],
            options={
                "verbose_name": "domain assignment",
                "verbose_name_plural": "domain assignments",
                "db_table": get_table_name("domain_admins"),
                "indexes": [models.Index(fields=["domain"], name="mailadmin_admins_domain")],
            },
        ),
        CreateMissingTable(
            name="AliasDomain",
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
                    "alias_domain",
                    mailadmin.db.fields.OneMailKey(
                        db_column="alias_domain",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="mirror",
                        serialize=False,
                        to="domains.domain",
                        verbose_name="alias domain",
                    ),
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
                    "target_domain",
                    mailadmin.db.fields.MailKey(
                        db_column="target_domain",
                        db_constraint=False,
                        default="",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="mirrors",
                        to="domains.domain",
                        verbose_name="target domain",
                    ),
                ),
            ],
            options={
                "verbose_name": "alias domain",
                "verbose_name_plural": "alias domains",
                "db_table": get_table_name("alias_domain"),
                "indexes": [models.Index(fields=["active"], name="mailadmin_mirror_active")],
            },
        ),
    ]
