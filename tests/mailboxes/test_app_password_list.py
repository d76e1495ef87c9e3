"""The list page of app passwords, and their command."""

import contextlib
import io
import json

from django.core.management import CommandError, call_command

from mailadmin.completion import find_completions
from mailadmin.mails.models import OutgoingMail
from mailboxes.models import AppPassword
from mailboxes.services.app_password_hashes import hash_app_password
from tests.mailboxes.app_password_world import BOB, CAROL, PHONE, AppPasswordWorld

URL = "/app-passwords/"


class PageTests(AppPasswordWorld):
    def test_the_list_has_own_rows_with_links_to_their_pages(self):
        self.sign_in(self.alice)
        page = self.client.get(URL)
        self.assertContains(page, f'href="/mailboxes/{BOB}/app-passwords/"')
        self.assertContains(page, "IMAP, SMTP, ManageSieve")
        self.assertContains(page, "PostfixAdmin")
        self.assertNotContains(page, CAROL)
        self.assertNotContains(page, f"{URL}create/")
        self.assertContains(self.client.get(URL, {"mailbox": BOB}), "Typed")
        self.assertNotContains(self.client.get(URL, {"domain": "example.com"}), "Laptop")

    def test_owners_have_their_own_pages_only(self):
        self.sign_in(self.bob)
        for path in (URL, f"{URL}export/", f"{URL}{self.own.pk}/", f"{URL}{self.own.pk}/delete/"):
            self.assertEqual(self.client.get(path).status_code, 403)

    def test_a_row_leads_to_its_page(self):
        self.sign_in(self.alice)
        of_bob = f"/mailboxes/{BOB}/app-passwords/"
        for row, target in ((self.own, f"{of_bob}{self.own.pk}/"), (self.typed, of_bob)):
            self.assertRedirects(self.client.get(f"{URL}{row.pk}/"), target)
        self.assertEqual(self.client.get(f"{URL}{self.foreign.pk}/").status_code, 404)
        self.sign_in(self.root)
        lost = AppPassword.objects.create(mailbox=None, description="Lost", password_hash="x")
        self.assertRedirects(self.client.get(f"{URL}{lost.pk}/"), URL)

    def test_one_or_several_are_revoked(self):
        self.sign_in(self.alice)
        self.assertContains(self.client.get(f"{URL}{self.own.pk}/delete/"), "Delete")
        answer = self.client.post(f"{URL}{self.own.pk}/delete/")
        self.assertRedirects(answer, f"{URL}?mailbox=bob%40example.org")
        self.assertEqual(self.client.post(f"{URL}{self.foreign.pk}/delete/").status_code, 404)
        data = {"action": "delete", "keys": [self.typed.pk], "confirmed": "1"}
        self.assertEqual(self.client.post(f"{URL}bulk/", data).status_code, 302)
        self.client.post(f"{URL}bulk/", data | {"keys": [self.foreign.pk]})
        self.assertEqual(list(AppPassword.objects.all()), [self.foreign])

    def test_there_is_no_page_to_create_or_edit_one(self):
        self.sign_in(self.root)
        for path in (f"{URL}create/", f"{URL}{self.own.pk}/edit/"):
            self.assertEqual(self.client.get(path).status_code, 404)
            self.assertIn(self.client.post(path, PHONE).status_code, (404, 405))


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(*words, out=None):
    """Return what `app-password` prints."""
    out = out or io.StringIO()
    call_command("app-password", *words, stdout=out)
    return out.getvalue()


class CommandTests(AppPasswordWorld):
    add = ("add", "--mailbox", BOB, "--description", "Phone")

    def test_the_password_is_printed_once(self):
        made = json.loads(run(*self.add, "--protocols", "imap,smtp", "--json"))
        row = AppPassword.objects.get(pk=made["id"])
        self.assertEqual(row.password_hash, hash_app_password(made.pop("password")))
        self.assertEqual(made["protocols"], ["imap", "smtp"])
        self.assertEqual(json.loads(run("show", str(row.pk), "--json")), made)
        self.assertNotIn("password", run("list").splitlines()[0].split("\t"))
        self.assertEqual(OutgoingMail.objects.get().kind, "app_password_added")

    def test_a_terminal_and_a_pipe_get_it_too(self):
        for words, out in ((self.add, Terminal()), ((*self.add[:-1], "TV"), io.StringIO())):
            lines = run(*words, out=out).splitlines()
            (line,) = [line for line in lines if line.startswith("password")]
            stored = hash_app_password(line.split()[-1])
            self.assertTrue(AppPassword.objects.filter(password_hash=stored).exists(), lines)

    def test_limits_are_edited_and_rows_revoked(self):
        number = str(self.own.pk)
        changed = json.loads(
            run("edit", number, "--networks", "", "--expires", "2999-01-01", "--json")
        )
        self.assertEqual((changed["networks"], changed["expires"]), ([], "2999-01-01"))
        self.assertEqual(json.loads(run("show", number, "--json")), changed)
        self.assertNotIn("password", changed)
        with self.assertRaisesMessage(CommandError, "generated here"):
            run("edit", str(self.typed.pk), "--protocols", "imap")
        run("delete", number, "--yes")
        self.assertFalse(AppPassword.objects.filter(pk=self.own.pk).exists())

    def test_rows_are_filtered_by_mailbox_and_domain(self):
        def names(*words):
            return [row["description"] for row in json.loads(run("list", "--json", *words))]

        self.assertEqual(names("--mailbox", BOB), ["Laptop", "Typed"])
        self.assertEqual(names("--domain", "example.com"), ["Laptop"])
        self.assertEqual(names("--search", "typed"), ["Typed"])
        with contextlib.redirect_stderr(io.StringIO()), self.assertRaises(CommandError):
            run("list", "--active")

    def test_mailboxes_are_completed(self):
        self.assertEqual(find_completions(["app-password", "list", "--mailbox", "bo"]), [BOB])
        self.assertEqual(find_completions(["app-password", "add", "--mailbox", "car"]), [CAROL])
