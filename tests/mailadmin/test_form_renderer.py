"""Widgets rendered without templates look as Django's templates render them."""

import datetime
import re

from django import forms
from django.forms.renderers import TemplatesSetting
from django.test import SimpleTestCase
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from mailadmin.form_renderer import WidgetRenderer

CHOICES = [
    ("", "---"),
    ("a&b", 'x "y"'),
    (gettext_lazy("Group"), [(1, "one"), (2, SafeString("<b>two</b>")), (None, "none")]),
]
ATTRIBUTES = {
    "id": "id_x",
    "class": 'a "b"',
    "required": True,
    "disabled": False,
    "maxlength": 10,
    "data-label": gettext_lazy("yes"),
}
DAY = datetime.date(2026, 5, 4)
VALUES = (None, "", "x", "<p>&'\"", 0, 1000, 1.5, True, SafeString("<i>"), DAY)
BETWEEN_OPTIONS_RE = re.compile(r"\s*\n\s*")


class WidgetRendererTests(SimpleTestCase):
    def assert_rendered_alike(self, widget, value):
        for attributes in ({}, ATTRIBUTES):
            with self.subTest(widget=type(widget).__name__, value=value, attributes=attributes):
                found, expected = (
                    BETWEEN_OPTIONS_RE.sub("\n", widget.render("name", value, attributes, renderer))
                    for renderer in (WidgetRenderer(), TemplatesSetting())
                )
                self.assertEqual(found, expected)

    def test_inputs(self):
        for widget in (
            forms.TextInput(),
            forms.NumberInput(),
            forms.EmailInput(),
            forms.URLInput(),
            forms.HiddenInput(),
            forms.PasswordInput(),
            forms.PasswordInput(render_value=True),
            forms.DateInput(),
            forms.DateTimeInput(),
            forms.CheckboxInput(),
            forms.FileInput(),
            forms.Textarea({"rows": 3}),
        ):
            for value in VALUES:
                self.assert_rendered_alike(widget, value)

    def test_selects(self):
        for value in (None, "", "a&b", 1, "2", "unknown"):
            self.assert_rendered_alike(forms.Select(choices=CHOICES), value)
            self.assert_rendered_alike(forms.NullBooleanSelect(), value)
        for value in ([], ["a&b", "2"]):
            self.assert_rendered_alike(forms.SelectMultiple(choices=CHOICES), value)

    def test_other_widgets_use_their_templates(self):
        choices = [("a", "A"), ("b", "B")]
        self.assert_rendered_alike(forms.RadioSelect(choices=choices), "a")
        self.assert_rendered_alike(forms.CheckboxSelectMultiple(choices=choices), ["b"])
