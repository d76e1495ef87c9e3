"""The page that compares both programs names every option of PostfixAdmin."""

from mailadmin.conf import BASE_DIR, SETTINGS
from mailboxes.postfixadmin.options import OPTIONS
from mailboxes.postfixadmin.options_page import generate_options, iter_options

PAGE = BASE_DIR / "docs/postfixadmin-comparison.md"


def test_the_table_of_options_is_the_generated_one():
    page = PAGE.read_text("utf-8")
    assert page == generate_options(page)


def test_every_option_has_a_variable_that_exists_or_a_reason():
    names = {setting.name for setting in SETTINGS}
    described = dict(iter_options())
    assert OPTIONS.keys() <= described.keys()
    for option, text in described.items():
        variables = {word.strip("`,") for word in text.split() if word.startswith("`MAILADMIN_")}
        assert variables <= names, option
        assert variables or text.startswith("no variable: "), option
        assert len(text) > len("no variable: "), option
