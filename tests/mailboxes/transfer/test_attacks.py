"""`apply` and `compat-views` with malicious files, names and rows."""

import io
import sys
import time
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import SimpleTestCase

from domains.models import Admin, Domain
from mailboxes.models import Alias, Mailbox
from mailboxes.transfer.legacy_views.systems import LEGACY_SYSTEMS
from tests.base import World

LAUGHS = "\n".join(
    [f"l0: &l0 [{', '.join(['x@example.net'] * 10)}]"]
    + [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9)]
)
FILES = {
    "an alias bomb": f"{LAUGHS}\ndomains:\n- domain: example.org\n",
    "an alias bomb in a row": (
        "domains:\n- domain: example.org\naliases:\n- address: info@example.org\n  goto: &a\n"
        "  - bob@example.org\n  - [*a, *a, *a]\n"
    ),
    "itself": "domains: &d\n- *d\n",
    "itself as a row": "domains:\n- &d {domain: *d}\n",
    "an object of Python": "domains:\n- !!python/object/apply:os.system ['touch /tmp/attacked']\n",
    "a value that is one": "domains:\n- domain: !!python/name:os.system\n",
    "very deep": "domains: " + "[" * 5000 + "]" * 5000,
    "very many keys": "domains:\n- {" + ", ".join(f"k{n}: 1" for n in range(20_000)) + "}\n",
    "an anchor that is not there": "domains:\n- *nowhere\n",
    "two documents": "domains:\n- domain: example.org\n---\ndomains: []\n",
    "a foreign domain": "domains:\n- domain: example.org\naliases:\n- address: x@example.com\n",
    "a path out of the folder": (
        "domains:\n- domain: example.org\nmailboxes:\n"
        "- username: bob@example.org\n  maildir: ../../etc/passwd\n"
    ),
    "a column of another table": "domains:\n- domain: example.org\n  superadmin: 1\n",
    "an admin": "domains:\n- domain: example.org\nadmins:\n- username: eve@example.org\n",
    "nothing but zeros": "\0" * 1000,
    "a line end in a name": 'domains:\n- domain: "example.org\\nexample.com"\n',
    "SQL": 'domains:\n- domain: "x\'; DROP TABLE admin; --"\n',
}


class ApplyAttackTests(World):
    def apply(self, text, *words):
        stdin, out = mock.Mock(buffer=io.BytesIO(text.encode())), io.StringIO()
        with mock.patch.object(sys, "stdin", stdin):
            call_command("apply", "-", *words, stdout=out)
        return out.getvalue()

    def rows(self):
        models = (Domain, Mailbox, Alias, Admin)
        return [list(model._base_manager.order_by("pk").values()) for model in models]

    def test_each_attack_is_refused_with_a_message_and_changes_nothing(self):
        before = self.rows()
        for name, text in FILES.items():
            for words in ((), ("--plan",)):
                with self.subTest(name, words=words):
                    began = time.monotonic()
                    with self.assertRaises(CommandError) as refused:
                        self.apply(text, *words)
                    self.assertLess(time.monotonic() - began, 30)
                    self.assertLess(len(str(refused.exception)), 2000)
                    self.assertEqual(self.rows(), before)

    def test_values_are_stored_as_text(self):
        nasty = "$(touch /tmp/attacked) `id` {{ 7 * 7 }} %(x)s <script>"
        self.apply(f"domains:\n- domain: example.org\n  description: '{nasty}'\nmailboxes: []\n")
        self.assertEqual(Domain.objects.get(pk="example.org").description, nasty)


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("system", sorted(LEGACY_SYSTEMS))
@pytest.mark.parametrize(
    "name", ["x`; DROP TABLE admin; -- ", "mysql", "no/such", "a" * 65, "information_schema", "`"]
)
def test_views_cannot_be_created_by_an_injected_name(system, name):
    """A name is quoted or refused, and nothing is left behind."""
    tables = connection.introspection.table_names()
    with pytest.raises(CommandError):
        call_command("compat-views", system, "--database", name, stdout=io.StringIO())
    assert connection.introspection.table_names() == tables


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "account", ["root@localhost' IDENTIFIED BY 'x", "a@b; DROP TABLE x", "@", ""]
)
def test_an_account_is_quoted_or_refused(account):
    out = io.StringIO()
    try:
        call_command("compat-views", "ispmail", "--postfix-account", account, stdout=out)
    except CommandError:
        return
    finally:
        call_command("compat-views", "ispmail", "--drop", stdout=io.StringIO())
    grants = [line for line in out.getvalue().splitlines() if not line.startswith("--")]
    assert grants
    for line in grants:
        assert line.count(";") == 1 or "'" in line
        SimpleTestCase().assertNotRegex(line, r"IDENTIFIED BY 'x")
