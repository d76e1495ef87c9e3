"""Configurations with one fault each, which verify, check or both report."""

import contextlib
import io
import json

import pytest
from django.core.management import call_command

from domains.models import Domain
from mailadmin import passwords
from mailboxes.models import Mailbox, Vacation
from mailboxes.services.mailboxes import create_mailboxes, set_mailboxes
from tests import mailservers
from tests.base import PASSWORD, build_world
from tests.mailboxes.verify.breaks import BREAKS, RIGHT
from tests.mailboxes.verify.verifying import (
    WITH_WILDCARDS,
    make,
    reload_dovecot,
    reload_postfix,
    varied_world,
    verify,
)

pytestmark = [pytest.mark.slow, pytest.mark.mailserver, mailservers.needs_root]


@pytest.fixture(scope="module")
def transactional_db(django_db_setup, django_db_blocker):
    """The database, emptied once after all breaks and not after each."""
    with django_db_blocker.unblock():
        yield
        call_command("flush", verbosity=0, interactive=False, inhibit_post_migrate=True)


@pytest.fixture(scope="module")
def server(transactional_db, request):
    """Both servers and rows of every kind, the same for all breaks."""
    with mailservers.MailServer() as server:
        mailservers.open_database(server, request)
        build_world()
        varied_world()
        row = {"local_part": "quiet", "domain": Domain.objects.get(pk="example.org")}
        make(create_mailboxes, [row | {"password": passwords.make_hash(PASSWORD), "quota": 5}])
        make(set_mailboxes, ["quiet@example.org"], "smtp_active", False)
        Vacation.objects.create(
            pk="bob@example.org", domain_id="example.org", subject="x", body="x"
        )
        yield server.run()


@pytest.fixture
def apply(server):
    """Break the configuration for one test; both servers reload before and afterwards."""
    with contextlib.ExitStack() as stack:

        def broken(edits):
            for edit in edits:
                stack.enter_context(edit(server))
            reload_servers(server)

        yield broken
    reload_servers(server)


def reload_servers(server):
    reload_dovecot(server)
    reload_postfix(server)


def checked(server):
    out = io.StringIO()
    with contextlib.suppress(SystemExit):
        places = [f"--postfix={server.config}", f"--dovecot={server.folder}/dovecot"]
        call_command("mailserver", "check", *places, "--json", stdout=out)
    return json.loads(out.getvalue())["findings"]


def test_an_intact_configuration_has_no_findings(server):
    output, status = verify(server, "--json")
    found = json.loads(output)
    assert (found["differences"], found["not_asked"], status) == ([], [WITH_WILDCARDS], 0)
    assert {each["code"] for each in checked(server) if each["severity"] == "error"} == set()
    assert not Mailbox.objects.filter(pk__startswith="mailadminverify").exists()


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.name)
def test_each_break_is_reported(server, apply, broken):
    apply(broken.edits)
    if broken.said or broken.failed:
        needs_accounts = {RIGHT, "AUTH"} & {asked for _key, asked in broken.said}
        output, status = verify(server, "--json", *(() if needs_accounts else ("--no-accounts",)))
        found = json.loads(output)
        assert status == 1
        pairs = [(each["key"], each["asked"]) for each in found["differences"]]
        for key, asked in broken.said:
            assert any(key in each and asked == what for each, what in pairs), pairs
        assert any(line.startswith(f"{broken.failed}") for line in found["not_asked"])
    if broken.code:
        assert broken.code in {each["code"] for each in checked(server)}


def test_the_number_of_breaks():
    assert len(BREAKS) == len({broken.name for broken in BREAKS}) >= 38
