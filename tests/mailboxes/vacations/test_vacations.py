"""Vacation replies."""

import datetime
from unittest import mock

from django.utils import timezone

from mailadmin.db.column_facts import ColumnFacts
from mailboxes.models import Alias, Vacation, VacationNotification
from tests.mailboxes.base import VACATION_TARGET, AliasWorld


class VacationTests(AliasWorld):
    def test_an_unknown_end_is_not_over(self):
        """PostfixAdmin writes 2000-01-01 for "unknown"."""
        unknown = timezone.make_aware(datetime.datetime(2000, 1, 1))
        row = {"subject": "Away", "body": "Later.", "activefrom": unknown, "activeuntil": unknown}
        vacation = Vacation(mailbox=self.bob, active=True, **row)
        self.assertEqual(vacation.status, "now")

    def leave(self, active=True, **changed):
        self.sign_in(self.bob)
        page = self.client.get("/account/vacation/")
        start = timezone.localtime()
        end = start + datetime.timedelta(days=7)
        data = {
            "activefrom": start.strftime("%Y-%m-%dT%H:%M"),
            "activeuntil": end.strftime("%Y-%m-%dT%H:%M"),
            "subject": "Away",
            "body": "I am away.\nBack soon: пока 💥",
            "interval_time": "0",
            "seen": page.context["form"].initial.get("seen", ""),
        }
        return self.client.post(
            "/account/vacation/", data | ({"active": "on"} if active else {}) | changed
        )

    def test_a_vacation_is_switched_on_and_off(self):
        self.assertRedirects(self.leave(), "/account/vacation/")
        self.assertEqual(self.goto(), f"{VACATION_TARGET},bob@example.org")
        vacation = Vacation.objects.get(pk=self.bob.pk)
        self.assertTrue(vacation.active)
        self.assertEqual((vacation.domain_id, vacation.cache), ("example.org", ""))
        self.leave(active=False)
        self.assertEqual(self.goto(), "bob@example.org")
        self.assertFalse(Vacation.objects.get(pk=self.bob.pk).active)

    def test_a_vacation_keeps_the_mail_of_an_alias_without_targets(self):
        Alias.objects.filter(pk=self.bob.pk).update(goto="")
        self.leave()
        self.assertEqual(self.goto(), f"{VACATION_TARGET},bob@example.org")

    def test_a_list_of_targets_too_long_for_the_vacation_target_is_refused(self):
        targets = ",".join(f"someone.{n:04}@far.test" for n in range(2990))
        Alias.objects.filter(pk=self.bob.pk).update(goto=f"{targets[:65500]},bob@example.org")
        narrow = {("alias", "goto"): ColumnFacts("latin1", "text", "latin1_general_ci")}
        with mock.patch("mailadmin.db.column_facts.load_column_facts", return_value=narrow):
            self.assert_refused(self.leave(), "too long for the database column")
        self.assertFalse(Vacation.objects.exists())

    def test_a_new_vacation_notifies_every_sender_again(self):
        self.leave()
        VacationNotification.objects.create(vacation_id=self.bob.pk, notified="x@y.example")
        self.leave(subject="Away again")
        self.assertFalse(VacationNotification.objects.exists())

    def test_other_targets_keep_the_order_of_postfixadmin(self):
        Alias.objects.filter(pk=self.bob.pk).update(goto="bob@example.org,x@y.example")
        self.leave()
        self.assertEqual(self.goto(), f"x@y.example,{VACATION_TARGET},bob@example.org")

    def test_the_form_names_the_time_zone_of_its_dates(self):
        self.sign_in(self.bob)
        for name in ("Europe/Berlin", "America/New_York"):
            with self.settings(TIME_ZONE=name):
                self.assertContains(self.client.get("/account/vacation/"), f"Time zone: {name}")

    def test_invalid_dates_are_refused(self):
        for changed in (
            {"activeuntil": "2020-01-01T00:00"},
            {"activefrom": "2030-01-01T00:00", "activeuntil": "2029-01-01T00:00"},
            {"activeuntil": "2099-01-01T00:00"},
            {"activeuntil": "tomorrow"},
            {"interval_time": "-5"},
            {"subject": ""},
        ):
            with self.subTest(changed=changed):
                self.assert_refused(self.leave(**changed))
        self.assertFalse(Vacation.objects.exists())
