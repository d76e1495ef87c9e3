"""Remove columns that later versions of PostfixAdmin added and let `migrate` restore them.

One of each table at a time. Run as `python -m tests.partial_schemas` on a database of schema 1856.
Prints {table.column: [before, after]}, each the entry of the column in information_schema.
"""

import json
from itertools import zip_longest

import django
from django.core.management import call_command

LATER = {
    "admin": "superadmin phone email_other token token_validity totp_secret",
    "alias": "description",
    "alias_domain": "description",
    "domain": "password_expiry",
    "domain_admins": "id",
    "fetchmail": "src_port sslcertck sslcertpath sslfingerprint domain active created modified",
    "log": "id",
    "mailbox": "local_part phone email_other token token_validity totp_secret password_expiry"
    " smtp_active",
    "totp_exception_address": "created modified",
    "vacation": "modified activefrom activeuntil interval_time",
}


def main():
    django.setup()
    found = {}
    rounds = zip_longest(*([(table, name) for name in LATER[table].split()] for table in LATER))
    for columns in ([column for column in columns if column] for columns in rounds):
        before = [facts(*column) for column in columns]
        restore_column(columns)
        for (table, name), fact in zip(columns, before, strict=True):
            found[f"{table}.{name}"] = [fact, facts(table, name)]
    print(json.dumps(found))


def restore_column(columns):
    for table, name in columns:
        run(f"ALTER TABLE {table} DROP COLUMN {name}")
    run("DELETE FROM django_migrations WHERE app IN ('mailadmin', 'domains', 'mailboxes')")
    call_command("migrate", verbosity=0)


def facts(table, name):
    return run(
        "SELECT column_type, is_nullable, column_default, collation_name, extra"
        " FROM information_schema.columns WHERE table_schema = DATABASE()"
        f" AND table_name = '{table}' AND column_name = '{name}'"
    )


def run(sql):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone() if cursor.description else None


if __name__ == "__main__":
    main()
