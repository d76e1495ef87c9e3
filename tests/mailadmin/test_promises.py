"""What the pages promise, each in a sentence."""

import datetime

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from domains.models import AdminPreference, AliasDomain, DkimKey, DkimSigning, Domain, DomainAdmin
from domains.services.alias_domains import create_alias_domains
from mailadmin.changes.models import Change
from mailadmin.changes.perform import perform
from mailadmin.jobs.models import Job
from mailboxes.models import Alias, Fetchmail, Mailbox, Usage, Vacation
from mailboxes.services.domain_deletion import LARGE_DOMAIN_MAILBOXES, is_large_deletion
from mailboxes.services.domains import create_domains, delete_domains
from mailboxes.services.mailboxes import create_mailboxes, delete_mailboxes
from tests.base import PASSWORD, World
from tests.mailadmin import test_door


class ScopePromises(World):
    def test_a_domain_admin_sees_inactive_and_backup_domains_too(self):
        Domain.objects.filter(pk="example.org").update(active=False, backupmx=True)
        self.sign_in(self.alice)
        for url in ("/domains/", "/domains/example.org/", "/mailboxes/"):
            self.assertContains(self.client.get(url), "example.org")

    def test_an_alias_domain_with_one_foreign_end_is_nobodys_but_superadmins(self):
        self.perform(self.root, create_domains, [{"domain": "mirror.test"}])
        DomainAdmin.objects.create(admin=self.alice, domain_id="mirror.test")
        row = {
            "alias_domain": Domain.objects.get(pk="mirror.test"),
            "target_domain": Domain.objects.get(pk="example.com"),
        }
        self.perform(self.root, create_alias_domains, [row])
        self.sign_in(self.alice)
        self.assertEqual(self.client.get("/alias-domains/mirror.test/edit/").status_code, 404)
        self.assertNotContains(self.client.get("/alias-domains/"), "mirror.test")

    def test_a_change_cannot_leave_the_admins_scope(self):
        """Even where a service forgets to ask."""

        def forgetful(changes):
            changes.create(
                [Alias(address="x@example.com", goto="a@b.example", domain_id="example.com")]
            )

        def moving(changes):
            changes.update(changes.find(Alias, ["info@example.org"]), domain_id="example.com")

        for service in (forgetful, moving):
            with self.assertRaises(PermissionDenied):
                perform(self.actor(self.alice), service)
        self.assertFalse(Alias.objects.filter(pk="x@example.com").exists())
        self.assertEqual(Alias.objects.get(pk="info@example.org").domain_id, "example.org")


class DoorPromises(World):
    knock, is_in = test_door.DoorTests.knock, test_door.DoorTests.is_in
    code = test_door.DoorTests.code

    def test_two_steps_beside_are_too_far(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=test_door.SECRET)
        for offset in (-2, 2):
            client = Client()
            self.knock(self.bob.pk, client=client)
            client.post("/login/code/", {"code": self.code(offset)})
            self.assertFalse(self.is_in(client), offset)

    def test_admins_owe_their_code_as_well(self):
        type(self.alice).objects.filter(pk=self.alice.pk).update(totp_secret=test_door.SECRET)
        self.assertRedirects(self.knock(self.alice.pk), "/login/code/")
        self.assertFalse(self.is_in())
        self.client.post("/login/code/", {"code": self.code()})
        self.assertTrue(self.is_in())

    def test_an_expired_password_opens_no_page_of_any_address(self):
        past = timezone.now() - datetime.timedelta(days=1)
        Domain.objects.filter(pk="example.org").update(password_expiry=30)
        Mailbox.objects.filter(pk=self.bob.pk).update(password_expiry=past)
        self.knock(self.bob.pk)
        for url in ("/search/", "/mailboxes/", "/jobs/", "/domains/pick/", "/loginx/", "/nothing/"):
            answer = self.client.get(url)
            self.assertRedirects(answer, "/account/password/", fetch_redirect_response=False)

    def test_what_was_sent_without_a_session_is_not_asked_for_by_a_link(self):
        for url in ("/logout/", "/mailboxes/bulk/", "/mailboxes/bob@example.org/toggle/"):
            self.assertRedirects(self.client.post(url), "/login/")

    def test_cookies_stay_on_this_site(self):
        self.assertEqual(settings.SESSION_COOKIE_SAMESITE, "Lax")
        self.assertEqual(settings.CSRF_COOKIE_SAMESITE, "Lax")
        self.assertTrue(settings.SESSION_COOKIE_HTTPONLY)


class CascadePromises(World):
    def keys_of(self, domain):
        key = DkimKey.objects.create(domain_name_id=domain)
        DkimSigning.objects.create(author=domain, dkim=key)
        other = DkimKey.objects.create(domain_name_id="example.com")
        return DkimSigning.objects.create(author=f"bob@{domain}", dkim=other)

    def test_signatures_for_a_mailbox_go_with_it(self):
        signing = self.keys_of("example.org")
        self.perform(self.alice, delete_mailboxes, [self.bob.pk])
        self.assertFalse(DkimSigning._base_manager.filter(pk=signing.pk).exists())

    def test_keys_and_signatures_of_a_domain_go_with_it(self):
        self.keys_of("example.org")
        self.perform(self.root, delete_domains, ["example.org"])
        self.assertFalse(DkimKey._base_manager.filter(domain_name="example.org").exists())
        self.assertFalse(DkimSigning._base_manager.exists())

    def test_preferences_of_an_admin_go_with_him(self):
        AdminPreference.objects.create(admin=self.alice, pref_key="alias_goto_default")
        self.sign_in(self.root)
        self.client.post("/admins/alice@example.org/delete/")
        self.assertFalse(AdminPreference.objects.exists())

    def test_a_fetchmail_password_is_never_told(self):
        Fetchmail.objects.create(
            mailbox=self.bob, src_server="s", src_user="u", src_password="geheim-77", src_folder=""
        )
        self.perform(self.alice, delete_mailboxes, [self.bob.pk])
        self.assertNotIn("geheim-77", str(list(Change.objects.values())))

    def test_a_domain_is_large_from_five_hundred_mailboxes(self):
        self.assertEqual(LARGE_DOMAIN_MAILBOXES, 500)
        self.assertFalse(is_large_deletion(["example.org"]))

    def test_a_deletion_that_would_be_refused_is_not_offered(self):
        self.perform(self.root, create_domains, [{"domain": "mirror.test"}])
        AliasDomain.objects.create(alias_domain_id="mirror.test", target_domain_id="example.org")
        self.sign_in(self.root)
        page = self.client.get("/domains/example.org/delete/")
        self.assertContains(page, "is the target of the alias domain mirror.test")
        self.assertNotContains(page, 'class="btn btn-danger"')


class ListPromises(World):
    def test_lists_are_filtered_by_state(self):
        Mailbox.objects.filter(pk=self.carol.pk).update(active=False)
        self.sign_in(self.root)
        for state, shown, hidden in (("1", "bob@", "carol@"), ("0", "carol@", "bob@")):
            page = self.client.get(f"/mailboxes/?active={state}")
            self.assertContains(page, shown)
            self.assertNotContains(page, hidden)

    def test_a_bar_shows_how_full_a_mailbox_is(self):
        Usage.objects.create(mailbox=self.bob, bytes=int(self.bob.quota * 0.75))
        self.sign_in(self.alice)
        self.assertContains(
            self.client.get("/mailboxes/"), 'class="bar warning" max="100" value="75"'
        )

    def test_sending_is_switched_by_itself(self):
        self.sign_in(self.alice)
        url = "/mailboxes/bob@example.org/toggle/"
        self.client.post(url, {"field": "smtp_active", "value": "0"})
        bob = Mailbox.objects.get(pk=self.bob.pk)
        self.assertEqual((bob.smtp_active, bob.active), (False, True))

    def test_ticked_rows_are_activated(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(active=False)
        Alias.objects.filter(pk=self.bob.pk).update(active=False)
        self.sign_in(self.alice)
        data = {"action": "activate", "keys": [self.bob.pk], "confirmed": "1"}
        self.client.post("/mailboxes/bulk/", data)
        self.assertTrue(Mailbox.objects.get(pk=self.bob.pk).active)
        self.assertTrue(Alias.objects.get(pk=self.bob.pk).active)

    def test_an_export_is_made_while_it_is_sent(self):
        self.sign_in(self.root)
        with CaptureQueriesContext(connection) as captured:
            answer = self.client.get("/mailboxes/export/")
        asked = [query["sql"] for query in captured if "maildir" in query["sql"]]
        self.assertEqual(asked, [])
        self.assertIn(b"bob@example.org", b"".join(answer))

    def test_search_finds_alias_domains_and_forwardings(self):
        self.perform(self.root, create_domains, [{"domain": "mirror.test"}])
        AliasDomain.objects.create(alias_domain_id="mirror.test", target_domain_id="example.org")
        Alias.objects.filter(pk=self.bob.pk).update(goto="bob@example.org,private@y.example")
        self.sign_in(self.root)
        for text, slug, key in (
            ("mirror", "alias-domains", "mirror.test"),
            ("private@y", "aliases", "bob@example.org"),
        ):
            found = self.client.get("/search/", {"q": text}).context["found"]
            rows = {group["table"].slug: [row.pk for row in group["rows"]] for group in found}
            self.assertIn(key, rows.get(slug, []))

    def test_after_a_deletion_one_is_among_the_rows_of_the_domain(self):
        self.sign_in(self.alice)
        answer = self.client.post("/aliases/info@example.org/delete/")
        self.assertRedirects(answer, "/aliases/?domain=example.org")


class PagePromises(World):
    def test_the_page_of_a_domain_shows_what_is_in_it(self):
        self.perform(self.root, create_domains, [{"domain": "mirror.test"}])
        AliasDomain.objects.create(alias_domain_id="mirror.test", target_domain_id="example.org")
        self.sign_in(self.root)
        self.client.post(
            "/mailboxes/bob@example.org/toggle/", {"field": "smtp_active", "value": "0"}
        )
        page = self.client.get("/domains/example.org/")
        for text in ("bob@example.org", "info@example.org", "mirror.test", "alice@example.org"):
            self.assertContains(page, text)
        self.assertContains(page, "mailbox changed")

    def test_an_owners_home_tells_how_things_are(self):
        self.sign_in(self.bob)
        self.assertContains(self.client.get("/"), "Your mail stays in your mailbox")
        self.assertContains(self.client.get("/"), "No answer is sent")
        self.assertContains(self.client.get("/"), "Last changed")
        Alias.objects.filter(pk=self.bob.pk).update(goto="x@y.example")
        self.assertContains(self.client.get("/"), "No copy stays here")
        now, days = timezone.now(), datetime.timedelta(days=3)
        vacation = Vacation.objects.create(
            mailbox=self.bob, domain_id="example.org", subject="s", body="b", activefrom=now - days
        )
        for end, start, text in (
            (now + days, now - days, "You are away"),
            (now + days * 2, now + days, "You will be away"),
            (now - days, now - days * 2, "You were away"),
        ):
            Vacation.objects.filter(pk=vacation.pk).update(activefrom=start, activeuntil=end)
            self.assertContains(self.client.get("/"), text)

    def test_the_rules_stand_there_before_they_are_broken(self):
        self.sign_in(self.bob)
        self.assertContains(self.client.get("/account/password/"), "At least 5 characters")

    def test_an_interval_is_changed(self):
        self.sign_in(self.bob)
        data = {"activefrom": "2030-01-01T00:00", "activeuntil": "2030-02-01T00:00", "active": "on"}
        data |= {"subject": "s", "body": "b", "interval_time": "604800"}
        self.client.post("/account/vacation/", data)
        self.assertEqual(Vacation.objects.get().interval_time, 604800)

    def test_the_room_for_a_quota_follows_the_domain(self):
        Domain.objects.filter(pk="example.org").update(quota=150, maxquota=80)
        self.sign_in(self.alice)
        self.assertContains(self.client.get("/mailboxes/room/?domain=example.org"), "50 MB")
        self.assertNotContains(self.client.get("/mailboxes/room/?domain=example.com"), "At most")
        page = self.client.get("/mailboxes/create/")
        self.assertContains(page, "At most 50 MB")
        self.assertEqual(page.context["form"].initial["quota"], 50)

    def test_a_fresh_domain_takes_its_first_mailbox(self):
        self.sign_in(self.root)
        page = self.client.get("/domains/create/")
        initial = {k: v for k, v in page.context["form"].initial.items() if v is not None}
        data = initial | {"domain": "fresh.example", "transport": "virtual", "active": "on"}
        self.assertRedirects(self.client.post("/domains/create/", data), "/domains/fresh.example/")
        page = self.client.get("/mailboxes/create/?domain=fresh.example")
        data = {"local_part": "first", "domain": "fresh.example", "active": "on"}
        data |= {"password": PASSWORD, "password2": PASSWORD}
        data["quota"] = page.context["form"].initial["quota"]
        self.assertEqual(self.client.post("/mailboxes/create/", data).status_code, 302)

    def test_failed_work_is_tried_again_or_dismissed(self):
        job = Job.objects.create(
            kind="welcome",
            title="Welcome",
            owner="root@example.net (x)",
            owner_model="domains.Admin",
            owner_key=self.root.pk,
            state=Job.State.FAILED,
            message="refused",
            total=1,
        )
        self.sign_in(self.alice)
        self.assertEqual(self.client.post(f"/jobs/{job.pk}/", {"action": "retry"}).status_code, 404)
        self.sign_in(self.root)
        self.client.post(f"/jobs/{job.pk}/", {"action": "retry"})
        self.assertEqual(Job.objects.get().state, Job.State.WAITING)
        Job.objects.update(state=Job.State.FAILED)
        self.client.post(f"/jobs/{job.pk}/", {"action": "dismiss"})
        self.assertFalse(Job.objects.exists())

    def test_a_picker_among_many_domains_asks_for_them(self):
        rows = [{"domain": f"d{n:02}.example", "default_aliases": False} for n in range(60)]
        self.perform(self.root, create_domains, rows)
        self.sign_in(self.root)
        page = self.client.get("/aliases/create/")
        self.assertContains(page, 'list="id_domain-choices"')
        self.assertContains(page, '<datalist id="id_domain-choices" hx-get="/domains/pick/"')

    def test_an_owner_forwards_to_addresses(self):
        self.sign_in(self.bob)
        answer = self.client.post(
            "/account/forwarding/", {"goto": "nonsense", "goto_mailbox": "on"}
        )
        self.assert_refused(answer, "is not an address")

    def test_many_mailboxes_of_many_domains(self):
        domains = [Domain.objects.get(pk=name) for name in ("example.org", "example.com")]
        rows = [
            {"local_part": f"n{n}", "domain": domain, "password": "x", "quota": 1}
            for domain in domains
            for n in range(3)
        ]
        self.perform(self.root, create_mailboxes, rows)
        self.assertEqual(Mailbox.objects.filter(local_part__startswith="n").count(), 6)
