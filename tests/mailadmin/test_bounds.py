"""What one person can make the panel do is bounded, by person."""

import io
import logging
import struct
import zipfile
from unittest import mock

from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from domains.services.admins import create_admins
from mailadmin.api import tokens
from mailadmin.api.models import RequestCount, Token
from mailadmin.changes.log_page import tables_for_action
from mailadmin.changes.models import Change
from mailadmin.jobs import runner
from mailadmin.jobs.models import Job
from mailadmin.tables.saving import MAX_REFUSED_ROWS
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import create_mailboxes, delete_mailboxes
from tests.base import World


def bad_rows(count):
    row = {"domain": "example.org", "goto": ["bob@example.org"], "active": "perhaps"}
    return [{"local_part": f"not a name {n}", **row, "active": True} for n in range(count)]


class ApiBounds(World):
    def test_a_limit_of_a_list_is_read_as_it_is_written(self):
        program = self.api(self.alice)
        for limit in (
            "00001000000",
            "00001" + "9" * 30,
            "1" + "0" * 5000,
            "",
            "0",
            "1001",
            "-1",
            "²",
        ):
            with self.subTest(limit=limit[:20]):
                answer = program.get("mailboxes", limit=limit)
                self.assertEqual(answer.status_code, 422, answer.content[:200])
        for limit in ("1", "01", "1000"):
            self.assertEqual(program.get("mailboxes", limit=limit).status_code, 200)

    @override_settings(MAILADMIN_API_RATE=3)
    def test_all_tokens_of_a_person_count_together(self):
        programs = [self.api(self.alice), self.api(self.alice, name="other")]
        statuses = [programs[number % 2].get("log").status_code for number in range(4)]
        self.assertEqual(statuses, [200, 200, 200, 429])
        self.assertEqual(self.api(self.root).get("log").status_code, 200)
        self.assertEqual(RequestCount.objects.count(), 2)

    @override_settings(MAILADMIN_API_RATE=3)
    def test_a_token_at_the_wrong_address_uses_up_nothing_of_its_owners_rate(self):
        lost = self.api(self.alice, networks=["192.0.2.0/24"], name="lost")
        self.assertEqual([lost.get("log").status_code for _time in range(5)], [401] * 5)
        self.assertEqual(self.api(self.alice).get("log").status_code, 200)

    def test_exactly_as_many_refused_rows_as_are_looked_at_are_all_rows(self):
        answer = self.api(self.alice).post("aliases", bad_rows(MAX_REFUSED_ROWS))
        self.assertNotIn("not checked", answer.json()["title"])

    def test_refused_rows_cost_no_more_than_the_first_of_them(self):
        program = self.api(self.alice)
        with CaptureQueriesContext(connection) as few:
            program.post("aliases", bad_rows(MAX_REFUSED_ROWS))
        with CaptureQueriesContext(connection) as many:
            answer = program.post("aliases", bad_rows(1000))
        self.assertEqual(answer.status_code, 422)
        self.assertEqual(len(answer.json()["items"]), MAX_REFUSED_ROWS)
        self.assertIn("others not checked", answer.json()["title"])
        self.assertLessEqual(len(many), len(few) + 3)

    def test_rows_that_a_service_refuses_are_bounded_too(self):
        row = {"domain": "example.org", "goto": ["bob@example.org"]}
        rows = [{"local_part": "info", **row} for _number in range(200)]
        answer = self.api(self.alice).post("aliases", rows)
        self.assertEqual(answer.status_code, 422)
        self.assertLessEqual(len(answer.json()["items"]), MAX_REFUSED_ROWS)

    def test_many_rows_ask_for_their_domain_once(self):
        row = {"domain": "example.org", "goto": ["bob@example.org"]}
        queries = {}
        for count in (2, 40):
            rows = [{"local_part": f"a{count}-{number}", **row} for number in range(count)]
            program = self.api(self.alice)
            with CaptureQueriesContext(connection) as captured:
                self.assertEqual(program.post("aliases", rows).status_code, 201)
            queries[count] = len(
                [q for q in captured if 'FROM "domain"' in q["sql"].replace("`", '"')]
            )
        self.assertEqual(queries[2], queries[40])

    def test_a_token_has_few_networks_and_each_once(self):
        self.sign_in(self.alice)
        many = "\n".join(f"10.0.{n // 256}.{n % 256}" for n in range(tokens.MAX_TOKEN_NETWORKS + 1))
        answer = self.client.post("/account/tokens/", {"name": "many", "networks": many})
        self.assert_refused(answer, "At most 100")
        same = "\n".join(["192.0.2.1"] * tokens.MAX_TOKEN_NETWORKS)
        self.client.post("/account/tokens/", {"name": "same", "networks": same})
        self.assertEqual(Token.objects.get(name="same").networks, ["192.0.2.1/32"])

    def test_a_token_of_another_program_with_very_many_networks_is_quick(self):
        program = self.api(self.alice)
        many = [f"10.{n // 65536}.{n // 256 % 256}.{n % 256}/32" for n in range(100_000)]
        Token.objects.update(networks=[*many, "127.0.0.0/8"])
        with mock.patch.object(
            tokens.ipaddress, "ip_network", wraps=tokens.ipaddress.ip_network
        ) as parse:
            self.assertEqual(program.get("log").status_code, 401)
            self.assertEqual(program.get("log").status_code, 401)
        self.assertLessEqual(parse.call_count, tokens.MAX_TOKEN_NETWORKS)

    def test_a_token_sees_the_jobs_that_it_has_begun(self):
        """Whatever its owner is called: addresses may be longer than what a job prints of them."""
        self.perform(self.root, create_domains, [{"domain": "d" * 60 + ".example"}])
        name = "a" * 60 + "@" + "d" * 60 + ".example"
        self.perform(self.root, create_admins, [{"username": name, "superadmin": True}])
        admin = type(self.root).objects.get(pk=name)
        program = self.api(admin)
        with mock.patch("mailboxes.services.domain_deletion.LARGE_DOMAIN_MAILBOXES", 0):
            answer = program.delete("domains/example.org")
        self.assertEqual(answer.status_code, 202, answer.content)
        number = answer.json()["job"]
        Job.objects.update(owner="x" * 255)
        self.assertEqual(program.get(f"jobs/{number}").status_code, 200)
        self.assertEqual(self.api(admin, name="other").get(f"jobs/{number}").status_code, 404)
        self.assertEqual(self.api(self.alice).get(f"jobs/{number}").status_code, 404)


class UploadBounds(World):
    def zipped(self, *sizes):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, size in enumerate(sizes):
                archive.writestr(f"{number}.csv", b"\0" * size)
        return SimpleUploadedFile("rows.zip", file.getvalue())

    @override_settings(MAILADMIN_UPLOAD_MB=2)
    def test_an_archive_counts_as_what_is_in_it(self):
        self.sign_in(self.alice)
        answer = self.client.post(
            "/import/", {"format": "csv", "file": self.zipped(2**20, 2**20, 9)}
        )
        self.assert_refused(answer, "larger than the 2 MB")
        self.assertFalse(Job.objects.exists())
        answer = self.client.post("/import/", {"format": "csv", "file": self.zipped(2**20)})
        self.assertEqual(answer.status_code, 302)

    def test_a_list_of_files_without_end_is_not_read(self):
        entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", *([0] * 18)) + b""
        listed = entry * (4 * 2**20 // len(entry))
        count, size = len(listed) // len(entry), len(listed)
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count % 65536, count % 65536, size, 0, 0)
        hidden = struct.pack(
            "<4s4s2H2LH", b"PK\5\6", b"PK\5\6", count % 65536, count % 65536, size, 0, 0
        )
        large = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)  # numbers of 64 bits follow
        self.sign_in(self.alice)
        for body in (
            listed + end,
            listed + hidden,
            large + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0, 0, 0, 0, 0),
        ):
            file = SimpleUploadedFile("rows.zip", body)
            with mock.patch("zipfile.ZipFile", side_effect=AssertionError("it was read")):
                answer = self.client.post("/import/", {"format": "csv", "file": file})
            self.assert_refused(answer, "larger than any")

    def test_no_archive_is_unpacked_to_very_much_more_than_it_is(self):
        from pathlib import Path
        from tempfile import TemporaryDirectory

        from mailboxes.transfer.entries import SourceError
        from mailboxes.transfer.readers import unpacking

        with TemporaryDirectory() as folder:
            path = Path(folder, "bomb.zip")
            path.write_bytes(self.zipped(2**25).read())
            with self.assertRaises(SourceError), unpacking.unpack_to_temporary_folder(path):
                pass
            path.write_bytes(self.zipped(2**20).read())
            with unpacking.unpack_to_temporary_folder(path) as found:
                self.assertTrue(list(found.iterdir()))


class JobsOnHome(World):
    def failed(self, count, **values):
        start = {"kind": "welcome", "state": Job.State.FAILED, "owner_model": "domains.Admin"}
        start |= {"owner_key": self.alice.pk, "owner": "alice", "arguments": {"to": self.bob.pk}}
        return [Job.objects.create(title=f"mail {n}", **start | values) for n in range(count)]

    def test_home_says_how_many_more_have_failed_and_all_are_dismissed_at_once(self):
        self.failed(16)
        foreign = self.failed(1, owner_key=self.root.pk)[0]
        self.sign_in(self.alice)
        self.assertContains(self.client.get("/"), "and 13 more failed jobs")
        self.assertContains(self.client.get("/jobs/"), "Dismiss 16 failed jobs")
        self.assertRedirects(self.client.post("/jobs/"), "/jobs/")
        self.assertEqual(list(Job.objects.all()), [foreign])

    def test_a_failed_welcome_mail_goes_with_its_mailbox(self):
        self.failed(1)
        kept = self.failed(1, arguments={"to": self.carol.pk})[0]
        self.perform(self.alice, delete_mailboxes, [self.bob.pk])
        call_command("worker", once=True)
        self.assertEqual(list(Job.objects.all()), [kept])

    def test_no_mail_is_sent_to_a_mailbox_that_was_deleted(self):
        from django.core import mail

        self.failed(1, state=Job.State.WAITING)
        self.perform(self.alice, delete_mailboxes, [self.bob.pk])
        call_command("worker", once=True)
        self.assertEqual((mail.outbox, Job.objects.get().state), ([], Job.State.DONE))

    def test_a_discarded_import_is_no_failed_work(self):
        self.sign_in(self.alice)
        file = SimpleUploadedFile("rows.csv", b"username,name\nbob@example.org,Robert\n")
        self.client.post("/import/", {"format": "csv", "file": file})
        job = runner.claim_job("worker")
        runner.advance_job(job)  # the first step: how much there is
        number = job.arguments["plan"]
        self.client.post(f"/import/{number}/", {"action": "discard"})
        runner.run_job(job)
        job.refresh_from_db()
        self.assertEqual(job.state, Job.State.DONE)
        self.assertNotContains(self.client.get("/"), "This work failed")


class LogPage(World):
    def test_a_line_shows_the_changes_of_its_own_row_alone(self):
        """In one second a superadmin makes an admin and a mailbox of one name."""
        now = timezone.now().replace(microsecond=0)
        domain = self.bob.domain
        with mock.patch("mailadmin.changes.perform.timezone.now", return_value=now):
            row = {"username": "kim@example.org", "superadmin": True, "domains": ["example.com"]}
            self.perform(self.root, create_admins, [row])
            row = {
                "local_part": "kim",
                "domain": domain,
                "password": "x",
                "quota": 1,
                "name": "Kim",
            }
            self.perform(self.root, create_mailboxes, [row])
        tables = Change.objects.filter(key="kim@example.org").values_list("table", flat=True)
        self.assertLessEqual({"admin", "mailbox", "alias"}, set(tables))
        self.sign_in(self.alice)
        page = self.client.get("/log/")
        self.assertContains(page, "Kim")
        self.assertNotContains(page, "superadmin")
        self.assertNotContains(page, "example.com")
        self.sign_in(self.root)
        self.assertContains(self.client.get("/log/"), "superadmin")

    def test_every_action_is_about_a_table(self):
        for action, tables in (
            ("create_mailbox", {"mailbox", "alias", "vacation"}),
            ("edit_alias_state", {"alias"}),
            ("delete_alias_domain", {"aliasdomain"}),
            ("edit_alias_domain_state", {"aliasdomain"}),
            ("create_transport", {"transport"}),
            ("nonsense", {""}),
        ):
            self.assertEqual(tables_for_action(action), tables)


class LogLinesOfRefusals(World):
    def logged(self, ask):
        with self.assertLogs(logging.getLogger("django"), "WARNING") as logs:
            ask()
        return logs.records

    def test_a_refused_or_missing_page_is_one_line_without_addresses(self):
        self.client.raise_request_exception = False
        self.sign_in(self.bob)
        for page in (
            "/mailboxes/carol@example.com/edit/",
            "/domains/",
            "/nothing/carol@example.com/",
            "/mailboxes/carol@example.com/toggle/",
        ):
            records = self.logged(lambda page=page: self.client.get(page))
            self.assertEqual(len(records), 1)
            self.assertNotIn("carol", records[0].getMessage())
            self.assertIsNone(records[0].exc_info)

    def test_a_fault_keeps_its_traceback_and_loses_the_path(self):
        self.client.raise_request_exception = False
        self.sign_in(self.root)
        with mock.patch("mailadmin.tables.views.edit.TableEditView.get", side_effect=KeyError("x")):
            records = self.logged(lambda: self.client.get("/mailboxes/bob@example.org/edit/"))
        self.assertIsNotNone(records[-1].exc_info)
        self.assertEqual(records[-1].getMessage(), "GET mailboxes-edit: 500")


class CsrfLines(World):
    def test_a_refused_form_is_logged_with_its_reason_and_no_path(self):
        client = Client(enforce_csrf_checks=True)
        with self.assertLogs("django.security.csrf", "WARNING") as logs:
            client.post("/login/?next=/mailboxes/bob@example.org/", {"username": "x"})
        self.assertIn("POST login: 403 (CSRF cookie not set.)", logs.records[0].getMessage())
        self.assertNotIn("bob", logs.records[0].getMessage())


class PickBounds(World):
    def test_choices_follow_the_field_that_asks(self):
        self.sign_in(self.root)
        for query, shown in (
            ("q=example.c", "example.com"),
            ("domain=example.c", "example.com"),
            ("target_domain=example.c", "example.com"),
            ("other=zzz&domain=example.c", "example.com"),
        ):
            answer = self.client.get(f"/domains/pick/?{query}")
            self.assertContains(answer, shown)
            self.assertNotContains(answer, "example.org")
