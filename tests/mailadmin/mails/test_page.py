"""The page of outgoing mails, and the language in which somebody uses the panel."""

import datetime

from django.core import mail as django_mail
from django.utils import timezone

from mailadmin.mails.languages import get_person_language
from mailadmin.mails.models import OutgoingMail, ReaderLanguage
from mailadmin.mails.notices import notify_person
from tests.base import PASSWORD, World
from tests.mailadmin.mails.queued import add_mail, queued, send
from tests.mailadmin.mails.test_sending import BROKEN


class MailPageTests(World):
    def setUp(self):
        self.bobs, self.carols = add_mail("bob@example.org"), add_mail("carol@example.com")
        notify_person(self.alice, "factors_reset", {})

    def get(self, person, **query):
        self.sign_in(person)
        return self.client.get("/mails/", query)

    def post(self, person, **data):
        self.sign_in(person)
        return self.client.post("/mails/", data)

    def test_admins_see_the_mails_of_their_domains(self):
        page = self.get(self.alice)
        self.assertContains(page, "bob@")
        self.assertNotContains(page, "carol@")
        self.assertEqual([mail.recipient for mail in page.context["rows"]], ["bob@example.org"])

    def test_superadmins_see_all(self):
        page = self.get(self.root)
        self.assertEqual(len(page.context["rows"]), 3)
        self.assertContains(page, "New sign-in")
        self.assertContains(page, "Second factors reset")

    def test_owners_see_none(self):
        self.assertEqual(self.get(self.bob).status_code, 403)
        self.assertEqual(self.post(self.bob, action="cancel", key="all").status_code, 403)

    def test_it_says_why_a_mail_waits(self):
        with BROKEN:
            send()
        page = self.get(self.alice)
        self.assertContains(page, "Connection refused")
        self.assertContains(page, "next attempt")

    def test_no_page_shows_the_values(self):
        link = "https://panel.example.org/secret"
        add_mail(device=link)
        self.assertNotContains(self.get(self.root), "secret")

    def test_it_is_filtered_by_state_and_recipient(self):
        send()
        add_mail("dave@example.org")
        for query, names in (
            ({"state": "waiting"}, ["dave@example.org"]),
            ({"state": "sent", "q": "carol"}, ["carol@example.com"]),
            ({"q": "example.org"}, ["dave@example.org", "alice@example.org", "bob@example.org"]),
            ({"state": "nonsense", "q": "\x00"}, []),
        ):
            page = self.get(self.root, **query)
            self.assertEqual([mail.recipient for mail in page.context["rows"]], names)

    def test_it_is_paged(self):
        with self.settings(MAILADMIN_PAGE_SIZE=2):
            first = self.get(self.root, q="example")
            second = self.client.get(first.context["after_url"])
        self.assertEqual([mail.pk for mail in second.context["rows"]], [self.bobs.pk])
        self.assertIn("q=example", second.context["before_url"])
        self.assertEqual(self.get(self.root, after="nonsense").status_code, 404)

    def test_a_waiting_mail_is_sent_at_once_on_request(self):
        later = timezone.now() + datetime.timedelta(hours=1)
        OutgoingMail.objects.update(due=later, attempts=6)
        self.post(self.alice, action="retry", key=self.bobs.pk)
        send()
        self.assertEqual([each.to for each in django_mail.outbox], [["bob@example.org"]])

    def test_all_waiting_mails_in_scope_are_sent_on_request(self):
        OutgoingMail.objects.update(due=timezone.now() + datetime.timedelta(hours=1))
        self.post(self.alice, action="retry", key="all")
        send()
        self.assertEqual([each.to for each in django_mail.outbox], [["bob@example.org"]])

    def test_a_waiting_mail_is_canceled(self):
        answer = self.post(self.alice, action="cancel", key=self.bobs.pk)
        self.assertRedirects(answer, "/mails/")
        self.bobs.refresh_from_db()
        self.assertEqual((self.bobs.state, self.bobs.sealed_values), ("failed", ""))
        self.assertContains(self.get(self.alice), "Canceled by alice@example.org.")
        send()
        self.assertEqual(len(django_mail.outbox), 2)

    def test_foreign_mails_stay_as_they_are(self):
        for action in ("retry", "cancel"):
            for key in (self.carols.pk, "x", "9" * 30, ""):
                self.post(self.alice, action=action, key=key)
        self.assertEqual(queued()[1].due, self.carols.due)
        self.assertEqual({mail.state for mail in queued()}, {"waiting"})

    def test_mails_that_are_sent_or_being_sent_stay_as_they_are(self):
        for state in ("sending", "sent", "failed"):
            OutgoingMail.objects.update(state=state)
            self.post(self.root, action="cancel", key="all")
            self.post(self.root, action="retry", key=self.bobs.pk)
            self.assertEqual({mail.state for mail in queued()}, {state})
        self.assertEqual(self.post(self.root, action="nonsense").status_code, 404)

    def test_who_views_the_panel_as_another_person_changes_nothing(self):
        self.sign_in(self.root)
        self.client.post("/view-as/", {"model": "domains.Admin", "key": self.alice.pk})
        answer = self.client.post("/mails/", {"action": "cancel", "key": "all"})
        self.assertEqual(answer.status_code, 403)
        self.assertContains(self.client.get("/mails/"), "bob@")


class LanguageTests(World):
    def sign_in_by_form(self, name, language):
        data = {"username": name, "password": PASSWORD}
        self.client.post("/login/", data, headers={"Accept-Language": language})

    def test_the_sign_in_stores_the_language(self):
        self.sign_in_by_form("bob@example.org", "de-AT, en;q=0.5")
        self.assertEqual(get_person_language(self.bob), "de")
        self.assertEqual(get_person_language(self.carol), "en")
        self.sign_in_by_form("bob@example.org", "ru")
        self.assertEqual(ReaderLanguage.objects.count(), 1)

    def test_the_switch_stores_the_language(self):
        self.sign_in(self.alice)
        self.client.post("/language/", {"language": "ru"})
        self.assertEqual(get_person_language(self.alice), "ru")
        self.client.post("/language/", {"language": "nonsense"})
        self.assertEqual(get_person_language(self.alice), "ru")

    def test_who_views_the_panel_as_another_person_switches_their_own(self):
        self.sign_in(self.root)
        self.client.post("/view-as/", {"model": "domains.Admin", "key": self.alice.pk})
        self.client.post("/language/", {"language": "de"})
        self.assertEqual(get_person_language(self.root), "de")
        self.assertEqual(get_person_language(self.alice), "en")

    def test_nobody_switches_without_a_sign_in(self):
        self.assertEqual(self.client.post("/language/", {"language": "de"}).status_code, 302)
        self.assertFalse(ReaderLanguage.objects.exists())
