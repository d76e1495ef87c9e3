"""The list of leftover maildirs: for superadmins alone, with one action."""

import contextlib
import datetime
import io
import json

from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import timezone

from mailadmin.changes.models import Change
from mailadmin.completion import find_completions
from mailadmin.menu import list_entries
from mailadmin.translation import gettext
from mailboxes.models import LeftoverMaildir, MaildirRun
from tests.base import World
from tests.table_tests import TableTests

URL, API_KEYS = "/maildirs/", {"path", "state", "kept", "archive_due", "purge_due"}


class MaildirWorld(World):
    """One maildir that waits, one that is archived."""

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        MaildirRun.objects.all().delete()
        now = timezone.now()
        due = now + datetime.timedelta(days=30)
        shared = {"storage": "mail", "digest": "x"}
        cls.own = LeftoverMaildir.objects.create(
            path="example.org/dora",
            mailbox="dora@example.org",
            domain_name="example.org",
            size=5_000_000,
            messages=7,
            archive_due=due,
            **shared,
        )
        cls.archived = LeftoverMaildir.objects.create(
            path="example.com/b\\xf6b",
            mailbox="b\\xf6b@example.com",
            domain_name="example.com",
            state="archived",
            archive="2-0123456789abcdef.tar.gz",
            purge_due=due,
            problem=gettext("The mailbox exists again: the archive is kept."),
            **shared,
        )

    def add_run(self, **values):
        now = timezone.now()
        start = {"storage": "mail", "host": "mx1", "started": now, "finished": now, "scanned": now}
        return MaildirRun.objects.create(**start | values)


class MaildirTableTests(TableTests, MaildirWorld):
    slug = "maildirs"

    def setUp(self):
        self.own_key, self.foreign_key = self.own.pk, self.archived.pk

    def more_rows(self, count):
        for number in range(count):
            LeftoverMaildir.objects.create(path=f"example.org/{number}", storage="mail")


class ListTests(MaildirWorld):
    def test_superadmins_see_them_with_state_size_and_dates(self):
        self.add_run()
        self.sign_in(self.root)
        page = self.client.get(URL)
        for text in ("example.org/dora", "dora@example.org", "4.9 MB", "Listed", "Archived", "mx1"):
            self.assertContains(page, text)
        self.assertContains(page, "example.com/b\\xf6b")
        self.assertContains(page, "The mailbox exists again")
        self.assertNotContains(page, "alert-warning")
        self.assertIn("maildirs-list", [entry.url_name for entry in list_entries(self.root)])

    def test_domain_admins_and_owners_see_nothing_of_it(self):
        for person in (self.alice, self.bob):
            self.sign_in(person)
            for path in (URL, f"{URL}export/"):
                self.assertEqual(self.client.get(path).status_code, 403)
            answer = self.client.post(f"{URL}bulk/", {"action": "keep", "keys": [self.own.pk]})
            self.assertEqual(answer.status_code, 403)
            self.assertNotContains(self.client.get("/"), "maildirs")
        self.assertEqual(self.api(self.alice).get("maildirs").status_code, 403)

    def test_the_list_is_filtered_and_exported(self):
        self.sign_in(self.root)
        for query, path in (
            ("state=archived", "example.com/b"),
            ("domain=example.com", "example.com/b"),
            ("q=dora", "example.org/dora"),
        ):
            page = self.client.get(f"{URL}?{query}")
            self.assertContains(page, path)
            self.assertEqual(len(page.context["rows"]), 1)
        lines = b"".join(self.client.get(f"{URL}export/?state=listed")).decode().splitlines()
        self.assertEqual(len(lines), 2)
        self.assertIn("example.org/dora,dora@example.org,example.org,mail,5000000,7", lines[1])

    def test_maildirs_are_kept_and_released_after_a_confirmation(self):
        self.sign_in(self.root)
        data = {"action": "keep", "keys": [self.own.pk, self.archived.pk]}
        page = self.client.post(f"{URL}bulk/", data)
        self.assertContains(page, "are not archived")
        self.assertFalse(LeftoverMaildir.objects.filter(kept=True).exists())
        page = self.client.post(f"{URL}bulk/", data | {"confirmed": "1"}, follow=True)
        self.assertContains(page, "2 leftover maildirs kept.")
        self.assertContains(page, '<span class="badge">kept</span>', count=2)
        self.assertEqual(
            sorted(self.logged()),
            [("keep_maildir", "", "example.com/b\\xf6b"), ("keep_maildir", "", "example.org/dora")],
        )
        change = Change.objects.get(key=str(self.own.pk))
        self.assertEqual(change.values, {"kept": [False, True]})
        self.assertContains(self.client.get("/log/"), "leftover maildir kept")
        release = {"action": "release", "keys": [self.own.pk], "confirmed": "1"}
        self.client.post(f"{URL}bulk/", release)
        self.own.refresh_from_db()
        self.assertFalse(self.own.kept)
        self.sign_in(self.alice)
        self.assertNotContains(self.client.get("/log/"), "maildir")

    def test_the_api_lists_them_and_changes_nothing(self):
        client = self.api(self.root)
        found = client.get("maildirs", state="listed").json()["items"]
        self.assertEqual([row["path"] for row in found], ["example.org/dora"])
        self.assertLessEqual(API_KEYS, set(found[0]))
        for method in ("patch", "delete"):
            answer = client.request(method, f"maildirs/{self.own.pk}", {"kept": True})
            self.assertEqual(answer.status_code, 405)

    @override_settings(MAILADMIN_MAILDIRS=False)
    def test_there_is_no_page_while_the_feature_is_off(self):
        self.sign_in(self.root)
        self.assertEqual(self.client.get(URL).status_code, 403)
        self.assertNotContains(self.client.get("/"), "maildirs")
        self.assertEqual(self.api(self.root).get("maildirs").status_code, 403)


class RunTests(MaildirWorld):
    """What the list and the home page say of the last run."""

    text = "Leftover maildirs: the last run failed or is overdue"

    def assert_reported(self, text):
        self.sign_in(self.root)
        self.assertContains(self.client.get(URL), text)
        self.assertContains(self.client.get("/"), self.text)
        self.sign_in(self.alice)
        self.assertNotContains(self.client.get("/"), self.text)

    def test_none_so_far(self):
        self.assert_reported("has not run yet")

    def test_a_failed_one(self):
        self.add_run(error=gettext("The database has no mailboxes at all."))
        self.assert_reported("The database has no mailboxes at all.")

    def test_one_that_was_killed(self):
        past = timezone.now() - datetime.timedelta(hours=1)
        self.add_run(finished=None, until=past)
        self.assert_reported("was interrupted")

    def test_one_that_is_too_long_ago(self):
        past = timezone.now() - datetime.timedelta(days=4)
        self.add_run(started=past, finished=past, scanned=past)
        self.assert_reported("not been scanned for three days")

    def test_a_good_one_and_one_at_work_are_no_matter(self):
        run = self.add_run()
        self.sign_in(self.root)
        self.assertNotContains(self.client.get("/"), self.text)
        run.finished, run.until = None, timezone.now() + datetime.timedelta(minutes=5)
        run.save()
        self.assertNotContains(self.client.get("/"), self.text)
        self.assertContains(self.client.get(URL), "a run started on mx1")

    def test_the_first_one_at_work_is_not_overdue(self):
        until = timezone.now() + datetime.timedelta(minutes=5)
        run = self.add_run(finished=None, until=until, scanned=None)
        self.sign_in(self.root)
        self.assertNotContains(self.client.get("/"), self.text)
        self.assertContains(self.client.get(URL), "a run started on mx1")
        self.assertNotContains(self.client.get(URL), "not been scanned for three days")
        run.finished = run.until = timezone.now()
        run.save()
        self.assertContains(self.client.get("/"), self.text)


class CommandTests(MaildirWorld):
    def run_command(self, *arguments):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            call_command("maildirs", *arguments, stdout=output)
        return output.getvalue()

    def test_the_rows_are_listed_shown_and_kept(self):
        rows = json.loads(self.run_command("list", "--state", "archived", "--json"))
        self.assertEqual([row["path"] for row in rows], ["example.com/b\\xf6b"])
        self.assertIn("dora@example.org", self.run_command("show", str(self.own.pk)))
        self.assertTrue(json.loads(self.run_command("keep", str(self.own.pk), "--json"))["kept"])
        self.assertFalse(
            json.loads(self.run_command("release", str(self.own.pk), "--json"))["kept"]
        )
        self.assertEqual(len(self.logged()), 2)
        with self.assertRaisesMessage(CommandError, "does not exist"):
            self.run_command("keep", "99999")

    def test_a_misspelled_state_is_refused(self):
        """It would match nothing, as if there were none."""
        with self.assertRaisesMessage(CommandError, "state"):
            self.run_command("list", "--state", "archvied")
        self.assertEqual(self.api(self.root).get("maildirs", state="archvied").status_code, 422)

    def test_rows_cannot_be_added_edited_or_deleted(self):
        for verb in ("add", "edit", "delete"):
            with self.assertRaises(CommandError):
                self.run_command(verb, str(self.own.pk))

    def test_shells_complete_the_verbs(self):
        verbs = {"scan", "archive", "purge", "run", "restore", "list", "show", "keep", "release"}
        self.assertEqual(set(find_completions(["maildirs", ""])) & verbs, verbs)
