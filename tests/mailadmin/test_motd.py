"""The operator's texts on first pages, and other settings of small things."""

from django.test import override_settings

from mailadmin.changes.models import Change, Log
from mailadmin.formatting import usage_level
from mailboxes.services.mailboxes import edit_mailbox
from tests.base import World

TEXTS = {
    "MAILADMIN_MOTD_USER": r"Maintenance on <b>Sunday</b>\nhttps://status.example.org",
    "MAILADMIN_MOTD_ADMIN": "For admins",
    "MAILADMIN_MOTD_SUPERADMIN": "For superadmins",
}


class FirstPageTextTests(World):
    @override_settings(**TEXTS)
    def test_each_role_has_its_own_text(self):
        for person, text in ((self.alice, "For admins"), (self.root, "For superadmins")):
            self.sign_in(person)
            self.assertContains(self.client.get("/"), text)
        self.assertNotContains(self.client.get("/mailboxes/"), "For superadmins")
        self.sign_in(self.bob)
        page = self.client.get("/")
        self.assertContains(page, "Maintenance on &lt;b&gt;Sunday&lt;/b&gt;<br>")
        self.assertContains(page, '<a href="https://status.example.org"')
        self.assertNotContains(page, "For admins")

    def test_without_a_text_there_is_no_box(self):
        for person in (self.root, self.alice, self.bob):
            self.sign_in(person)
            self.assertNotContains(self.client.get("/"), 'role="note"')


class OtherSettingTests(World):
    @override_settings(MAILADMIN_LOGGING=False)
    def test_the_log_may_be_off_and_changes_are_recorded_still(self):
        lines, records = Log.objects.count(), Change.objects.count()
        self.perform(self.alice, edit_mailbox, self.bob.pk, {"name": "Robert"})
        self.assertEqual(Log.objects.count(), lines)
        self.assertEqual(Change.objects.count(), records + 1)

    @override_settings(MAILADMIN_QUOTA_LEVEL_MED_PCT=55, MAILADMIN_QUOTA_LEVEL_HIGH_PCT=60)
    def test_the_colours_of_meters_begin_where_the_settings_say(self):
        levels = [usage_level(percent) for percent in (54, 55, 59, 60)]
        self.assertEqual(levels, ["success", "warning", "warning", "danger"])
