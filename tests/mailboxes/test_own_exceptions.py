"""Mailbox owners choose where they are asked for no second factor."""

from domains.models import Admin, TotpException
from domains.services.admins import create_admins
from domains.services.totp_exceptions import edit_totp_exception, is_excepted
from mailadmin import passwords
from mailadmin.accounts.factors.models import RoleFactorPolicy
from mailadmin.mails.models import OutgoingMail
from mailboxes.models import Mailbox
from tests.mailadmin.login_world import SECRET, LoginWorld

URL = "/account/factors/exceptions/"
OFFICE, ELSEWHERE = "192.0.2.7", "198.51.100.9"


class OwnExceptionTests(LoginWorld):
    def setUp(self):
        super().setUp()
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        self.sign_in(Mailbox.objects.get(pk=self.bob.pk))

    def add(self, ip=OFFICE, **data):
        return self.client.post(URL, {"ip": ip, "description": "Office"} | data)

    def rows(self):
        return list(TotpException.objects.values_list("ip", "username"))

    def test_the_password_alone_is_enough_there(self):
        self.assertContains(self.client.get("/account/factors/"), URL)
        self.assertEqual(self.client.get(URL).context["form"].initial["ip"], "127.0.0.1")
        self.assertRedirects(self.add(), URL)
        self.assertEqual(self.rows(), [(OFFICE, self.bob.pk)])
        mail = OutgoingMail.objects.get()
        self.assertEqual((mail.kind, mail.recipient), ("exception_added", self.bob.pk))
        self.assertIn(
            ("add_totp_exception", "example.org", f"{OFFICE} {self.bob.pk}"), self.logged()
        )
        self.assertRedirects(
            self.log_in(self.bob.pk, REMOTE_ADDR=OFFICE), "/", fetch_redirect_response=False
        )
        answer = self.log_in(self.bob.pk, REMOTE_ADDR=ELSEWHERE)
        self.assertRedirects(answer, "/login/code/", fetch_redirect_response=False)

    def test_an_exception_can_be_removed(self):
        self.add()
        self.assertContains(self.client.get(URL), OFFICE)
        self.client.post(f"{URL}{TotpException.objects.get().pk}/remove/")
        self.assertEqual(self.rows(), [])

    def test_a_name_that_is_sent_along_does_not_count(self):
        self.add(username=self.carol.pk)
        self.assertEqual(self.rows(), [(OFFICE, self.bob.pk)])

    def test_exceptions_of_others_are_neither_shown_nor_removed(self):
        others = [(ELSEWHERE, self.carol.pk), ("203.0.113.1", "example.org"), ("203.0.113.2", None)]
        for ip, name in others:
            TotpException.objects.create(ip=ip, username=name, description="")
        self.assertEqual(list(self.client.get(URL).context["exceptions"]), [])
        for row in TotpException.objects.all():
            self.assertEqual(self.client.post(f"{URL}{row.pk}/remove/").status_code, 404)
        self.assertEqual(len(self.rows()), 3)
        for person in (self.alice, self.root):
            self.sign_in(person)
            self.assertEqual(self.client.get(URL).status_code, 403)

    def test_what_is_no_address_or_there_already_is_refused(self):
        self.add()
        self.assert_refused(self.add(), "There is such an exception already.")
        for ip in ("", "10.0.0.0/8", "example.org", "1.2.3"):
            self.assert_refused(self.add(ip))
        self.assertEqual(len(self.rows()), 1)

    def test_it_needs_a_recent_proof(self):
        session = self.client.session
        session["mailadmin_proof"] -= 601
        session.save()
        self.assertRedirects(
            self.add(), f"/account/confirm/?next={URL}", fetch_redirect_response=False
        )
        self.assertEqual(self.rows(), [])

    def test_none_is_made_where_a_second_factor_is_required(self):
        RoleFactorPolicy.objects.create(role="MAILBOX", level="required")
        self.sign_in(Mailbox.objects.get(pk=self.bob.pk))
        self.assertContains(self.client.get(URL), "Your account requires a second factor.")
        self.assert_refused(self.add(), "Your account requires a second factor.")
        self.assertEqual(self.rows(), [])

    def test_it_does_not_count_once_a_second_factor_is_required(self):
        self.add()
        RoleFactorPolicy.objects.create(role="MAILBOX", level="required")
        answer = self.log_in(self.bob.pk, REMOTE_ADDR=OFFICE)
        self.assertRedirects(answer, "/login/code/", fetch_redirect_response=False)
        key = TotpException.objects.get().pk
        self.perform(self.root, edit_totp_exception, key, {"description": "Head office"})
        answer = self.log_in(self.bob.pk, REMOTE_ADDR=OFFICE)
        self.assertRedirects(answer, "/", fetch_redirect_response=False)

    def test_it_does_not_count_for_a_later_admin_of_the_same_name(self):
        self.add()
        self.make_admin()
        Admin.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        for person, excepted in ((self.bob, True), (Admin.objects.get(pk=self.bob.pk), False)):
            self.assertIs(is_excepted(person, OFFICE), excepted)

    def make_admin(self):
        row = {"username": self.bob.pk, "password": passwords.make_hash("x"), "domains": []}
        self.perform(self.root, create_admins, [row])

    def test_none_is_made_for_an_admin_of_the_same_name(self):
        self.make_admin()
        self.assert_refused(self.add(), "Only superadmins can make an exception for an admin.")
