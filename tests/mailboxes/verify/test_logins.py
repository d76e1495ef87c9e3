"""`mailserver verify`: sign-ins, and files as Postfix's user reads them."""

import contextlib
import os
import smtplib
from unittest import mock

import pytest
from django.utils import timezone

from domains.models import Domain
from mailadmin.changes.models import Log
from mailboxes.mailserver.verifier import programs
from mailboxes.mailserver.verifier.logins import ACCOUNT_NAME, ACCOUNT_PREFIX
from mailboxes.models import Alias, Mailbox
from mailboxes.services.mailboxes import create_mailboxes
from tests import mailservers
from tests.mailboxes.verify.verifying import altered, differences, make, reload_postfix, verify

pytestmark = [pytest.mark.slow, pytest.mark.mailserver, mailservers.needs_root]


# Sign-ins


def made_accounts():
    return Mailbox.objects.filter(local_part__startswith=ACCOUNT_PREFIX)


def test_temporary_accounts_are_deleted_after_the_run(server):
    output, status = verify(server)
    assert status == 0 and "sign-in with the correct password (1)" in output
    assert not made_accounts().exists()
    assert not Alias.objects.filter(pk__startswith=ACCOUNT_PREFIX).exists()


def test_no_accounts_are_created_with_the_option_to_skip_them(server):
    output, status = verify(server, "--no-accounts")
    assert status == 0
    assert "Not checked: Dovecot: sign-in with a correct password (--no-accounts)" in output
    assert "with the correct password" not in output and "with a wrong password (2)" in output
    assert not Log.objects.filter(data__startswith=ACCOUNT_PREFIX).exists()


def test_leftovers_of_an_aborted_run_are_removed(server):
    there = Domain.objects.get(pk="example.org")
    for local_part, name in (
        (f"{ACCOUNT_PREFIX}a", ACCOUNT_NAME),
        (f"{ACCOUNT_PREFIX}b", ACCOUNT_NAME),
        (f"{ACCOUNT_PREFIX}c", "Carl"),
    ):
        row = {"local_part": local_part, "domain": there, "password": "x", "quota": 1}
        make(create_mailboxes, [row | {"name": name}])
    old = timezone.now() - timezone.timedelta(hours=2)
    made_accounts().exclude(local_part=f"{ACCOUNT_PREFIX}b").update(created=old)
    verify(server)
    left = set(made_accounts().values_list("local_part", flat=True))
    assert left == {
        f"{ACCOUNT_PREFIX}b",
        f"{ACCOUNT_PREFIX}c",
    }  # one may be in use, one belongs to a user


def test_a_full_domain_is_skipped_for_another(server):
    Domain.objects.filter(pk="example.com").update(mailboxes=1)
    output, _status = verify(server, "--domain=example.com")
    assert (
        "Not checked: Dovecot: sign-in with a correct password: all domains have reached"
        " their limits"
    ) in output
    output, _status = verify(server)
    assert "all domains have reached their limits" not in output


def test_each_kind_of_stored_password_is_tried(server):
    kinds = ["{SHA512.HEX}" + "ab" * 64, "{PLAIN}x", "$6$abc$" + "a" * 86, "{NTLM}ab", "ab" * 16]
    org = Domain.objects.get(pk="example.org")
    for number, stored in enumerate(kinds):
        row = {"local_part": f"k{number}", "domain": org, "password": stored, "quota": 1}
        make(create_mailboxes, [row])
    output, status = verify(server)
    assert "sign-in with the correct password (4)" in output  # with that for new passwords
    assert "Not checked: Dovecot: sign-in with {NTLM}" in output
    assert "Not checked: Dovecot: sign-in with HEX:32" in output
    # One password that Dovecot cannot read does not prevent other lookups.
    assert "k3@example.org, sign-in: expected “yes”, found “no”" in output
    assert (status, "1 difference found" in output) == (1, True)


# Postfix's user


def test_maps_opened_by_daemons_may_belong_to_root(server):
    """Only proxymap opens them as Postfix's user: this shows that Postfix does so."""
    path = server.config / "main.cf"
    direct = path.read_text().replace("proxy:", "")
    with contextlib.ExitStack() as stack:
        stack.enter_context(altered(path, path.read_text(), direct))
        for file in (server.config / "mailadmin").glob("*.cf"):
            before = file.stat()
            stack.callback(os.chown, file, before.st_uid, before.st_gid)
            os.chown(file, 0, 0)
        reload_postfix(server)
        output, status = verify(server)
    reload_postfix(server)
    assert (status, "0 differences" in output) == (0, True)


def test_a_process_without_root_rights_reports_it(server, monkeypatch):
    monkeypatch.setattr(programs, "get_process_identity", mock.Mock(side_effect=PermissionError))
    output, status = verify(server)
    assert status == 0
    assert "Not checked: Postfix: the map files, as the user of Postfix" in output


def test_a_stale_proxymap_cache_is_detected(server, changed):
    """The file is restored, but the running process has read the changed one."""
    path = server.config / "mailadmin/virtual_mailbox.cf"
    with altered(path, "mailbox.maildir", "'elsewhere/'"):
        reload_postfix(server)
        server.tool(
            "postmap", "-q", "bob@example.org", f"proxy:{server.choices.map_type[6:]}:{path}"
        )
        assert ("bob@example.org", "virtual_mailbox_maps") in differences(server)
        keep = smtplib.SMTP("127.0.0.1", server.port, timeout=5)
    found = differences(server)
    keep.close()
    reload_postfix(server)
    assert ("bob@example.org", "virtual_mailbox_maps (proxymap)") in found
