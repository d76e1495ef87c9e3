"""Changes whose process dies before its first statement, its second, and so on to the commit.

Run as `python -m tests.kill_at_statement` on an empty database that `migrate` has seen. Prints
{change: [contents after each kill, contents after the complete run]}: "nothing", "something"
or "all".
"""

import json
import os

import django
from django.db import connection, connections

DEAD = 9


def main():
    django.setup()
    from tests.base import build_world

    build_world()
    print(json.dumps({name: deaths(change) for name, change in changes().items()}))


def changes():
    from domains.models import Domain
    from domains.services import admins
    from mailadmin.changes.perform import Actor, perform
    from mailboxes.services import mailboxes
    from mailboxes.services.aliases import edit_alias
    from mailboxes.services.domains import create_domains, delete_domains
    from mailboxes.services.vacations import set_vacation

    def run(service, *arguments):
        return lambda: perform(Actor.console(), service, *arguments)

    org = Domain.objects.get(pk="example.org")
    mailbox = {"local_part": "dora", "domain": org, "password": "x", "quota": 10}
    until = "2030-01-01T00:00:00+00:00"
    vacation = {"active": True, "subject": "a", "body": "b", "activeuntil": until}
    admin = {"username": "eve@example.org", "password": "x", "domains": ["example.org"]}
    password = ("password", "correct-horse-42"), ("password2", "correct-horse-42")
    form = {"local_part": "form", "domain": "example.org", "quota": 1, **dict(password)}
    return {
        "create a domain": run(create_domains, [{"domain": "new.example"}]),
        "create a mailbox": run(mailboxes.create_mailboxes, [mailbox | {"welcome_mail": True}]),
        "create a mailbox by its form": posted("/mailboxes/create/", form),
        "edit a mailbox": run(
            mailboxes.edit_mailbox, "dora@example.org", {"quota": 20, "active": False}
        ),
        "edit an alias": run(edit_alias, "info@example.org", {"goto": ["x@example.net"]}),
        "go away": run(set_vacation, "bob@example.org", vacation),
        "create an admin": run(admins.create_admins, [admin | {"superadmin": True}]),
        "edit an admin": run(admins.edit_admin, "alice@example.org", {"domains": ["new.example"]}),
        "delete an admin": run(admins.delete_admins, ["eve@example.org"]),
        "delete a mailbox": run(mailboxes.delete_mailboxes, ["bob@example.org"]),
        "delete a domain": run(delete_domains, ["example.org"]),
    }


def posted(url, data):
    def post():
        from django.test import Client

        from domains.models import Admin

        client = Client(SERVER_NAME="localhost")
        root = Admin.objects.get(pk="root@example.net")
        client.force_login(root, backend="mailadmin.accounts.backends.AdminBackend")
        # Refused if it died with its work done, before the response.
        assert client.post(url, data).status_code in (302, 422)

    return post


def deaths(change):
    """Run it killed at each of its statements, and finally to the end."""
    before, number, found = content(), 0, []
    while status := in_child(change, number):
        assert status == DEAD
        found.append(content())
        number += 1
    after = content()
    lines = {table: len(after[table]) - len(before[table]) for table in ("log", "mailadmin_change")}
    assert all(lines.values()), lines
    names = {json.dumps(before): "nothing", json.dumps(after): "all"}
    return [names.get(json.dumps(left), "something") for left in found]


def in_child(change, number):
    connection.close()
    if not (child := os.fork()):
        os._exit(run_in_process(change, number))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run_in_process(change, number):
    """Run it in this process, which dies before that statement or the commit."""
    left = iter(range(number))

    def step():
        if next(left, None) is None:
            os._exit(DEAD)

    def before_statement(execute, *statement):
        if connection.in_atomic_block:
            step()
        return execute(*statement)

    kind = type(connections["default"])
    commit = kind._commit

    def before_commit(self):
        step()
        commit(self)

    kind._commit = before_commit
    with connection.execute_wrapper(before_statement):
        change()
    return 0


def content():
    """Return every row except sessions."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        found = {}
        for table in sorted(tables):
            if not table.startswith(("django_", "auth_", "sqlite_")):
                cursor.execute(f"SELECT * FROM {table}")
                found[table] = sorted(map(str, cursor.fetchall()))
    return found


if __name__ == "__main__":
    main()
