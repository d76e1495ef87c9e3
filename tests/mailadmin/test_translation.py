"""Texts as data: what is stored of them, and how they are read again."""

import copy
import pickle

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.test import SimpleTestCase
from django.utils.translation import gettext_lazy as django_lazy
from django.utils.translation import override

from mailadmin.translation import (
    compose,
    decode_text,
    encode_text,
    gettext,
    gettext_lazy,
    join_messages,
    join_texts,
    ngettext,
    ngettext_lazy,
    replace_in_text,
    to_text,
)


class StoredTextTests(SimpleTestCase):
    def assert_translated(self, text, english, german):
        stored = encode_text(text)
        for language, shown in (("en", english), ("de", german)):
            with override(language):
                self.assertEqual(decode_text(stored), shown)
                self.assertEqual(encode_text(decode_text(stored)), stored)

    def assert_contains(self, text, english, german):
        for language, shown in (("en", english), ("de", german)):
            with override(language):
                self.assertIn(shown, decode_text(encode_text(text)))

    def test_a_text_with_parameters_is_read_in_the_active_language(self):
        for language in ("de", "en"):
            with override(language):
                text = gettext("Read %(source)s") % {"source": "a.csv"}
            self.assert_translated(text, "Read a.csv", "a.csv lesen")

    def test_lazy_texts_are_stored_as_well(self):
        text = gettext_lazy("Import %(source)s") % {"source": "a.csv"}
        self.assert_translated(text, "Import a.csv", "a.csv importieren")
        self.assert_translated(str(gettext_lazy("Unknown column.")), "Unknown column.", GERMAN)
        self.assert_translated(to_text(django_lazy("Unknown column.")), "Unknown column.", GERMAN)

    def test_parameters_may_be_texts(self):
        place = gettext("%(file)s, line %(line)s") % {"file": "a.sql", "line": 3}
        text = gettext("Duplicate; the first is in %(place)s.") % {"place": place}
        english = "Duplicate; the first is in a.sql, line 3."
        self.assert_translated(text, english, "Doppelt; zuerst in a.sql, Zeile 3.")

    def test_plurals_keep_both_forms(self):
        text = ngettext("and %(n)s more", "and %(n)s more", 3) % {"n": 3}
        self.assert_translated(text, "and 3 more", "und 3 weitere")
        text = ngettext_lazy("%(count)s domain", "%(count)s domains", "count")
        for count, english, german in ((1, "1 domain", "1 Domain"), (2, "2 domains", "2 Domains")):
            self.assert_translated(text % {"count": count}, english, german)

    def test_plurals_of_django_keep_both_forms(self):
        text = MaxLengthValidator.message
        for language in ("de", "en"):
            with override(language):
                for limit, english, german in (
                    (1, "at most 1 character (", "höchstens 1 Zeichen "),
                    (2, "at most 2 characters (", "höchstens 2 Zeichen "),
                ):
                    params = {"value": "abc", "show_value": 3, "limit_value": limit}
                    self.assert_contains(to_text(text, params), english, german)
                    self.assertEqual(to_text(text, params).data["number"], limit)

    def test_plurals_of_earlier_versions_can_be_read(self):
        stored = '{"msgid": "%(n)s row", "plural": "%(n)s rows", "number": 2, "params": {"n": 2}}'
        self.assertEqual(decode_text(stored), "2 rows")

    def test_joined_texts_are_translated_one_by_one(self):
        parts = [gettext("Unknown column."), "a.csv", gettext("Unknown column.")]
        english = "Unknown column. a.csv Unknown column."
        self.assert_translated(join_texts(parts), english, f"{GERMAN} a.csv {GERMAN}")
        self.assert_translated(
            compose("x: %(text)s", text=parts[0]), "x: Unknown column.", f"x: {GERMAN}"
        )
        self.assertEqual(join_texts([]), "")

    def test_messages_of_errors_are_translated_those_of_django_too(self):
        try:
            MaxLengthValidator(2)("abc")
        except ValidationError as error:
            text = join_messages(error)
        with override("en"):
            self.assertIn("at most 2 characters (it has 3)", decode_text(encode_text(text)))
        with override("de"):
            self.assertIn("höchstens 2 Zeichen", decode_text(encode_text(text)))
        error = ValidationError({"a": [gettext_lazy("Unknown column.")], "b": "plain"})
        self.assert_translated(join_messages(error), "Unknown column. plain", f"{GERMAN} plain")

    def test_a_value_that_a_message_does_not_show_is_not_stored(self):
        with self.assertRaises(ValidationError) as refused:
            MaxLengthValidator(10)("a-secret-that-is-too-long")
        stored = encode_text(join_messages(refused.exception))
        self.assertNotIn("secret", stored)
        self.assertIn("25", decode_text(stored))

    def test_texts_of_earlier_versions_and_plain_ones_stay_as_they_are(self):
        for text in ("", "a.csv lesen", "100 %", "{", '{"a": 1}', '{"msgid": ', '{"msgid": 3}'):
            self.assertEqual(decode_text(text), text)
            self.assertEqual(decode_text(encode_text(text)), text)

    def test_the_text_of_somebody_is_never_read_as_data(self):
        text = '{"msgid": "Read %(source)s", "params": {"source": "a.csv"}}'
        self.assertEqual(decode_text(encode_text(text)), text)

    def test_stored_data_that_does_not_fit_its_text_is_shown_as_it_is(self):
        stored = '{"msgid": "Read %(source)s", "params": {"other": 1}}'
        self.assertEqual(decode_text(stored), stored)

    def test_a_long_text_is_shortened_to_its_column(self):
        for name in ("x" * 300, "é" * 300, '"' * 300):
            stored = encode_text(gettext("Read %(source)s") % {"source": name}, 255)
            self.assertLessEqual(len(stored), 255)
            with override("de"):
                self.assertRegex(decode_text(stored), f"^{name[0]}{{50,}}… lesen$")
        self.assertEqual(encode_text(gettext("x" * 300), 255), "x" * 255)

    def test_parameters_are_replaced_within_a_text(self):
        text = gettext("Read %(source)s") % {"source": "/tmp/mailadmin-x/a.csv"}
        text = replace_in_text(text, lambda part: part.replace("/tmp/mailadmin-x/", ""))
        self.assert_translated(text, "Read a.csv", "a.csv lesen")

    def test_a_text_is_a_string_like_any_other(self):
        with override("de"):
            text = gettext("Unknown column.")
            self.assertEqual((text, f"{text}!", text[:3]), (GERMAN, f"{GERMAN}!", "Unb"))
            for same in (copy.deepcopy(text), pickle.loads(pickle.dumps(text))):  # noqa: S301
                self.assertEqual((same, encode_text(same)), (text, encode_text(text)))


GERMAN = "Unbekannte Spalte."
