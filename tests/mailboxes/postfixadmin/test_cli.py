"""`postfixadmin-cli`: its words and options."""

import io
import sys
import tomllib
from unittest import mock

from django.core.management import call_command
from django.test import override_settings

import mailadmin
from domains.models import DkimKey, DkimSigning, Domain, Transport
from mailadmin.changes.models import Change
from mailadmin.conf import BASE_DIR
from mailboxes.models import Alias, Fetchmail, Mailbox
from mailboxes.postfixadmin.cli_modules import MODULES, Module, find_modules
from mailboxes.postfixadmin.cli_words import parse_words
from tests.base import PASSWORD, World


def call(*words, answers=""):
    """Return the exit status, the output and the errors of a call."""
    out, err = io.StringIO(), io.StringIO()
    with mock.patch.object(sys, "stdin", io.StringIO(answers)):
        try:
            call_command("postfixadmin-cli", *words, stdout=out, stderr=err)
        except SystemExit as stopped:
            return stopped.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


class OptionTests(World):
    def edit(self, *options):
        status, _out, errors = call("domain", "update", "example.org", *options)
        return status, errors.removeprefix("Error: ").strip()

    def read(self):
        return Domain.objects.get(pk="example.org")

    def test_options_are_written_in_all_the_ways_that_scripts_use(self):
        for number, options in enumerate(
            (
                ["--description", "D0", "--password-expiry", "0"],
                ["--description=D1", "--password-expiry=1"],
                ["-description", "D2", "-password_expiry", "2"],
                ["--password_expiry", "3", "--webroot", "/x", "--description", "D3"],
            )
        ):
            with self.subTest(options=options):
                self.assertEqual(self.edit(*options), (0, ""))
                row = self.read()
                self.assertEqual((row.description, row.password_expiry), (f"D{number}", number))

    def test_booleans_are_y_n_1_and_0(self):
        for text, value in (("n", False), ("Y", True), ("0", False), ("1", True), ("N", False)):
            with self.subTest(text=text):
                self.assertEqual(self.edit("--active", text), (0, ""))
                self.assertIs(self.read().active, value)
        self.assertEqual(self.edit("--active"), (0, ""))
        self.assertIs(self.read().active, True)
        wrong = "invalid value --active => maybe; expected y or n"
        self.assertEqual(self.edit("--active", "maybe"), (1, wrong))

    def test_minus_one_is_a_value(self):
        self.assertEqual(self.edit("--mailboxes", "-1")[0], 0)
        self.assertEqual(self.read().mailboxes, -1)

    def test_what_the_task_does_not_have_is_refused_and_nothing_saved(self):
        self.assertEqual(
            self.edit("--description", "New", "--domain", "x.example"),
            (1, "invalid parameter --domain => x.example"),
        )
        self.assertEqual(self.edit("--bogus"), (1, "invalid parameter --bogus => 1"))
        self.assertEqual(self.edit("--description"), (1, "--description needs a value"))
        self.assertNotEqual(self.read().description, "New")

    def test_words_are_told_from_options(self):
        words = parse_words(["alias", "add", "--goto", "a@b", "i@b", "--active", "--x", "-1"])
        self.assertEqual(words.arguments, ["alias", "add", "i@b"])
        self.assertEqual(words.options, {"goto": "a@b", "active": True, "x": "-1"})


class RowTests(World):
    def test_a_mailbox_is_made_with_a_password_given_twice(self):
        new = ["mailbox", "add", "dave@example.org", "--quota", "5"]
        twice = ["--password", PASSWORD, "--password2", PASSWORD]
        status, _out, errors = call(*new, "--password", PASSWORD)
        self.assertEqual((status, errors.strip()[:20]), (1, "Error: The passwords"))
        self.assertFalse(Mailbox.objects.filter(pk="dave@example.org").exists())
        status, out, errors = call(*new, *twice)
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("The mailbox dave@example.org has been added", out)
        self.assertTrue(Mailbox.objects.get(pk="dave@example.org").check_password(PASSWORD))
        self.assertEqual(Change.objects.latest("pk").actor, "CLI (console)")

    def test_a_catch_all_has_a_star_as_in_postfixadmin(self):
        self.assertEqual(call("alias", "add", "*@example.org", "--goto", "bob@example.org")[0], 0)
        self.assertTrue(Alias.objects.filter(pk="@example.org").exists())
        self.assertEqual(call("alias", "delete", "*@example.org")[0], 0)
        self.assertFalse(Alias.objects.filter(pk="@example.org").exists())

    def test_rules_of_the_panel_are_errors(self):
        status, out, errors = call("alias", "add", "bob@example.org", "--goto", "x@far.example")
        self.assertEqual(status, 1)
        self.assertTrue(errors.startswith("Error: "))
        self.assertNotIn("has been", out)

    def test_a_password_is_not_shown(self):
        out = "".join(call("mailbox", "view", "bob@example.org")[1:])
        self.assertNotIn("assword", out)
        self.assertNotIn("$2", out)

    def test_the_words_are_english_in_every_language(self):
        with override_settings(LANGUAGE_CODE="de"):
            _status, _out, errors = call("alias", "add", "x@example.org", "--goto", "no address")
        self.assertIn("is not a valid email address", errors)


class ModuleTests(World):
    def test_help_lists_the_modules_that_the_panel_has(self):
        status, out, _errors = call()
        self.assertEqual(status, 0)
        for name in ("admin", "domain", "mailbox", "alias", "aliasdomain"):
            self.assertIn(f"\n    {name}\n", out)
            self.assertEqual(call(name)[:2], (0, out))
        with override_settings(MAILADMIN_ALIAS_DOMAIN=False):
            self.assertNotIn("aliasdomain", call("help")[1])
            self.assertEqual(call("aliasdomain", "view", "x")[0], 1)

    def test_help_of_a_task_lists_its_options(self):
        out = call("mailbox", "add", "help")[1]
        for option in ("--password2", "--quota", "--welcome-mail", "--smtp-active"):
            self.assertIn(f"        {option}\n", out)
        self.assertNotIn("--welcome-mail", call("mailbox", "update", "help")[1])

    def test_a_module_without_words_of_its_own_shows_the_columns(self):
        with mock.patch("mailboxes.postfixadmin.cli.find_modules") as find:
            find.return_value = {"transport": Module("transport", "transports", "", "%s", "%s")}
            Transport.objects.create(pattern="x.example", transport="smtp:[mx.test]")
            _status, out, _errors = call("transport", "view", "x.example")
        self.assertIn("             pattern: x.example\n", out)
        self.assertIn("              active: YES\n", out)

    def test_the_fields_of_a_module_are_those_of_its_form(self):
        for module in find_modules().values():
            known = {*module.table.form_class.base_fields, "password2"}
            self.assertEqual(set(module.fields.split()) - known, set(), module.name)
        self.assertEqual(len({module.name for module in MODULES}), len(MODULES))


def test_both_commands_run_the_same(capsys):
    scripts = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts["postfixadmin-cli"] == "mailadmin:run_postfixadmin_cli"
    with mock.patch.object(sys, "argv", ["postfixadmin-cli", "help"]):
        mailadmin.run_postfixadmin_cli()
    assert "postfixadmin-cli <module> <task>" in capsys.readouterr().out


class OtherModuleTests(World):
    """Modules of PostfixAdmin 4, and of fetchmail, whose rows have numbers."""

    def test_fetchmail_entries(self):
        given = ["--mailbox", "bob@example.org", "--src-server", "imap.far.test"]
        given += ["--src-user", "u", "--src-password", "s3cret", "--protocol", "IMAP"]
        self.assertEqual(call("fetchmail", "add", *given, "--poll-time", "30")[0], 0)
        row = Fetchmail.objects.get()
        self.assertEqual((row.poll_time, row.src_user), (30, "u"))
        status, out, _errors = call("fetchmail", "view", str(row.pk))
        self.assertEqual(status, 0)
        self.assertIn("imap.far.test", out)
        self.assertNotIn("s3cret", out)
        self.assertEqual(call("fetchmail", "update", str(row.pk), "--active", "n")[0], 0)
        self.assertFalse(Fetchmail.objects.get().active)
        self.assertEqual(call("fetchmail", "delete", str(row.pk))[0], 0)
        self.assertEqual(call("fetchmail", "delete", str(row.pk))[0], 1)

    def test_dkim_keys_and_signings_by_number(self):
        given = ["--domain-name", "example.org", "--selector", "mail", "--public-key", "ignored"]
        self.assertEqual(call("dkim", "add", *given, "--description", "D")[0], 0)
        key = DkimKey.objects.get()
        self.assertIn("BEGIN PUBLIC KEY", key.public_key)
        author = ["--author", "example.org"]
        for number in ("999999", "mail", ""):
            self.assertEqual(call("dkimsigning", "add", *author, "--dkim-id", number)[0], 1)
        self.assertEqual(call("dkimsigning", "add", *author, "--dkim-id", str(key.pk))[0], 0)
        signing = DkimSigning.objects.get()
        self.assertEqual((signing.author, signing.dkim), ("example.org", key))
        status, out, _errors = call("dkim", "view", str(key.pk))
        self.assertEqual((status, "PRIVATE" in out), (0, False))
        self.assertEqual(call("dkimsigning", "delete", str(signing.pk))[0], 0)
        self.assertEqual(call("dkim", "delete", str(key.pk))[0], 0)
        self.assertFalse(DkimKey.objects.exists())
