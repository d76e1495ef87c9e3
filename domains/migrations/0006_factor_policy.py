import django.db.models.deletion
from django.db import migrations

import mailadmin.db.fields
from mailadmin.db.operations import CreateMissingTable


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0005_plain_texts"),
    ]

    operations = [
        CreateMissingTable(
            name="DomainFactorPolicy",
            fields=[
                (
                    "domain",
                    mailadmin.db.fields.OneMailKey(
                        db_column="domain",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="factor_policy",
                        serialize=False,
                        to="domains.domain",
                    ),
                ),
                (
                    "level",
                    mailadmin.db.fields.CharField(
                        choices=[
                            ("off", "not offered"),
                            ("offered", "offered"),
                            ("required", "required"),
                        ],
                        max_length=16,
                    ),
                ),
            ],
            options={
                "db_table": "mailadmin_domain_factor_policy",
            },
        ),
    ]
