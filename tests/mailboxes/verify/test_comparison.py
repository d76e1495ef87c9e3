"""Comparison of the running mail server with the panel's rows."""

from unittest import mock

import pytest

from domains.models import Domain
from mailboxes.mailserver.verifier import programs
from mailboxes.models import Alias, Mailbox, SenderPermission
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import create_mailboxes
from tests import mailservers
from tests.mailboxes.verify.breaking import another_database
from tests.mailboxes.verify.verifying import (
    WAYS,
    WITH_WILDCARDS,
    changed_query,
    differences,
    make,
    reload_dovecot,
    varied_world,
    verify,
)

pytestmark = [pytest.mark.slow, pytest.mark.mailserver, mailservers.needs_root]


def test_a_correct_server_has_no_differences(server):
    varied_world()
    output, status = verify(server)
    rows = Domain.objects.count() + Mailbox.objects.count() + Alias.objects.count() + 1
    rows += len(WAYS) + SenderPermission.objects.count()
    wildcards, number, asked, found = output.splitlines()
    assert wildcards == f"Not checked: {WITH_WILDCARDS}"
    assert number == f"Rows checked: {rows}"
    for name in (
        "virtual_alias_maps (",
        "RCPT TO (",
        "LMTP (5)",
        "AUTH (2)",
        "home, mail and quota",
    ):
        assert name in asked
    assert found == "0 differences found."
    assert status == 0
    assert differences(server, "--domain=Example.ORG") == []
    output, _status = verify(server, "--domain=example.com")
    assert "Rows checked: 4" in output.splitlines()


# name, text of its file, its replacement, domain of the expected difference
OTHERWISE = (
    ("virtual_mailbox", "active = 1", "active = 0", "bob@example.org", "virtual_mailbox_maps"),
    ("virtual_alias", "alias.goto", "'x@x.test'", "info@example.org", "virtual_alias_maps"),
    ("transport", "active = 1", "active = 7", "gone.test", "transport_maps"),
    ("transport_pattern", "active = 1", "active = 7", "*", "transport_maps"),
    ("relay_domains", "backupmx = 1", "backupmx = 2", "backup.test", "relay_domains"),
    ("virtual_mailbox_domains", "active = 1", "active < 2", "off.test", "virtual_mailbox_domains"),
    (
        "sender_login",
        "mailbox.username\n",
        "'carol@example.com'\n",
        "bob@example.org",
        "smtpd_sender_login_maps",
    ),
    (
        "sender_login",
        "senderpermission.active = 1",
        "senderpermission.active = 7",
        "billing@example.org",
        "smtpd_sender_login_maps",
    ),
    (
        "relay_recipients",
        "mailbox.active = 1",
        "mailbox.active = 0",
        "bob@listed.test",
        "relay_recipient_maps",
    ),
)


def test_every_map_with_another_query_is_found(server, changed):
    varied_world()
    away = {"domain": "gone.test", "default_aliases": False, "transport": "smtp:[127.0.0.1]:9"}
    make(create_domains, [away])
    for name, old, new, _key, _parameter in OTHERWISE:
        changed(f"etc/mailadmin/{name}.cf", old, new)
    found = differences(server)
    for *_change, key, parameter in OTHERWISE:
        assert (key, parameter) in found


def test_a_map_removed_from_main_cf_is_found(server, changed):
    varied_world()
    line = f"    {server.choices.map_type}:$config_directory/mailadmin/virtual_alias_mirror.cf\n"
    changed("etc/main.cf", line, "")
    assert ("@mirror.test", "virtual_alias_maps") in differences(server)
    asked = {parameter for _key, parameter in differences(server)}
    assert asked <= {"virtual_alias_maps", "RCPT TO"}


def test_an_unseen_transport_is_a_difference_of_its_domain(server, changed):
    varied_world()
    changed("etc/mailadmin/transport_pattern.cf", "active = 1", "active = 0")
    asked = {key for key, parameter in differences(server) if parameter == "transport_maps"}
    assert asked == set(WAYS)
    asked = {key for key, _parameter in differences(server, "--domain=example.org")}
    assert asked == {"bob@example.org", "off@example.org", ".example.org"}


def test_a_map_of_another_database_is_found(server):
    everybody = [("bob@example.org", "virtual_mailbox_maps")]
    everybody += [("carol@example.com", "virtual_mailbox_maps")]
    with another_database(server):
        assert differences(server) == everybody


# the query, its text, its replacement, domain of the expected difference
ANSWERS_OTHERWISE = (
    ("user", "mailbox.maildir", "mailbox.username", "bob@example.org", "Dovecot"),
    ("user", "mailbox.active = 1", "mailbox.active >= 0", "off@example.org", "Dovecot"),
    ("password", "mailbox.active = 1", "mailbox.active >= 0", "off@example.org", "sign-in"),
    ("password", "NOW()", "'2000-01-01'", "expired@old.test", "sign-in"),
)


def test_every_changed_dovecot_query_is_found(server, forgetful, changed):
    varied_world()
    for query, old, new, _key, _asked in ANSWERS_OTHERWISE:
        changed_query(server, changed, query, old, new)
    reload_dovecot(server)
    found = differences(server)
    for *_change, key, asked in ANSWERS_OTHERWISE:
        assert (key, asked) in found
    changed_query(server, changed, "password", "WHERE ", "WHERE 1 = 0 AND ")
    reload_dovecot(server)
    assert ("bob@example.org", "sign-in") in differences(server)


# Many


def test_thousands_of_mailboxes_are_compared_in_a_few_calls(server):
    make(create_domains, [{"domain": "large.test", "default_aliases": False}])
    there = Domain.objects.get(pk="large.test")
    row = {"domain": there, "password": "{PLAIN}x", "quota": 0}
    rows = [row | {"local_part": f"m{number}"} for number in range(MANY)]
    make(create_mailboxes, rows)
    with mock.patch.object(programs, "run_program", wraps=programs.run_program) as run_program:
        assert differences(server, "--domain=large.test") == []
    assert 0 < run_program.call_count < MANY / 10


MANY = 700
