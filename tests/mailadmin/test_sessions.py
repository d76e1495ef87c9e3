"""The list of one's own sessions, and ending them."""

from unittest import mock

from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from mailadmin.accounts import signed_in
from mailadmin.accounts.models import SignedInSession
from mailadmin.housekeeping import purge_expired
from mailboxes.models import Mailbox
from mailboxes.services.mailboxes import set_mailboxes
from tests.base import PASSWORD
from tests.mailadmin.login_world import LoginWorld

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"
)
DEVICES = {
    FIREFOX: "Firefox, Linux",
    IPHONE: "Safari, iPhone",
    EDGE: "Edge, Windows",
    EDGE.replace(" Edg/140.0.0.0", " OPR/120.0.0.0"): "Opera, Windows",
    EDGE.replace(" Edg/140.0.0.0", ""): "Chrome, Windows",
    "curl/8.5.0": "curl",
    "my-program " * 50: ("my-program " * 50)[:120],
    "": "",
}


class SessionTests(LoginWorld):
    def sign_in_with(self, person, user_agent=FIREFOX, address="192.0.2.7", password=PASSWORD):
        """Return the client of a new session that has opened a page."""
        client = Client(headers={"User-Agent": user_agent}, REMOTE_ADDR=address)
        self.log_in(person.pk, password, client=client)
        self.assertEqual(client.get("/account/").status_code, 200)
        return client

    def listed(self, client):
        """Return (device, address) of the sessions on the page, the current one first."""
        context = client.get("/account/sessions/").context
        return [(row.device, row.address) for row in [*context["current"], *context["others"]]]

    def is_valid(self, client):
        return client.get("/account/").status_code == 200

    def test_sessions_are_listed_with_device_and_address(self):
        for person in (self.bob, self.alice, self.root):
            with self.subTest(person=person.pk):
                phone = self.sign_in_with(person, IPHONE, "198.51.100.9")
                desk = self.sign_in_with(person)
                rows = [("Firefox, Linux", "192.0.2.7"), ("Safari, iPhone", "198.51.100.9")]
                self.assertEqual(self.listed(desk), rows)
                self.assertEqual(self.listed(phone), rows[::-1])
                self.assertContains(desk.get("/account/sessions/"), "this session", count=1)

    def test_nobody_sees_or_ends_the_session_of_another(self):
        bob, alice = self.sign_in_with(self.bob), self.sign_in_with(self.alice, EDGE)
        foreign = SignedInSession.objects.get(device="Firefox, Linux").pk
        self.assertEqual(self.listed(alice), [("Edge, Windows", "192.0.2.7")])
        alice.post(f"/account/sessions/{foreign}/end/")
        self.assertTrue(self.is_valid(bob))
        alice.post("/account/sessions/end/")
        self.assertTrue(self.is_valid(bob))

    def test_one_session_is_ended(self):
        phone, desk = self.sign_in_with(self.bob, IPHONE), self.sign_in_with(self.bob)
        tablet = self.sign_in_with(self.bob, EDGE)
        row = SignedInSession.objects.get(device="Safari, iPhone")
        answer = desk.post(f"/account/sessions/{row.pk}/end/", follow=True)
        self.assertContains(answer, "The session has ended.")
        self.assertEqual(
            [self.is_valid(each) for each in (phone, desk, tablet)], [False, True, True]
        )
        self.assertEqual(len(self.listed(desk)), 2)

    def test_all_others_are_ended(self):
        phone, desk = self.sign_in_with(self.bob, IPHONE), self.sign_in_with(self.bob)
        answer = desk.post("/account/sessions/end/", follow=True)
        self.assertContains(answer, "All other sessions have ended.")
        self.assertContains(answer, "No other sessions.")
        self.assertEqual([self.is_valid(phone), self.is_valid(desk)], [False, True])

    def test_a_session_that_has_opened_no_page_is_listed_and_ended(self):
        silent = Client(headers={"User-Agent": IPHONE}, REMOTE_ADDR="198.51.100.9")
        self.log_in(self.bob.pk, client=silent)
        desk = self.sign_in_with(self.bob)
        self.assertEqual(len(self.listed(desk)), 2)
        desk.post("/account/sessions/end/")
        self.assertFalse(self.is_valid(silent))

    def test_sessions_that_are_in_no_list_end_with_all_others(self):
        phone, desk = self.sign_in_with(self.bob, IPHONE), self.sign_in_with(self.bob)
        SignedInSession.objects.filter(device="Safari, iPhone").delete()
        desk.post("/account/sessions/end/")
        self.assertEqual([self.is_valid(phone), self.is_valid(desk)], [False, True])
        self.assertEqual(self.listed(desk), [("Firefox, Linux", "192.0.2.7")])

    def test_a_session_ends_after_eight_hours_however_much_it_is_used(self):
        desk, begun = self.sign_in_with(self.bob), timezone.now()
        for hours, is_valid in ((3, True), (6, True), (7.9, True), (8.1, False)):
            now = begun + timezone.timedelta(hours=hours)
            with (
                self.subTest(hours=hours),
                mock.patch.object(timezone, "now", return_value=now),
                mock.patch.object(signed_in.time, "time", return_value=now.timestamp()),
            ):
                self.assertEqual(self.is_valid(desk), is_valid)

    def test_the_current_session_is_ended_by_signing_out_alone(self):
        desk = self.sign_in_with(self.bob)
        row = SignedInSession.objects.get()
        self.assertEqual(desk.post(f"/account/sessions/{row.pk}/end/").status_code, 404)
        self.assertTrue(self.is_valid(desk))
        desk.post("/logout/")
        phone = self.sign_in_with(self.bob, IPHONE)
        self.assertEqual(self.listed(phone), [("Safari, iPhone", "192.0.2.7")])

    def test_a_new_password_leaves_this_session_alone_in_the_list(self):
        self.sign_in_with(self.bob, IPHONE)
        desk = self.sign_in_with(self.bob)
        new = {"password": "harbour-4711", "password2": "harbour-4711"}
        desk.post("/account/password/", new | {"old_password": PASSWORD})
        self.assertEqual(self.listed(desk), [("Firefox, Linux", "192.0.2.7")])
        phone = self.sign_in_with(self.bob, IPHONE, password="harbour-4711")
        row = SignedInSession.objects.filter(device="Firefox, Linux").get()
        phone.post(f"/account/sessions/{row.pk}/end/")  # by the key that it has now
        self.assertFalse(self.is_valid(desk))

    def test_sessions_before_a_deactivation_are_not_listed(self):
        self.sign_in_with(self.bob, IPHONE)
        for active in (False, True):
            self.perform(self.root, set_mailboxes, [self.bob.pk], "active", active)
        desk = self.sign_in_with(Mailbox.objects.get(pk=self.bob.pk))
        self.assertEqual(self.listed(desk), [("Firefox, Linux", "192.0.2.7")])

    def test_expired_sessions_are_neither_listed_nor_kept(self):
        self.sign_in_with(self.bob, IPHONE)
        Session.objects.update(expire_date=timezone.now())
        desk = self.sign_in_with(self.bob)
        self.assertEqual(self.listed(desk), [("Firefox, Linux", "192.0.2.7")])
        SignedInSession.objects.update(seen=timezone.now() - timezone.timedelta(days=2))
        purge_expired()
        self.assertEqual(SignedInSession.objects.count(), 0)

    def test_when_a_session_was_seen_is_written_now_and_then(self):
        desk = self.sign_in_with(self.bob)
        row = SignedInSession.objects.get()
        desk.get("/account/")
        self.assertEqual(SignedInSession.objects.get().seen, row.seen)
        later = signed_in.time.time() + signed_in.SEEN_INTERVAL
        with mock.patch.object(signed_in.time, "time", return_value=later):
            desk.get("/account/", REMOTE_ADDR="203.0.113.5")
        now = SignedInSession.objects.get()
        self.assertGreater(now.seen, row.seen)
        self.assertEqual((now.pk, now.since, now.address), (row.pk, row.since, "203.0.113.5"))

    def test_a_page_is_shown_even_if_its_session_cannot_be_recorded(self):
        desk = self.sign_in_with(self.bob)
        later = signed_in.time.time() + signed_in.SEEN_INTERVAL
        with (
            mock.patch.object(signed_in.time, "time", return_value=later),
            mock.patch.object(signed_in, "record_session", side_effect=OperationalError(1290)),
        ):
            self.assertTrue(self.is_valid(desk))

    def test_public_pages_and_the_api_record_nothing(self):
        desk = self.sign_in_with(self.bob)
        before = SignedInSession.objects.get()
        later = signed_in.time.time() + signed_in.SEEN_INTERVAL
        with mock.patch.object(signed_in.time, "time", return_value=later):
            for path in ("/healthz", "/login/code/", "/api/v1/mailboxes"):
                desk.get(path, headers={"Authorization": f"Bearer {self.token(self.alice)}"})
        self.assertEqual(SignedInSession.objects.get().seen, before.seen)

    def test_the_session_of_a_superadmin_stays_theirs_while_they_view_as_somebody(self):
        root = self.sign_in_with(self.root)
        root.post("/view-as/", {"model": "mailboxes.Mailbox", "key": self.bob.pk})
        row = SignedInSession.objects.get()
        later = signed_in.time.time() + signed_in.SEEN_INTERVAL
        with mock.patch.object(signed_in.time, "time", return_value=later):
            root.get("/account/")
        self.assertEqual(SignedInSession.objects.get().account, row.account)
        bob = self.sign_in_with(self.bob, IPHONE)
        self.assertEqual(self.listed(bob), [("Safari, iPhone", "192.0.2.7")])

    def test_a_superadmin_who_views_as_somebody_does_not_see_their_sessions(self):
        self.sign_in_with(self.bob, IPHONE)
        root = self.sign_in_with(self.root)
        root.post("/view-as/", {"model": "mailboxes.Mailbox", "key": self.bob.pk})
        self.assertEqual(root.get("/account/sessions/").status_code, 403)
        self.assertEqual(root.post("/account/sessions/end/").status_code, 403)

    def test_devices_are_named_as_people_call_them(self):
        for user_agent, device in DEVICES.items():
            with self.subTest(user_agent=user_agent):
                self.assertEqual(signed_in.describe_device(user_agent), device)

    def test_what_a_device_calls_itself_is_text(self):
        desk = self.sign_in_with(self.bob, "<script>x</script>")
        self.assertNotContains(desk.get("/account/sessions/"), "<script>x")
