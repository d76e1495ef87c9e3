"""Contents of single pages."""

import datetime
import re

from django.utils import timezone

from domains.models import AliasDomain, Domain, Transport
from mailadmin.jobs.models import Job
from mailboxes.models import Alias, Mailbox, Vacation
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import create_mailboxes
from tests.base import PASSWORD, World

FOCUSED_FIELD_RE = re.compile(r'<(?:input|select|textarea)[^>]*name="(\w+)"[^>]* autofocus')


class PageContentTests(World):
    def test_the_domain_page_shows_its_rows(self):
        self.perform(self.root, create_domains, [{"domain": "mirror.test"}])
        AliasDomain.objects.create(alias_domain_id="mirror.test", target_domain_id="example.org")
        self.sign_in(self.root)
        self.client.post(
            "/mailboxes/bob@example.org/toggle/", {"field": "smtp_active", "value": "0"}
        )
        page = self.client.get("/domains/example.org/")
        for text in ("bob@example.org", "info@example.org", "mirror.test", "alice@example.org"):
            self.assertContains(page, text)
        self.assertContains(page, "Mailbox changed")

    def test_an_owners_home_shows_their_mailbox(self):
        self.sign_in(self.bob)
        self.assertContains(self.client.get("/"), "Your mail stays in your mailbox")
        self.assertContains(self.client.get("/"), "not sending a vacation reply")
        self.assertContains(self.client.get("/"), "You last changed your password")
        Alias.objects.filter(pk=self.bob.pk).update(goto="x@y.example")
        self.assertContains(self.client.get("/"), "No copy is kept in your mailbox")
        now, days = timezone.now(), datetime.timedelta(days=3)
        vacation = Vacation.objects.create(
            mailbox=self.bob, domain_id="example.org", subject="s", body="b", activefrom=now - days
        )
        for end, start, text in (
            (now + days, now - days, "You are away"),
            (now + days * 2, now + days, "Your reply will be sent from"),
            (now - days, now - days * 2, "Your reply ended on"),
        ):
            Vacation.objects.filter(pk=vacation.pk).update(activefrom=start, activeuntil=end)
            self.assertContains(self.client.get("/"), text)

    def test_password_rules_are_shown_beforehand(self):
        self.sign_in(self.bob)
        self.assertContains(self.client.get("/account/password/"), "Use at least 8 characters")

    def test_an_interval_is_changed(self):
        self.sign_in(self.bob)
        data = {"activefrom": "2030-01-01T00:00", "activeuntil": "2030-02-01T00:00", "active": "on"}
        data |= {"subject": "s", "body": "b", "interval_time": "604800"}
        self.client.post("/account/vacation/", data)
        self.assertEqual(Vacation.objects.get().interval_time, 604800)

    def test_the_quota_hint_depends_on_the_domain(self):
        Domain.objects.filter(pk="example.org").update(quota=150, maxquota=80)
        self.sign_in(self.alice)
        self.assertContains(self.client.get("/mailboxes/room/?domain=example.org"), "50 MB")
        self.assertNotContains(self.client.get("/mailboxes/room/?domain=example.com"), "at most")
        page = self.client.get("/mailboxes/create/")
        self.assertContains(page, "Enter at most 50 MB")
        self.assertEqual(page.context["form"].initial["quota"], 50)

    def test_a_new_domain_accepts_its_first_mailbox(self):
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

    def test_failed_jobs_are_retried_or_dismissed(self):
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

    def test_a_picker_for_many_domains_requests_them(self):
        rows = [{"domain": f"d{n:02}.example", "default_aliases": False} for n in range(60)]
        self.perform(self.root, create_domains, rows)
        self.sign_in(self.root)
        page = self.client.get("/aliases/create/")
        self.assertContains(page, 'list="id_domain-choices"')
        self.assertContains(page, '<datalist id="id_domain-choices" hx-get="/domains/pick/"')

    def test_list_and_form_of_transports_call_the_pattern_the_same(self):
        Transport.objects.create(pattern="x.example", transport=":")
        self.sign_in(self.root)
        for url in ("/transports/", "/transports/create/"):
            self.assertContains(self.client.get(url), "Pattern")

    def test_an_owner_forwards_to_addresses(self):
        self.sign_in(self.bob)
        answer = self.client.post(
            "/account/forwarding/", {"goto": "nonsense", "goto_mailbox": "on"}
        )
        self.assert_refused(answer, "is not a valid email address")

    def test_many_mailboxes_of_many_domains(self):
        domains = [Domain.objects.get(pk=name) for name in ("example.org", "example.com")]
        rows = [
            {"local_part": f"n{n}", "domain": domain, "password": "x", "quota": 1}
            for domain in domains
            for n in range(3)
        ]
        self.perform(self.root, create_mailboxes, rows)
        self.assertEqual(Mailbox.objects.filter(local_part__startswith="n").count(), 6)

    def test_the_first_empty_field_of_a_new_row_has_the_focus(self):
        self.sign_in(self.root)
        for url, name in (
            ("/mailboxes/create/", "local_part"),
            ("/aliases/create/?domain=example.org", "local_part"),
            ("/domains/create/", "domain"),
            ("/alias-domains/create/?domain=example.org", "alias_domain"),
            ("/admins/create/", "username"),
        ):
            page = self.client.get(url).content.decode()
            self.assertEqual(FOCUSED_FIELD_RE.findall(page), [name], url)

    def test_forms_of_rows_and_forms_with_errors_focus_no_field(self):
        self.sign_in(self.root)
        pages = (
            self.client.get("/aliases/info@example.org/edit/"),
            self.client.get("/mailboxes/bob@example.org/edit/"),
            self.client.post("/aliases/create/", {"local_part": "x"}),
        )
        for page in pages:
            self.assertNotContains(page, "autofocus", status_code=page.status_code)

    def test_required_fields_are_marked_and_the_mark_is_explained_once(self):
        self.sign_in(self.alice)
        mark = '<span class="asteriskField" aria-hidden="true">*</span>'
        text = "Fields marked with * are required."
        page = self.client.get("/aliases/create/").content.decode()
        for label in ("Address", "Forward to"):
            self.assertIn(f"{label}{mark}", page)
        self.assertEqual(page.count(text), 1)
        self.assertIn(f"Forward to{mark}", self.read("/aliases/info@example.org/edit/"))
        self.assertNotIn("asteriskField", self.read("/aliases/bob@example.org/edit/"))
        self.assertNotIn(text, self.read("/aliases/bob@example.org/edit/"))

    def read(self, url):
        return self.client.get(url).content.decode()
