"""The autoresponder on adopted databases, with a restricted account."""

import os

import pytest

from mailboxes.mailserver import autoresponder
from mailboxes.mailserver.autoresponder import tables
from tests.legacy_databases import Database
from tests.mailboxes.autoresponder.post import ROWS, SCHEMA, build_mail, environ

pytestmark = pytest.mark.mariadb
DAVE = """
INSERT INTO `{prefix}vacation` (email, subject, body, cache, domain)
VALUES ('Dave@Upper.Example', 'Weg', 'Bin weg.', '', 'Upper.Example')
"""


@pytest.mark.parametrize(
    ("shape", "charset", "prefix"),
    [("2.1", "", "old_"), ("3.3.13", "", ""), ("1856", "latin1", "")],
)
def test_vacations_of_an_adopted_database_are_answered(post, mariadb, shape, charset, prefix):
    database = Database.of_shape(mariadb, f"away_{os.getpid()}", shape, charset, prefix)
    database.migrate()
    database.execute(DAVE.format(prefix=prefix))
    url = {"MAILADMIN_DATABASE_URL": mariadb.url(database.name)}
    post.settings = autoresponder.load_settings(
        environ=environ(**url, MAILADMIN_TABLE_PREFIX=prefix)
    )
    dave = {"recipient": "dave#upper.example@autoreply.localhost", "sender": "new@example.net"}
    for to in ("info@example.org", "info@upper.example"):
        assert post.deliver(build_mail(To=to), sender="new@example.net") == 0
        assert post.deliver(build_mail(To=to), **dave) == 0
    bobs, daves = post.answers()
    assert bobs["Subject"] == "Au revoir" and bobs.get_content() == "à bientôt\r\n"
    assert daves["From"] == "Dave <dave@upper.example>"
    assert post.deliver(build_mail(To="dave@upper.example"), **dave) == 0
    assert len(post.answers()) == 2
    database.drop()


@pytest.fixture
def account(mariadb, empty_database):
    """A database of PostfixAdmin's and an account with exactly the documented grants."""
    name = empty_database.rpartition("/")[2]
    mariadb.create(name, dump=SCHEMA)
    mariadb.execute(ROWS, name)
    user = f"reply_{os.getpid()}"
    mariadb.execute(f"CREATE USER {user}@'%' IDENTIFIED BY 'x'", name)
    for right in rights():
        mariadb.execute(f"GRANT {right} TO {user}@'%'", name)
    yield user, name
    mariadb.execute(f"DROP USER {user}@'%'")


def rights():
    for table, verbs in tables.AUTOREPLY_PRIVILEGES.items():
        for verb, columns in verbs.items():
            yield from (f"{verb} ({column}) ON {table}" for column in columns)
            if not columns:
                yield f"{verb} ON {table}"


def a_day(post, number=0):
    """Run mail to an alias, to a known sender, and two that cannot be sent; return the statuses."""
    new = f"friend{number}@example.net"
    with post.with_sendmail("busy"):
        yield post.deliver(build_mail(To="info@example.org"), sender=new)
        yield post.deliver(sender="old@example.net")
    yield post.deliver(build_mail(To="info@example.org"), sender=new)


def test_the_documented_grants_are_sufficient_and_necessary(post, mariadb, account):
    user, name = account
    url = f"mysql://{user}:x@127.0.0.1:{mariadb.port}/{name}"
    post.settings = autoresponder.load_settings(environ=environ(MAILADMIN_DATABASE_URL=url))
    assert list(a_day(post)) == [75, 75, 0]
    assert [answer["Subject"] for answer in post.answers()] == ["Отпуск"]
    noted = "SELECT notified, notified_at FROM vacation_notification"
    assert mariadb.execute(noted + " WHERE notified LIKE 'old%'", name) == [
        "old@example.net\t2020-05-05 05:05:05"
    ]
    post.log.seek(post.log.truncate(0))
    for number, right in enumerate(rights(), 1):
        mariadb.execute(f"REVOKE {right} FROM {user}@'%'", name)
        list(a_day(post, number))
        assert "command denied" in post.log.getvalue(), f"{right} is not needed"
        post.log.seek(post.log.truncate(0))
        mariadb.execute(f"GRANT {right} TO {user}@'%'", name)
