"""Values for people, in the language that is asked for."""

import datetime
from unittest import mock

from django.test import SimpleTestCase
from django.utils import timezone
from django.utils.translation import override

from mailadmin import formatting
from mailadmin.changes.formatting import column_label, format_change_value
from mailadmin.changes.log_page import format_action

MOMENT = datetime.datetime(2026, 5, 4, 13, 2, 1, tzinfo=datetime.UTC)


class LanguageTests(SimpleTestCase):
    def test_a_language_that_is_not_active_is_used_and_not_mixed_up(self):
        with override("en"):
            for language, shown in (("de", "1.234.567"), ("en", "1,234,567"), (None, "1,234,567")):
                with self.subTest(language=language):
                    self.assertEqual(formatting.format_number(1234567, language=language), shown)
            self.assertEqual(formatting.format_limit(0, language="de"), "unbegrenzt")
            self.assertEqual(formatting.format_limit(0), "unlimited")
            self.assertEqual(formatting.format_percent(5, language="de"), "5 %")
            self.assertIn("unbegrenzt", formatting.render_limit(0, language="de"))
            self.assertEqual(format_change_value(True, "de"), "ja")
            self.assertNotEqual(format_action("create_mailbox", language="de"), "create_mailbox")
            labels = {
                column_label("mailbox", "active", language=each) for each in ("de", "en", "ru")
            }
            self.assertEqual(len(labels), 3)

    def test_a_date_is_shown_as_the_language_writes_it(self):
        day = timezone.localtime(MOMENT).date()
        for language, shown in (("de", "04.05.2026"), ("en", "4 May 2026")):
            with self.subTest(language=language), override("ru"):
                self.assertIn(shown, formatting.format_datetime(MOMENT, language))
                self.assertEqual(formatting.format_day(day, language=language), shown)

    def test_a_number_that_is_no_integer_does_not_change_an_equal_one(self):
        self.assertEqual(formatting.format_number(7.0), "7.0")
        self.assertEqual(formatting.format_number(7), "7")


class MomentTests(SimpleTestCase):
    def test_today_shows_the_time_and_other_days_the_date(self):
        local = timezone.localtime(MOMENT)
        with override("en"):
            today = formatting.render_moment(MOMENT, local.date(), "en")
            before = formatting.render_moment(
                MOMENT, local.date() + datetime.timedelta(days=1), "en"
            )
        self.assertIn(f">{local:%H:%M}<", today)
        self.assertIn(">4 May 2026<", before)
        self.assertEqual(today.partition(">")[0], before.partition(">")[0])

    def test_an_address_may_be_wrapped_before_its_domain(self):
        shown = formatting.breakable_address
        self.assertEqual(shown("bob@example.org"), "bob@<wbr>example.org")
        self.assertEqual(shown("example.org"), "example.org")
        self.assertEqual(shown("<i>@a<b"), "&lt;i&gt;@<wbr>a&lt;b")

    def test_an_unknown_date_is_a_dash(self):
        for moment in (None, datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)):
            with self.subTest(moment=moment):
                self.assertIn(">–<", formatting.render_moment(moment, datetime.date.today(), "en"))
                self.assertEqual(formatting.format_datetime(moment), "–")

    def test_a_moment_is_formatted_once_for_a_language(self):
        moment = MOMENT.replace(year=2031)
        with mock.patch.object(
            formatting.formats, "date_format", wraps=formatting.formats.date_format
        ) as date_format:
            for _time in range(3):
                formatting.format_datetime(moment, "de")
        self.assertEqual(date_format.call_count, 1)
