"""Who may set vacation replies, and the intervals that are offered."""

from django.core.exceptions import PermissionDenied
from django.test import override_settings

from mailboxes.models import Vacation
from mailboxes.services.vacations import set_vacation
from tests.base import World
from tests.mailboxes.transfer.base import TransferWorld
from tests.mailboxes.vacations.test_bulk_vacations import ACTION, REPLY

ADMIN_PAGES = ("/mailboxes/bob@example.org/vacation/", "/vacations/", "/vacations/create/")


class VacationAccessTests(World):
    def open(self, person, *paths):
        self.sign_in(person)
        return [self.client.get(path).status_code for path in paths]

    @override_settings(MAILADMIN_VACATION_CONTROL=False)
    def test_owners_may_be_kept_from_it(self):
        self.assertEqual(self.open(self.bob, "/account/vacation/"), [403])
        self.assertNotContains(self.client.get("/"), "Change vacation reply")
        self.assertNotContains(self.client.get("/"), "/account/vacation/")
        with self.assertRaises(PermissionDenied):
            self.perform(self.bob, set_vacation, self.bob.pk, {"subject": "x", "body": "x"})
        self.assertEqual(self.open(self.alice, *ADMIN_PAGES), [200, 200, 200])

    @override_settings(MAILADMIN_VACATION_CONTROL_ADMIN=False)
    def test_domain_admins_may_be_kept_from_it(self):
        self.assertEqual(self.open(self.alice, *ADMIN_PAGES), [403, 403, 403])
        self.assertNotContains(self.client.get("/mailboxes/"), "acation")
        self.assertNotContains(self.client.get("/mailboxes/bob@example.org/"), "/vacation/")
        self.client.post("/mailboxes/bulk/", {**ACTION, **REPLY, "keys": [self.bob.pk]})
        self.assertFalse(Vacation.objects.exists())
        self.assertEqual(self.api(self.alice).get("vacations").status_code, 403)
        self.assertEqual(self.open(self.root, *ADMIN_PAGES), [200, 200, 200])
        self.assertEqual(self.open(self.bob, "/account/vacation/"), [200])

    @override_settings(MAILADMIN_VACATION_CHOICE_OF_REPLY=(3600, 1, 7200))
    def test_forms_offer_the_intervals_of_the_setting(self):
        self.sign_in(self.bob)
        page = self.client.get("/account/vacation/")
        labels = [
            str(label)
            for _value, label in page.context["form"].fields["interval_time"].widget.choices
        ]
        self.assertEqual(labels, ["once an hour", "to every message", "every 7200 seconds"])
        self.assertEqual(page.context["form"]["interval_time"].value(), 3600)
        reply = REPLY | {"interval_time": "604800"}
        self.assertEqual(self.client.post("/account/vacation/", reply).status_code, 302)
        page = self.client.get("/account/vacation/")
        self.assertContains(page, "once a week")  # as it is stored


class VacationImportTests(TransferWorld):
    ROWS = "email,subject,body\nbob@example.org,Away,Later\n"

    @override_settings(MAILADMIN_VACATION=False)
    def test_superadmins_import_replies_that_are_disabled(self):
        plan = self.imported(self.ROWS, self.root, "vacations.csv")
        self.assertEqual(Vacation.objects.get().subject, "Away")
        self.revert_plan(plan, self.root)
        self.assertFalse(Vacation.objects.exists())
