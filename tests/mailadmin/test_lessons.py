"""What once went wrong, or could have."""

import datetime
from unittest import mock

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from domains.models import Admin, AliasDomain, Domain, DomainAdmin, DomainState, TotpException
from domains.services.admins import edit_admin, set_admins
from mailadmin.accounts import networks, throttling
from mailadmin.accounts.models import LoginFailure
from mailadmin.accounts.throttling import MAX_FAILURES_PER_CLIENT
from mailadmin.changes.models import Change, ChangeSecret
from mailadmin.changes.perform import Actor, perform
from mailadmin.jobs import runner
from mailadmin.jobs.models import Job
from mailboxes.models import Alias, Mailbox, Vacation
from mailboxes.services.aliases import create_aliases, edit_alias
from mailboxes.services.domain_deletion import start_domain_deletion
from mailboxes.services.domains import create_domains, delete_domains
from mailboxes.services.mailboxes import (
    create_mailboxes,
    delete_mailboxes,
    edit_mailbox,
    set_mailboxes,
)
from mailboxes.services.references import find_aliases_pointing_to
from mailboxes.services.tallies import recount_tallies
from tests.base import PASSWORD, World
from tests.mailadmin.test_door import SECRET


class DoorLessons(World):
    def test_a_right_password_does_not_forgive_wrong_codes(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        statuses = []
        for _round in range(4):
            answer = self.client.post("/login/", {"username": self.bob.pk, "password": PASSWORD})
            statuses.append(answer.status_code)
            for _try in range(MAX_FAILURES_PER_CLIENT - 2):
                statuses.append(self.client.post("/login/code/", {"code": "000000"}).status_code)
        self.assertIn(429, statuses[: MAX_FAILURES_PER_CLIENT + 3])

    def test_guesses_at_the_old_password_are_counted_and_told(self):
        self.sign_in(self.bob)
        data = {"old_password": "wrong", "password": "new-pass-99", "password2": "new-pass-99"}
        with self.assertLogs("mailadmin.auth", "WARNING") as logs:
            statuses = [
                self.client.post("/account/password/", data).status_code
                for _try in range(MAX_FAILURES_PER_CLIENT + 1)
            ]
        self.assertEqual(statuses, [422] * MAX_FAILURES_PER_CLIENT + [429])
        self.assertIn("old password", logs.output[0])

    def test_a_new_password_is_a_new_one(self):
        self.sign_in(self.bob)
        data = {"old_password": PASSWORD, "password": PASSWORD, "password2": PASSWORD}
        self.assert_refused(self.client.post("/account/password/", data), "have already")

    def test_wrapped_addresses_are_the_addresses_they_wrap(self):
        self.assertEqual(networks.get_client_network("::ffff:198.51.100.7"), "198.51.100.0/24")
        self.assertEqual(networks.get_client_network("2001:db8::1"), "2001:db8::/64")

    def test_old_failures_are_forgotten(self):
        from mailadmin.jobs.housekeeping import purge_expired

        throttling.increment_failures({"x": 1}, first="x")
        long_ago = timezone.now() - datetime.timedelta(days=1)
        LoginFailure.objects.update(since=long_ago)
        purge_expired()
        self.assertFalse(LoginFailure.objects.exists())


class DeletionLessons(World):
    def test_the_target_of_an_alias_domain_is_not_taken_apart(self):
        self.perform(self.root, create_domains, [{"domain": "mirror.test"}])
        AliasDomain.objects.create(alias_domain_id="mirror.test", target_domain_id="example.org")
        with self.assertRaises(ValidationError):
            self.perform(self.root, start_domain_deletion, ["example.org"])
        self.assertTrue(Domain.objects.get(pk="example.org").active)
        self.assertFalse(Job.objects.exists())

    def test_a_deletion_whose_owner_lost_his_rights_ends_and_takes_nothing(self):
        TotpException.objects.create(ip="192.0.2.1", username=self.carol.pk)
        second = Admin.objects.create(username="s@example.net", superadmin=True)
        self.perform(second, start_domain_deletion, ["example.com"])
        self.perform(self.root, set_admins, [second.pk], "superadmin", False)
        job = runner.claim_job("worker")
        turns = iter(range(20))
        runner.run_job(job, lambda: next(turns, 99) > 10)
        self.assertEqual(Job.objects.get().state, Job.State.FAILED)
        self.assertTrue(Mailbox.objects.filter(pk=self.carol.pk).exists())
        self.assertTrue(TotpException.objects.exists())

    def queries_of_deletion(self, count):
        domain = Domain.objects.get(pk="example.org")
        rows = [
            {"local_part": f"q{n:03}", "domain": domain, "password": "x", "quota": 1}
            for n in range(count)
        ]
        self.perform(self.root, create_mailboxes, rows)
        keys = [f"q{n:03}@example.org" for n in range(count)]
        with CaptureQueriesContext(connection) as captured:
            self.perform(self.root, delete_mailboxes, keys)
        return len(captured)

    def test_a_deletion_asks_no_more_for_many_rows(self):
        self.assertEqual(self.queries_of_deletion(2), self.queries_of_deletion(90))

    def test_a_domains_deletion_records_every_row_whole(self):
        with CaptureQueriesContext(connection) as captured:
            self.perform(self.root, delete_domains, ["example.com"])
        self.assertLess(len(captured), 60)
        told = Change.objects.get(verb="delete", table="mailbox")
        self.assertEqual(told.values["name"], ["Carol", None])
        self.assertEqual(
            ChangeSecret.objects.get(table="mailbox").row["maildir"], "example.com/carol/"
        )

    def test_a_new_customer_finds_no_admin_of_the_old_one(self):
        DomainAdmin.objects.create(admin=self.alice, domain_id="new.example")
        self.perform(self.root, create_domains, [{"domain": "new.example"}])
        self.assertEqual(self.alice.get_assigned_domains(), ["example.org"])

    def test_a_domain_that_existed_is_warned_of(self):
        self.perform(self.root, delete_domains, ["example.com"])
        self.sign_in(self.root)
        data = {"domain": "example.com", "aliases": 1, "mailboxes": 1, "maxquota": 1, "quota": 1}
        data |= {"transport": "virtual", "active": "on"}
        page = self.client.post("/domains/create/", data, follow=True)
        self.assertContains(page, "old mail may still lie on the disk")

    def test_who_is_told_to_lose_his_target_does(self):
        alias = {"domain": Domain.objects.get(pk="example.org")}
        rows = [
            alias | {"local_part": "webinfo", "goto": ["info@example.org"]},
            alias | {"local_part": "zz", "goto": ["webinfo@example.org"]},
        ]
        self.perform(self.root, create_aliases, rows)
        found = find_aliases_pointing_to(self.root, ["info@example.org"])
        self.assertEqual([alias.pk for alias in found], ["webinfo@example.org"])
        many = [f"nobody{n}@example.org" for n in range(120)]
        found = find_aliases_pointing_to(self.root, [*many, "info@example.org"])
        self.assertEqual([alias.pk for alias in found], ["webinfo@example.org"])


class BulkLessons(World):
    def fill(self, prefix, count):
        domain = Domain.objects.get(pk="example.org")
        rows = [
            {"local_part": f"{prefix}{n:03}", "domain": domain, "password": "x", "quota": 1}
            for n in range(count)
        ]
        self.perform(self.root, create_mailboxes, rows)

    def test_what_was_shown_is_what_is_done(self):
        self.fill("m", 230)
        self.sign_in(self.alice)
        data = {"action": "delete", "all": "1"}
        page = self.client.post("/mailboxes/bulk/?domain=example.org", data)
        self.assertEqual(page.context["count"], 231)
        self.fill("late", 1)
        data = {"action": "delete", "kept": page.context["kept"], "confirmed": "1"}
        self.client.post("/mailboxes/bulk/?domain=example.org", data)
        self.assertEqual(Job.objects.get().total, 231)
        from django.core.management import call_command

        call_command("worker", once=True)
        left = Mailbox.objects.filter(domain="example.org").values_list("pk", flat=True)
        self.assertEqual(list(left), ["late000@example.org"])

    def test_keys_kept_for_another_are_not_taken(self):
        self.fill("m", 230)
        self.sign_in(self.root)
        page = self.client.post("/mailboxes/bulk/", {"action": "delete", "all": "1"})
        self.sign_in(self.alice)
        for kept in (page.context["kept"], "x", "999999"):
            data = {"action": "delete", "kept": kept, "confirmed": "1"}
            self.client.post("/mailboxes/bulk/", data)
        self.assertEqual(Mailbox.objects.count(), 232)

    @override_settings(MAILADMIN_PAGE_SIZE=500)
    def test_more_than_two_hundred_ticks_are_confirmed_as_well(self):
        self.fill("m", 230)
        keys = [f"m{n:03}@example.org" for n in range(230)]
        self.sign_in(self.alice)
        page = self.client.post("/mailboxes/bulk/", {"action": "deactivate", "keys": keys})
        data = {"action": "deactivate", "kept": page.context["kept"], "confirmed": "1"}
        answer = self.client.post("/mailboxes/bulk/", data)
        self.assertRedirects(answer, f"/jobs/{Job.objects.get().pk}/")


class ScopeLessons(World):
    def test_a_loop_names_nobody_elses_addresses(self):
        hidden = {"domain": Domain.objects.get(pk="example.com")}
        rows = [
            hidden | {"local_part": "hidden", "goto": ["topsecret@example.com"]},
            hidden | {"local_part": "topsecret", "goto": ["a@example.org"]},
        ]
        self.perform(self.root, create_aliases, rows)
        self.sign_in(self.alice)
        data = {"local_part": "a", "domain": "example.org", "goto": "hidden@example.com"}
        data["active"] = "on"
        answer = self.client.post("/aliases/create/", data)
        self.assert_refused(answer, "This is a loop")
        self.assertNotContains(answer, "topsecret", status_code=422)

    def test_rights_taken_while_a_page_was_open_are_gone(self):
        stale = Admin.objects.get(pk=self.alice.pk)
        stale.managed_domains()
        self.perform(self.root, edit_admin, self.alice.pk, {"domains": []})
        with self.assertRaises(ValidationError):
            perform(self.actor(stale), set_mailboxes, [self.bob.pk], "active", False)
        self.perform(self.root, set_admins, [self.alice.pk], "active", False)
        with self.assertRaises(PermissionDenied):
            perform(self.actor(stale), set_mailboxes, [self.bob.pk], "active", False)

    def test_a_link_fills_in_the_domain_and_nothing_else(self):
        self.sign_in(self.root)
        page = self.client.get("/admins/create/?superadmin=1&username=evil@x.example")
        self.assertEqual(set(page.context["form"].initial) & {"superadmin", "username"}, set())

    def test_an_assignment_to_nothing_stops_no_switch(self):
        DomainAdmin.objects.create(admin=self.alice, domain_id="vanished.test")
        self.perform(self.root, set_admins, [self.alice.pk], "active", False)
        self.assertFalse(Admin.objects.get(pk=self.alice.pk).active)
        self.perform(self.root, edit_admin, self.alice.pk, {"domains": ["vanished.test"]})
        self.assertEqual(self.alice.get_assigned_domains(), ["vanished.test"])

    def test_admins_of_a_domain_are_listed_once(self):
        for active in (True, False):
            DomainAdmin.objects.create(admin=self.alice, domain_id="example.org", active=active)
        self.sign_in(self.root)
        rows = self.client.get("/admins/?domain=example.org").context["rows"]
        self.assertEqual([row.pk for row in rows], [self.alice.pk])

    def test_search_names_a_mailbox_once(self):
        self.sign_in(self.root)
        found = self.client.get("/search/?q=bob").context["found"]
        aliases = [row.pk for group in found for row in group["rows"] if type(row) is Alias]
        self.assertEqual(aliases, ["info@example.org"])  # for its target


class AdoptedRows(World):
    """Rows as PostfixAdmin and others left them."""

    def test_a_mailbox_without_its_domain_can_be_mended_and_deleted(self):
        Domain.objects.filter(pk="example.org")._raw_delete("default")
        self.sign_in(self.root)
        for page in ("edit", "forwarding", "vacation"):
            url = f"/mailboxes/bob@example.org/{page}/"
            form = self.client.get(url).context["form"]
            data = {name: form.get_initial_for_field(f, name) for name, f in form.fields.items()}
            data = {k: v for k, v in data.items() if v is not None and v is not False and v != []}
            for name in {"activefrom", "activeuntil"} & set(data):
                data[name] = data[name].strftime("%Y-%m-%dT%H:%M")
            self.assertEqual(self.client.post(url, data).status_code, 302, url)
        self.assertEqual(self.client.post("/mailboxes/bob@example.org/delete/").status_code, 302)
        self.assertEqual(self.client.get("/").status_code, 200)

    def test_an_alias_that_names_itself_goes_on_doing_so(self):
        Alias.objects.filter(pk="info@example.org").update(goto="info@example.org,bob@example.org")
        self.perform(
            self.alice, edit_alias, "info@example.org", {"goto": ["x@y.example"], "active": True}
        )
        self.assertEqual(
            Alias.objects.get(pk="info@example.org").goto, "x@y.example,info@example.org"
        )

    def test_a_quota_that_was_not_touched_stays_to_the_byte(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(quota=52428801)
        self.sign_in(self.alice)
        page = self.client.get("/mailboxes/bob@example.org/edit/")
        data = {"name": "R", "active": "on", "seen": page.context["form"].initial["seen"]}
        data["quota"] = str(page.context["form"].initial["quota"])
        self.client.post("/mailboxes/bob@example.org/edit/", data)
        self.assertEqual(Mailbox.objects.get(pk=self.bob.pk).quota, 52428801)

    def test_a_quota_shrinks_even_where_too_much_is_given(self):
        self.perform(self.root, edit_mailbox, self.bob.pk, {"quota": 1000})
        Domain.objects.filter(pk="example.org").update(quota=500)
        self.perform(self.alice, edit_mailbox, self.bob.pk, {"quota": 600})
        with self.assertRaises(ValidationError):
            self.perform(self.alice, edit_mailbox, self.bob.pk, {"quota": 601})

    def test_a_domain_without_tallies_is_counted_first(self):
        DomainState.objects.all().delete()
        self.perform(self.root, delete_mailboxes, [self.bob.pk])
        state = DomainState.objects.get(pk="example.org")
        self.assertEqual((state.mailboxes, state.aliases, state.quota_assigned), (0, 1, 0))

    def test_tallies_of_domains_that_others_deleted_are_forgotten(self):
        Domain.objects.filter(pk="example.com")._raw_delete("default")
        recount_tallies()
        self.assertFalse(DomainState.objects.filter(pk="example.com").exists())

    def test_limits_lower_than_minus_one_do_not_stop_an_edit(self):
        Domain.objects.filter(pk="example.org").update(aliases=-5)
        self.sign_in(self.root)
        form = self.client.get("/domains/example.org/edit/").context["form"]
        data = {k: v for k, v in form.initial.items() if v is not None and v is not False}
        answer = self.client.post("/domains/example.org/edit/", data | {"description": "new"})
        self.assertEqual(answer.status_code, 302)


class InputLessons(World):
    def test_a_header_holds_one_line(self):
        self.sign_in(self.bob)
        data = {"subject": "hi\r\nBcc: victim@x.example", "body": "x\ny", "interval_time": "0"}
        data |= {"activefrom": "2030-01-01T00:00", "activeuntil": "2030-02-01T00:00"}
        self.assert_refused(self.client.post("/account/vacation/", data), "one line")
        self.assertFalse(Vacation.objects.exists())

    def test_days_beyond_all_calendars_and_endless_searches_are_answered(self):
        self.sign_in(self.root)
        for url in ("/log/?until=9999-12-31", "/log/?from=0001-01-01"):
            self.assertEqual(self.client.get(url).status_code, 200)
        for url in ("/search/", "/mailboxes/", "/log/"):
            self.assertEqual(self.client.get(url, {"q": "word " * 1200}).status_code, 200)

    def test_domains_are_found_as_people_write_them(self):
        self.perform(self.root, create_domains, [{"domain": "xn--mnchen-3ya.de"}])
        self.sign_in(self.root)
        for url in (
            "/domains/?q=münchen.de",
            "/search/?q=münchen.de",
            "/domains/pick/?q=münchen.de",
        ):
            self.assertContains(self.client.get(url), "xn--mnchen-3ya.de")
        page = self.client.get("/mailboxes/create/?domain=münchen.de")
        self.assertContains(page, '<option value="xn--mnchen-3ya.de" selected>')

    def test_a_conflict_is_shown_as_people_read_it(self):
        self.sign_in(self.alice)
        data = {"name": "R", "quota": "5", "active": "on", "seen": "of another day"}
        page = self.client.post("/mailboxes/bob@example.org/edit/", data)
        self.assertIn(("Quota (MB)", 100), page.context["form"].conflict)

    @override_settings(MAILADMIN_VACATION=False)
    def test_without_vacations_nobody_has_the_page(self):
        for person, url in (
            (self.bob, "/account/vacation/"),
            (self.alice, "/mailboxes/bob@example.org/vacation/"),
        ):
            self.sign_in(person)
            self.assertEqual(self.client.get(url).status_code, 403)

    def test_the_mail_server_is_waited_for_outside_any_transaction(self):
        self.sign_in(self.alice)
        data = {"local_part": "dave", "domain": "example.org", "quota": "5", "active": "on"}
        data |= {"password": PASSWORD, "password2": PASSWORD, "welcome_mail": "on"}
        self.client.post("/mailboxes/create/", data)
        depth = len(connection.savepoint_ids)
        seen = []
        with mock.patch(
            "django.core.mail.EmailMessage.send",
            side_effect=lambda: seen.append(len(connection.savepoint_ids)),
        ):
            runner.run_job(runner.claim_job("worker"))
        self.assertEqual(seen, [depth])
        self.assertEqual(Job.objects.get().state, Job.State.DONE)
        self.assertIsInstance(runner.get_job_actor(Job.objects.get()), Actor)
