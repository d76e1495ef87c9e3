"""The fields of a form as HTML."""

from django import forms
from django.test import SimpleTestCase

from mailadmin.tables.field_html import render_field


class ExampleForm(forms.Form):
    name = forms.CharField(label="<Name>", help_text="Help & more")
    password2 = forms.CharField(required=False, widget=forms.PasswordInput)
    quota = forms.IntegerField(widget=forms.NumberInput(attrs={"data-unit": "MB"}))
    active = forms.BooleanField(label="Active", required=False)
    colours = forms.MultipleChoiceField(
        choices=[("r", "red"), ("b", "blue")], widget=forms.CheckboxSelectMultiple, required=False
    )
    local_part = forms.CharField(label="Local part")
    domain = forms.ChoiceField(label="Domain", choices=[("x", "x.example")], required=False)


class FieldTests(SimpleTestCase):
    def test_a_field_has_its_label_its_mark_and_its_help(self):
        form = ExampleForm()
        self.assertHTMLEqual(
            render_field(form["name"]),
            '<div class="mb-3"><label class="form-label" for="id_name">&lt;Name&gt;'
            '<span class="asteriskField" aria-hidden="true">*</span></label>'
            '<input type="text" name="name" class="form-control" required id="id_name"'
            ' aria-describedby="id_name_helptext">'
            '<div class="form-text" id="id_name_helptext">Help &amp; more</div></div>',
        )

    def test_errors_are_beside_the_field_and_named_by_it(self):
        form = ExampleForm({"quota": "<b>"})
        found = render_field(form["quota"])
        self.assertIn('class="form-control is-invalid"', found)
        self.assertIn('aria-invalid="true"', found)
        self.assertIn('<div class="invalid-feedback d-block" id="id_quota_error"><div>', found)
        self.assertIn('aria-describedby="id_quota_error"', found)
        self.assertNotIn("<b>", found)
        self.assertIn('<span class="input-group-text">MB</span>', found)

    def test_checkboxes_repeated_passwords_and_groups_look_different(self):
        form = ExampleForm()
        active = render_field(form["active"])
        self.assertIn('<div class="form-check mb-3"><input type="checkbox"', active)
        self.assertIn('<label class="form-check-label" for="id_active">Active</label>', active)
        self.assertIn('<div class="mb-3 no-js">', render_field(form["password2"]))
        colours = render_field(form["colours"])
        self.assertIn('<fieldset><legend class="form-label">Colours</legend>', colours)
        self.assertNotIn("<label class", colours)

    def test_local_part_and_domain_are_one_control(self):
        form = ExampleForm()
        found = render_field([form["local_part"], form["domain"]])
        self.assertIn(
            '<div class="input-group address"><input type="text" name="local_part"', found
        )
        self.assertIn('<label class="visually-hidden" for="id_domain">Domain</label>', found)
        self.assertEqual(found.count("asteriskField"), 1)
