"""Commands of tables: output, changes and exit status."""

import io
import json
import os
import subprocess
import sys
from unittest import mock

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from domains.models import Admin, Domain, Transport
from mailadmin.api.models import Token
from mailadmin.api.tokens import find_token_principal
from mailadmin.changes.models import Log
from mailadmin.completion import SHELL_SCRIPTS, find_completions
from mailboxes.models import Alias, Mailbox, Vacation
from tests.base import PASSWORD, ApiClient, World

COMMANDS = {
    "domain": ("example.org", "new.example", ["--description", "Bakery"], ["--mailboxes", "7"]),
    "alias-domain": (
        "mirror.example",
        "example.com",
        ["--target-domain", "example.org"],
        ["--description", "Old"],
    ),
    "mailbox": (
        "bob@example.org",
        "dave@example.org",
        ["--name", "Dave", "--quota", "5", "--password-stdin"],
        ["--name", "Robert"],
    ),
    "alias": (
        "info@example.org",
        "sales@example.org",
        ["--goto", "bob@example.org,x@elsewhere.example"],
        ["--goto", "carol@example.com", "--description", "Sales"],
    ),
    "admin": (
        "alice@example.org",
        "dora@example.org",
        ["--domains", "example.org", "--password-stdin"],
        ["--no-active"],
    ),
    "transport": ("*.x", ".example.net", ["--transport", "smtp:[mx.test]"], ["--no-active"]),
}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(*words, stdin=f"{PASSWORD}\n", out=None):
    """Return the lines that a command prints."""
    out = out or io.StringIO()
    with mock.patch.object(sys, "stdin", io.StringIO(stdin)):
        call_command(*words, stdout=out)
    return out.getvalue().splitlines()


def run_json(*words, **options):
    return json.loads("\n".join(run(*words, "--json", **options)))


class TableCommandTests(World):
    def test_a_row_is_created_shown_edited_listed_and_deleted(self):
        for name, (_own, key, new, change) in COMMANDS.items():
            with self.subTest(command=name):
                made = run_json(name, "add", key, *new)
                self.assertEqual(run_json(name, "show", key), made)
                self.assertIn(made, run_json(name, "list"))
                changed = run_json(name, "edit", key, *change)
                different = {column for column in made if made[column] != changed[column]}
                options = {w[2:].removeprefix("no-") for w in change if w.startswith("--")}
                self.assertEqual(different - {"modified"}, options)
                self.assertEqual(run_json(name, "delete", key, "--yes"), changed)
                with self.assertRaisesMessage(CommandError, f"{key} does not exist"):
                    run(name, "show", key)
        self.assertEqual(set(Log.objects.values_list("username", flat=True)), {"CLI (console)"})

    def test_omitted_options_get_the_form_defaults(self):
        Domain.objects.update(maxquota=10)
        made = run_json("mailbox", "add", "dave@example.org", "--password-stdin")
        self.assertEqual((made["active"], made["smtp_active"], made["quota"]), (True, True, 10))
        run("domain", "add", "new.example", "--no-default-aliases")
        self.assertFalse(Alias.objects.filter(domain="new.example").exists())


class OutputTests(World):
    def test_tsv_has_a_line_of_names_and_one_for_each_row(self):
        Mailbox.objects.filter(pk="bob@example.org").update(name="Bob\tthe\nBuilder\\")
        lines = run("mailbox", "list")
        names, *rows = [line.split("\t") for line in lines]
        self.assertEqual([len(row) for row in rows], [len(names)] * 2)
        self.assertEqual(dict(zip(names, rows[0], strict=True))["name"], "Bob\\tthe\\nBuilder\\\\")

    def test_a_terminal_gets_a_table(self):
        lines = run("mailbox", "list", out=Terminal())
        self.assertEqual(lines[0].split()[:3], ["username", "name", "quota"])
        self.assertEqual(lines[1].index("Bob"), lines[2].index("Carol"))
        shown = run("mailbox", "show", "bob@example.org", out=Terminal())
        self.assertIn("name                Bob", shown)

    def test_control_characters_in_rows_are_escaped(self):
        Mailbox.objects.filter(pk="bob@example.org").update(name="\x1b[2J")
        for words in (("list",), ("show", "bob@example.org")):
            self.assertNotIn("\x1b", "".join(run("mailbox", *words, out=Terminal())))
            self.assertIn("\\x1b[2J", "".join(run("mailbox", *words)))

    def test_rows_are_filtered_by_domain_search_state_and_columns(self):
        def keys(*words):
            return [row["username"] for row in run_json("mailbox", "list", *words)]

        self.assertEqual(keys("--domain", "Example.ORG"), ["bob@example.org"])
        self.assertEqual(keys("--search", "carol"), ["carol@example.com"])
        self.assertEqual(keys("--no-active"), [])
        self.assertEqual(run("mailbox", "list", "--columns", "name")[0], "name")
        with self.assertRaisesMessage(CommandError, "Unknown column password"):
            run("mailbox", "list", "--columns", "password")

    def test_very_many_rows_are_read_in_pages(self):
        with mock.patch("mailadmin.tables.cli.PAGE_SIZE", 1):
            self.assertEqual(len(run_json("mailbox", "list")), 2)
        self.assertEqual(run_json("transport", "list"), [])

    def test_no_password_is_ever_printed(self):
        stored = Mailbox.objects.get(pk="bob@example.org").password
        for name, (own, *_rest) in COMMANDS.items():
            if name in ("mailbox", "admin"):
                self.assertNotIn(stored, str(run_json(name, "show", own)))
                self.assertNotIn(stored, str(run_json(name, "list")))


class KeyTests(World):
    def test_keys_are_normalized(self):
        run("domain", "add", "Bücher.example")
        self.assertEqual(
            run_json("domain", "show", "BÜCHER.example")["domain"], "xn--bcher-kva.example"
        )
        run("alias", "add", "*@example.org", "--goto", "bob@example.org")
        self.assertEqual(run_json("alias", "show", "*@example.org")["address"], "@example.org")
        run("alias", "delete", "@example.org", "--yes")
        self.assertFalse(Alias.objects.filter(pk="@example.org").exists())

    def test_invalid_addresses_are_refused(self):
        for key in ("dave", "@example.org", "a b@example.org", "dave@", "dave@nowhere.example", ""):
            with self.assertRaises(CommandError):
                run("mailbox", "add", key, "--password-stdin")
        self.assertEqual(Mailbox.objects.count(), 2)


class ValidationTests(World):
    def test_each_error_names_its_option_and_nothing_is_changed(self):
        with self.assertRaises(CommandError) as refused:
            run("mailbox", "edit", "bob@example.org", "--quota", "many", "--name", "\x07")
        self.assertRegex(str(refused.exception), r"(?s)name: .*quota: |quota: .*name: ")
        self.assertEqual(Mailbox.objects.get(pk="bob@example.org").name, "Bob")

    def test_an_edit_without_a_change_is_wrong_usage(self):
        with self.assertRaises(CommandError) as refused:
            run("mailbox", "edit", "bob@example.org")
        self.assertEqual(refused.exception.returncode, 2)

    def test_deletion_requires_confirmation(self):
        Vacation.objects.create(mailbox_id="bob@example.org", domain_id="example.org")
        with self.assertRaises(CommandError) as refused:
            run("mailbox", "delete", "bob@example.org")
        self.assertEqual(refused.exception.returncode, 2)
        stdin = Terminal("n\n")
        with mock.patch.object(sys, "stdin", stdin), self.assertRaises(CommandError):
            out = io.StringIO()
            with mock.patch("builtins.input", return_value="n"):
                call_command("mailbox", "delete", "bob@example.org", stdout=out)
        self.assertIn("Vacation replies: 1", out.getvalue())
        self.assertTrue(Mailbox.objects.filter(pk="bob@example.org").exists())

    def test_passwords_are_read_from_standard_input_only(self):
        run("mailbox", "edit", "bob@example.org", "--password-stdin", stdin="new-horse-77\n")
        self.assertTrue(Mailbox.objects.get(pk="bob@example.org").check_password("new-horse-77"))
        stored = Mailbox.objects.get(pk="carol@example.com").password
        run("mailbox", "edit", "bob@example.org", "--password-hash-stdin", stdin=f"{stored}\n")
        self.assertEqual(Mailbox.objects.get(pk="bob@example.org").password, stored)
        for words in (["--password", "x"], ["--password-hash", stored], ["--password=x"]):
            with self.assertRaises(CommandError):
                run("mailbox", "edit", "bob@example.org", *words)
        with self.assertRaises(CommandError) as refused:
            run("mailbox", "add", "dave@example.org")
        self.assertEqual(refused.exception.returncode, 2)

    def test_a_large_domain_is_left_to_the_worker(self):
        with mock.patch("mailboxes.services.domain_deletion.LARGE_DOMAIN_MAILBOXES", 0):
            lines = run("domain", "delete", "example.org", "--yes")
        self.assertRegex(lines[0], r"a background job deletes it \(job \d+\)")
        self.assertFalse(Domain.objects.get(pk="example.org").active)

    def test_the_last_superadmin_stays(self):
        with self.assertRaisesMessage(CommandError, "The last active superadmin cannot be removed"):
            run("admin", "delete", "root@example.net", "--yes")
        self.assertTrue(Admin.objects.filter(pk="root@example.net").exists())

    @override_settings(MAILADMIN_MAILDIR="{domain}/{username}/")
    def test_rules_of_services_apply_to_commands(self):
        Domain.objects.update(maxquota=10)
        with self.assertRaisesMessage(CommandError, "quota: The maximum quota per mailbox"):
            run("mailbox", "add", "dave@example.org", "--quota", "11", "--password-stdin")
        with self.assertRaisesMessage(CommandError, "goto"):
            run("alias", "edit", "info@example.org", "--goto", "info@example.org")
        with self.assertRaises(CommandError):
            run("transport", "add", "*", "--transport", "no such: thing")
        self.assertFalse(Transport.objects.exists())


class TokenCommandTests(World):
    def test_a_token_without_limits_has_full_access(self):
        for words in ([], ["--networks", "192.0.2.0/24"]):
            with self.subTest(words=words):
                (text,) = run("token", "add", "alice@example.org", "--name", "x", *words)
                token = find_token_principal(text).token
                self.assertEqual((token.tables, token.verbs, token.domains), ([], [], []))

    def test_a_token_is_created_printed_once_listed_and_revoked(self):
        words = ["--name", "backup", "--tables", "mailboxes", "--verbs", "read"]
        (text,) = run("token", "add", "alice@example.org", *words, "--domains", "example.org")
        program = ApiClient(text)
        self.assertEqual(program.get("mailboxes").status_code, 200)
        self.assertEqual(program.get("aliases").status_code, 403)
        (token,) = run_json("token", "list", "--owner", "alice@example.org")
        self.assertEqual((token["owner"], token["verbs"]), ("alice@example.org", ["read"]))
        self.assertNotIn("digest", token)
        self.assertNotIn(text, str(token))
        run("token", "delete", str(token["id"]))
        self.assertEqual(program.get("mailboxes").status_code, 401)

    def test_a_token_cannot_get_rights_its_owner_lacks(self):
        for words in (
            ["--domains", "example.com"],
            ["--tables", "admins"],
            ["--verbs", "all"],
            ["--networks", "here"],
            ["--expires", "2001-01-01"],
        ):
            with self.assertRaises(CommandError):
                run("token", "add", "alice@example.org", "--name", "x", *words)
        with self.assertRaisesMessage(CommandError, "no active admin"):
            run("token", "add", "bob@example.org", "--name", "x")
        self.assertFalse(Token.objects.exists())


class CompletionTests(World):
    def test_possible_completions_are_printed(self):
        self.assertIn("mailbox", find_completions(["mail"]))
        self.assertNotIn("complete", find_completions([""]))
        self.assertEqual(find_completions(["mailbox", "e"]), ["edit"])
        self.assertEqual(find_completions(["mailbox", "show", "b"]), ["bob@example.org"])
        self.assertEqual(find_completions(["mailbox", "add", "b"]), [])
        self.assertEqual(
            find_completions(["mailbox", "list", "--domain", "example.o"]), ["example.org"]
        )
        self.assertIn(
            "--smtp-active", find_completions(["mailbox", "edit", "bob@example.org", "--s"])
        )
        self.assertIn("ispmail", find_completions(["import", "--from", ""]))
        for words in (["nothing", ""], ["mailbox", "nothing", ""], [], ["'", "\x00"]):
            find_completions(words)

    def test_bash_completes_an_address_as_one_word(self):
        script = SHELL_SCRIPTS["bash"] + (
            "mailadmin() { printf '%s\\n' bob@example.org bob@example.net; }\n"
            'COMP_LINE="mailadmin mailbox show bob@ex"; COMP_POINT=${#COMP_LINE}; _mailadmin\n'
            'printf "%s " "${COMPREPLY[@]}"'
        )
        printed = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
        self.assertEqual(printed.stdout.split(), ["example.org", "example.net"])

    def test_bash_does_not_execute_text_from_a_key(self):
        script = SHELL_SCRIPTS["bash"] + (
            "mailadmin() { printf '%s\\n' 'zz&pwn&x' 'zz|pwn' 'zz`pwn`' 'zz$(pwn)' \"zz'x\"; }\n"
            'COMP_LINE="mailadmin alias show zz"; COMP_POINT=${#COMP_LINE}; _mailadmin\n'
            'pwn() { echo PWNED; }; for word in "${COMPREPLY[@]}"; do eval "echo $word"; done'
        )
        printed = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
        self.assertEqual(
            printed.stdout.split(), ["zz&pwn&x", "zz|pwn", "zz`pwn`", "zz$(pwn)", "zz'x"]
        )


MANAGE = [sys.executable, f"{settings.BASE_DIR}/manage.py"]


@pytest.fixture
def env(tmp_path):
    """The environment of processes, with a database of their own."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "mailadmin.settings",
        "MAILADMIN_DATABASE_URL": f"sqlite:///{tmp_path}/x.sqlite3",
    }


def test_a_closed_pipe_is_not_an_error(env):
    subprocess.run([*MANAGE, "migrate", "-v0"], check=True, env=env)
    pipe = "set -o pipefail; " + " ".join(MANAGE) + " domain list | true"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, env=env)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_an_argument_that_is_not_utf8_is_wrong_usage(env):
    subprocess.run([*MANAGE, "migrate", "-v0"], check=True, env=env)
    command = [*MANAGE, "domain", "list", "--search", b"caf\xe9"]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 2
    assert done.stderr == r"CommandError: this argument is not valid UTF-8: 'caf\udce9'" + "\n"


def test_an_unknown_command_is_wrong_usage():
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    for words, status in ((["nosuch"], 2), (["mailbox"], 2), (["--help"], 0), (["--version"], 0)):
        done = subprocess.run([*MANAGE, *words], capture_output=True, env=env)
        assert done.returncode == status, words


def run_command_and(code, env):
    """Run a table command in a process of its own, then this code; return what it prints."""
    start = "import atexit, gc, sys, mailadmin\n"
    start += "sys.argv = ['mailadmin', 'mailbox', 'show', 'x@y.test']\n"
    command = [sys.executable, "-c", start + code]
    return subprocess.run(command, capture_output=True, text=True, env=env).stdout


def test_a_table_command_loads_only_what_it_needs(env):
    """Unneeded imports would take most of the start time."""
    code = "try:\n mailadmin.main()\nexcept SystemExit:\n print(*sys.modules)"
    loaded = set(run_command_and(code, env).split())
    assert "mailboxes.services.mailboxes" in loaded
    views = {"mailadmin.urls", "mailadmin.api.base", "mailadmin.api.openapi"}
    packages = {"argon2", "csp", "cryptography", "passlib", "requests", "yaml"}
    assert not loaded & (views | packages | {"mailboxes.postfix.routing"})


def test_a_command_does_not_search_for_garbage(env):
    """While loading and at the end of the process, this took a third of the time."""
    code = "def count(): return sum(each['collections'] for each in gc.get_stats())\n"
    code += "before = count()\n"
    code += "atexit.register(lambda: print(count() - before, gc.get_freeze_count() > 0))\n"
    assert run_command_and(code + "mailadmin.main()", env) == "0 True\n"
