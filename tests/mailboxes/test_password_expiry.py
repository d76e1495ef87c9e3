"""When passwords of mailboxes expire, as PostfixAdmin 4.0.6 stores it, and what shows it."""

import datetime

from django.test import override_settings
from django.utils import timezone

from domains.models import Domain
from domains.services.domains import edit_domain
from mailadmin.db.fields import NO_END
from mailboxes.models import Mailbox
from mailboxes.postfix.dialects import get_dialect
from mailboxes.postfix.dovecot_queries import build_password_not_expired
from mailboxes.services.expiry_reminders import iter_due_reminders
from mailboxes.services.mailboxes import set_password
from tests.base import World

DAY = datetime.timedelta(days=1)


class PasswordExpiryTests(World):
    def set_domain(self, days):
        Domain.objects.filter(pk="example.org").update(password_expiry=days)

    def get_expiry(self):
        self.perform(self.alice, set_password, Mailbox, self.bob.pk, self.bob.password)
        return Mailbox.objects.get(pk=self.bob.pk).password_expiry

    def expire(self, moment=None):
        moment = moment or timezone.now() - DAY
        Mailbox.objects.filter(pk=self.bob.pk).update(password_expiry=moment)
        return Mailbox.objects.get(pk=self.bob.pk)

    def test_a_password_ends_after_the_days_of_the_domain_or_never(self):
        self.assertEqual(self.get_expiry(), NO_END)
        for days in (None, -3):
            self.set_domain(days)
            self.assertEqual(self.get_expiry(), NO_END)
        self.set_domain(30)
        self.assertAlmostEqual(self.get_expiry(), timezone.now() + 30 * DAY, delta=DAY)
        with override_settings(MAILADMIN_PASSWORD_EXPIRATION=False):
            self.assertEqual(self.get_expiry(), NO_END)
        self.set_domain(2**31 - 1)  # more than a date can be away
        self.assertAlmostEqual(self.get_expiry(), timezone.now() + 36500 * DAY, delta=DAY)

    def test_a_lifetime_is_a_number_of_days_up_to_36500(self):
        self.sign_in(self.root)
        for value, status in (("36500", 302), ("36501", 422), ("-1", 422), ("1.5", 422)):
            data = dict.fromkeys(("aliases", "mailboxes", "maxquota", "quota"), 0)
            data |= {"transport": "virtual", "active": "on", "password_expiry": value}
            page = self.client.get("/domains/example.org/edit/")
            data["seen"] = page.context["form"].initial["seen"]
            response = self.client.post("/domains/example.org/edit/", data)
            self.assertEqual(response.status_code, status, value)

    def test_dates_that_mean_never(self):
        self.set_domain(30)
        for moment in (NO_END, datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)):
            self.assertFalse(self.expire(moment).password_has_expired(), moment)
        self.assertTrue(self.expire().password_has_expired())

    def test_the_last_date_of_all_is_read_in_every_time_zone(self):
        """Another program may store the last second that MySQL knows."""
        self.set_domain(30)
        last = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
        self.expire(last - DAY)
        for zone in ("America/Los_Angeles", "Pacific/Kiritimati", "UTC"):
            with timezone.override(zone):
                self.sign_in(self.root)
                page = self.client.get("/mailboxes/bob@example.org/")
                self.assertEqual(page.status_code, 200)
                self.assertNotContains(page, "Password expires")

    def test_lists_pages_and_the_api_show_it(self):
        self.set_domain(30)
        bob = self.expire()
        self.sign_in(self.alice)
        self.assertContains(self.client.get("/mailboxes/"), "password expired")
        self.assertContains(self.client.get("/mailboxes/bob@example.org/"), "Password expires")
        value = self.api(self.alice).get("mailboxes/bob@example.org").json()["password_expires"]
        self.assertEqual(datetime.datetime.fromisoformat(value), bob.password_expiry)
        self.perform(self.root, edit_domain, "example.org", {"password_expiry": 0})
        self.assertNotContains(self.client.get("/mailboxes/"), "password expired")
        self.assertNotContains(self.client.get("/mailboxes/bob@example.org/"), "Password expires")
        self.assertIsNone(
            self.api(self.alice).get("mailboxes/bob@example.org").json()["password_expires"]
        )

    @override_settings(MAILADMIN_PASSWORD_EXPIRATION=False)
    def test_where_passwords_never_expire_nothing_speaks_of_it(self):
        self.set_domain(30)
        soon = self.expire(timezone.now() + DAY)
        self.assertFalse(self.expire().password_has_expired())
        self.assertEqual(list(iter_due_reminders()), [])
        self.assertIsNone(soon.password_end)
        condition = build_password_not_expired(get_dialect())
        self.assertNotIn("password_expiry", condition)
        self.sign_in(self.root)
        self.assertNotContains(self.client.get("/domains/example.org/edit/"), "password_expiry")
