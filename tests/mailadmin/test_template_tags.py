"""Template tags that keep texts, and which of them may stand in kept content."""

import re

from django.conf import settings
from django.core.checks import run_checks
from django.template import Context, Template
from django.test import SimpleTestCase
from django.urls import get_script_prefix, set_script_prefix
from django.utils.translation import override

from mailadmin.accounts.forms import LoginForm

ONCE_RE = re.compile(r"{% once_per_language %}(.*?){% end_once_per_language %}", re.DOTALL)
INCLUDE_RE = re.compile(r'{% include "([\w/.]+)" %}')
# What depends on the language alone, and the loop over the languages themselves.
ALLOWED_TAGS = {
    *("translate", "icon", "static_url", "page_url", "load", "url", "include"),
    *("get_current_language", "panel_languages", "for", "endfor", "if", "endif"),
}
ALLOWED_VARIABLES = {"code", "name", "search_url", "LANGUAGE_CODE", "languages"}


def render(template, **context):
    return Template("{% load i18n mailadmin %}" + template).render(Context(context))


class TranslateTests(SimpleTestCase):
    def test_a_text_is_in_the_active_language_each_time(self):
        template = Template('{% load i18n %}{% translate "yes" %}{% trans "no" as x %}{{ x }}')
        for language, shown in (("de", "janein"), ("en", "yesno"), ("de", "janein")):
            with self.subTest(language=language), override(language):
                self.assertEqual(template.render(Context()), shown)

    def test_texts_that_are_not_constant_are_translated_as_django_does(self):
        with override("de"):
            self.assertEqual(render("{% translate text %}", text="yes"), "ja")
            self.assertEqual(render("{% translate text %}", text="no"), "nein")
            self.assertEqual(render('{% translate "yes" noop %}'), "yes")
            self.assertEqual(render('{% translate "yes"|upper %}'), "JA")
            self.assertEqual(render('{% translate "100% of <b>" %}'), "100% of <b>")

    def test_only_the_library_of_translations_replaces_one_of_django(self):
        with self.settings(SILENCED_SYSTEM_CHECKS=[]):
            found = [each.msg for each in run_checks() if each.id == "templates.W003"]
        self.assertEqual(len(found), 1)
        self.assertIn("'i18n'", found[0])


class OncePerLanguageTests(SimpleTestCase):
    def test_the_content_is_rendered_once_for_each_language_and_prefix(self):
        template = Template(
            "{% load i18n mailadmin %}{% once_per_language %}"
            "{% page_url 'home' %}{% translate 'yes' %}{{ secret }}{% end_once_per_language %}"
        )
        prefix = get_script_prefix()
        self.addCleanup(set_script_prefix, prefix)
        for language, path, shown in (
            ("en", "/", "/yes"),
            ("de", "/", "/ja"),
            ("en", "/panel/", "/panel/yes"),
            ("en", "/", "/yes"),
        ):
            set_script_prefix(path)
            with self.subTest(language=language, path=path), override(language):
                self.assertEqual(template.render(Context({"secret": "bob"})), shown)

    def test_templates_keep_nothing_of_a_request(self):
        """A form in such content would lack its token, a variable its value."""
        texts = {
            path.relative_to(folder).as_posix(): path.read_text()
            for folder in [settings.BASE_DIR / "templates"]
            for path in folder.rglob("*.html")
        }
        kept = [block for text in texts.values() for block in ONCE_RE.findall(text)]
        self.assertGreater(len(kept), 3)
        kept += [texts[name] for block in list(kept) for name in INCLUDE_RE.findall(block)]
        for block in kept:
            with self.subTest(block=block[:80]):
                self.assertLessEqual(set(re.findall(r"{% (\w+)", block)), ALLOWED_TAGS)
                variables = set(re.findall(r"{{ (\w+)", block))
                self.assertLessEqual(variables, ALLOWED_VARIABLES)


class OptionTests(SimpleTestCase):
    def test_the_chosen_option_is_selected(self):
        found = render(
            "{% select_options choices chosen %}", choices={"a": "<A>", "b": "B"}, chosen="b"
        )
        self.assertHTMLEqual(
            found, '<option value="a">&lt;A&gt;</option><option value="b" selected>B</option>'
        )


class SignInFormTests(SimpleTestCase):
    def test_the_template_pack_shows_errors_beside_the_fields(self):
        form = LoginForm({"username": "", "password": ""})
        found = Template("{% load crispy_forms_tags %}{{ form|crispy }}").render(
            Context({"form": form})
        )
        self.assertNotIn("form-errors", found)  # nothing to say there
        self.assertEqual(found.count('class="form-control is-invalid"'), 2)
