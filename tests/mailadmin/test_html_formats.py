"""HTML with places for values."""

from django.test import SimpleTestCase
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, override

from mailadmin.html_formats import HTMLFormat


class HTMLFormatTests(SimpleTestCase):
    def test_values_are_escaped_as_format_html_does(self):
        text = '<a href="{}" title="100%">{}</a>'
        for value in (
            "a&b",
            "<script>",
            "\"'",
            "%s {}",
            5,
            0.5,
            None,
            True,
            SafeString("<b>x</b>"),
        ):
            with self.subTest(value=value):
                expected = format_html(text, value, "x")
                self.assertEqual(HTMLFormat(text)(value, "x"), expected)

    def test_the_result_is_html(self):
        bold = HTMLFormat("<b>{}</b>")
        self.assertEqual(bold(bold("x")), "<b><b>x</b></b>")

    def test_lazy_texts_are_in_the_language_of_the_call(self):
        bold = HTMLFormat("<b>{}</b>")
        text = gettext_lazy("yes")
        for language, expected in (("en", "<b>yes</b>"), ("de", "<b>ja</b>")):
            with self.subTest(language=language), override(language):
                self.assertEqual(bold(text).lower(), expected)

    def test_every_place_needs_a_value(self):
        for values in ((), ("x", "y")):
            with self.subTest(values=values), self.assertRaises(TypeError):
                HTMLFormat("<b>{}</b>")(*values)
