"""PostfixAdmin 3.3 and the panel on one database: each works on rows of the other."""

import html
import re

import pytest

from tests.all_pages import PASSWORD
from tests.legacy_databases import Database
from tests.postfixadmin import PostfixAdmin

pytestmark = [pytest.mark.slow, pytest.mark.mariadb]

MAKE = """
import django; django.setup()
from domains.models import Domain
from domains.services.admins import create_admins
from domains.services.alias_domains import create_alias_domains
from mailadmin import passwords
from mailadmin.changes.perform import Actor, perform
from mailboxes.services.aliases import create_aliases
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import create_mailboxes
from mailboxes.services.vacations import set_vacation
from django.utils import timezone
from tests.all_pages import PASSWORD

def make(service, *arguments):
    return perform(Actor.console(), service, *arguments)

stored = passwords.make_hash(PASSWORD)
for name in ("ours.example", "mirror.example"):
    make(create_domains, [{"domain": name, "default_aliases": False, "description": "Größe"}])
ours, mirror = Domain.objects.get(pk="ours.example"), Domain.objects.get(pk="mirror.example")
ida = {"local_part": "ida", "domain": ours, "password": stored, "name": "Ida Ö", "quota": 100}
make(create_mailboxes, [ida])
make(create_aliases, [{"local_part": "hello", "domain": ours, "goto": ["ida@ours.example"]}])
make(create_alias_domains, [{"alias_domain": mirror, "target_domain": ours}])
make(create_admins, [
    {"username": "boss@example.net", "password": stored, "superadmin": True},
    {"username": "adam@ours.example", "password": stored, "domains": ["ours.example"]},
])
until = timezone.now() + timezone.timedelta(days=9)
away = {"active": True, "subject": "Away", "body": "Back soon", "interval_time": 0}
make(set_vacation, "ida@ours.example", away | {"activefrom": timezone.now(), "activeuntil": until})
"""


@pytest.fixture(
    scope="module",
    params=[pytest.param("made by us", marks=pytest.mark.release), "adopted from 3.3.13"],
)
def shared(request, mariadb):
    """A database with rows of ours."""
    if request.param == "made by us":
        mariadb.create("beside")
        database = Database(mariadb, "beside")
    else:
        database = Database.of_shape(mariadb, "beside", "3.3.13")
    database.migrate()
    database.panel("-c", MAKE)
    yield database
    database.drop()


@pytest.fixture(scope="module")
def theirs(shared):
    with PostfixAdmin(shared.server, shared.name) as postfixadmin:
        yield postfixadmin


@pytest.fixture
def superadmin(theirs):
    theirs.sign_in("boss@example.net", PASSWORD)
    return theirs


def text_of(page):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


# PostfixAdmin on our rows


def test_our_admins_and_mailbox_owners_sign_in_to_postfixadmin(theirs):
    assert "Logged in as boss@example.net" in theirs.sign_in("boss@example.net", PASSWORD)
    page = theirs.sign_in("adam@ours.example", PASSWORD)
    assert "Logged in as adam@ours.example" in page
    assert "New Domain" not in page
    page = theirs.sign_in("ida@ours.example", PASSWORD, "users/login.php")
    assert "Logged in as ida@ours.example" in page
    assert "Logged in" not in theirs.sign_in("boss@example.net", "wrong")


def test_our_rows_are_listed_by_postfixadmin(superadmin):
    assert "ours.example Größe" in text_of(superadmin.get("list.php?table=domain"))
    assert "adam@ours.example" in text_of(superadmin.get("list.php?table=admin"))
    page = text_of(superadmin.get("list-virtual.php?domain=ours.example"))
    assert "mirror.example" in page
    assert "hello@ours.example ida@ours.example" in page
    assert re.search(r"ida@ours.example .* Ida Ö", page)
    assert "Back soon" in superadmin.get("vacation.php?username=ida@ours.example")


def test_our_log_lines_are_shown_by_postfixadmin(superadmin):
    page = text_of(superadmin.post("viewlog.php", fDomain="ours.example"))
    for line in (
        "CLI (console) ours.example create domain ours.example",
        "CLI (console) ours.example create mailbox ida@ours.example",
        "CLI (console) ours.example create alias hello@ours.example",
    ):
        assert line in page


def test_our_domain_admin_sees_only_their_domains_in_postfixadmin(theirs):
    theirs.sign_in("adam@ours.example", PASSWORD)
    page = text_of(theirs.get("list-virtual.php?domain=ours.example"))
    assert "hello@ours.example" in page
    assert "mirror.example" not in text_of(theirs.get("list.php?table=domain"))


def test_our_rows_are_edited_by_postfixadmin(superadmin, shared):
    edit = "edit.php?table={}&edit={}"
    superadmin.submit(edit.format("mailbox", "ida@ours.example"), **{"value[name]": "Ida N."})
    targets = "ida@ours.example\r\nida@example.net"
    superadmin.submit(edit.format("alias", "hello@ours.example"), **{"value[goto]": targets})
    superadmin.submit(edit.format("domain", "ours.example"), **{"value[description]": "Theirs too"})
    assert shared.rows("SELECT name FROM mailbox WHERE username = 'ida@ours.example'") == [
        ("Ida N.",)
    ]
    assert shared.value("SELECT goto FROM alias WHERE address = 'hello@ours.example'") == (
        "ida@ours.example,ida@example.net"
    )
    pages = shared.page_texts(
        "boss@example.net",
        "/mailboxes/",
        "/aliases/",
        "/domains/",
        "/log/",
        "/domains/ours.example/",
    )
    assert "Ida N." in pages["/mailboxes/"]
    assert "ida@example.net" in pages["/aliases/"]
    assert "Theirs too" in pages["/domains/"]
    assert "boss@example.net (127.0.0.1)" in pages["/log/"]


# The panel on PostfixAdmin's rows


def test_rows_created_by_postfixadmin_are_ours_as_well(superadmin, shared):
    password = {"value[password]": "other-horse-42", "value[password2]": "other-horse-42"}
    superadmin.submit("edit.php?table=domain", **{"value[domain]": "theirs.example"})
    superadmin.submit(
        "edit.php?table=mailbox&domain=theirs.example",
        **password,
        **{"value[local_part]": "theo", "value[domain]": "theirs.example", "value[name]": "Théo"},
        **{"value[welcome_mail]": "0"},
    )
    superadmin.submit(
        "edit.php?table=admin",
        **password,
        **{"value[username]": "eva@theirs.example", "value[domains][]": "theirs.example"},
    )
    superadmin.submit(
        "edit.php?table=admin",
        **password,
        **{"value[username]": "chief@theirs.example", "value[superadmin]": "1"},
    )
    urls = [
        "/",
        "/mailboxes/",
        "/domains/theirs.example/",
        "/log/",
        "/mailboxes/theo@theirs.example/edit/",
    ]
    pages = shared.page_texts("boss@example.net", *urls)
    for url in urls[1:]:
        assert "theo@theirs.example" in pages[url], url
    seen = shared.open_screens(
        "theo@theirs.example",
        "eva@theirs.example",
        "chief@theirs.example",
        ALL_PAGES_PASSWORD="other-horse-42",
    )
    for person, pages in seen.items():
        assert [what for what, status in pages.items() if status not in range(200, 500)] == []
        assert pages["GET /"] == 200, person
    assert seen["eva@theirs.example"]["GET /domains/theirs.example/"] == 200
    assert seen["eva@theirs.example"]["GET /domains/ours.example/"] == 404
    assert seen["chief@theirs.example"]["GET /domains/ours.example/"] == 200


def test_deletions_on_either_side_are_complete(superadmin, shared):
    superadmin.submit("edit.php?table=domain", **{"value[domain]": "short.example"})
    assert "short.example" in superadmin.get("list.php?table=domain")
    shared.panel("-c", DELETE)
    assert "short.example" not in superadmin.get("list.php?table=domain")
    superadmin.delete("aliasdomain", "mirror.example")
    superadmin.delete("alias", "hello@ours.example")
    superadmin.delete("mailbox", "ida@ours.example")
    superadmin.delete("domain", "ours.example")
    superadmin.delete("admin", "adam@ours.example")
    for table, column in (
        ("domain", "domain"),
        ("alias", "domain"),
        ("mailbox", "domain"),
        ("vacation", "domain"),
        ("alias_domain", "target_domain"),
        ("domain_admins", "domain"),
    ):
        names = {name for (name,) in shared.rows(f"SELECT {column} FROM {table}")}
        assert not names & {"ours.example", "short.example"}, table
    seen = shared.open_screens("boss@example.net")["boss@example.net"]
    assert [what for what, status in seen.items() if status not in range(200, 500)] == []


DELETE = """
import django; django.setup()
from mailadmin.changes.perform import Actor, perform
from mailboxes.services.domains import delete_domains
perform(Actor.console(), delete_domains, ["short.example"])
"""


# PostfixAdmin's upgrade


def test_postfixadmins_upgrade_changes_nothing_on_our_database(theirs, shared):
    before = shared.structure()
    assert "Database is up to date" in theirs.upgrade()
    assert shared.structure() == before


@pytest.mark.parametrize(
    "convert",
    [
        pytest.param(False, id="as it was", marks=pytest.mark.release),
        pytest.param(True, id="converted"),
    ],
)
def test_postfixadmins_upgrade_runs_on_an_adopted_2_1(mariadb, convert):
    database = Database.of_shape(mariadb, "upgraded", "2.1")
    database.migrate()
    if convert:
        database.panel("manage.py", "convert-tables")
    with PostfixAdmin(mariadb, database.name) as theirs:
        output = theirs.upgrade()
        assert database.value("SELECT value FROM config WHERE name = 'version'") == "1847", output
        database.migrate()
        assert "Logged in as root@example.net" in theirs.sign_in("root@example.net", PASSWORD)
        assert "bob@example.org" in theirs.get("list-virtual.php?domain=example.org")
    for person, seen in database.open_screens("root@example.net", "alice@example.org").items():
        assert [what for what, status in seen.items() if status not in range(200, 500)] == []
        assert seen["GET /"] == 200, person
    failed = {
        what: status for what, status in database.change_rows().items() if status not in range(500)
    }
    assert failed == {}
    database.drop()
