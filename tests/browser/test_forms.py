"""What scripts add to forms: shown passwords, pasted addresses; and the clicks that work needs."""

import pytest

from mailboxes.models import Mailbox
from tests.base import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.mariadb]
MB = 1024000
COUNT_CLICKS = """addEventListener("click", (event) => {
    if (event.detail) sessionStorage.clicks = Number(sessionStorage.clicks || 0) + 1;
}, true);"""
# How much of the width of a field its placeholder leaves free.
FREE_WIDTH = """(field) => {
    const style = getComputedStyle(field);
    const context = document.createElement("canvas").getContext("2d");
    context.font = style.font;
    const padding = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
    return field.clientWidth - padding - context.measureText(field.placeholder).width;
}"""


def test_the_password_of_the_sign_in_is_shown_by_keys(visitor):
    page = visitor.go("/login/")
    page.fill("[name=username]", "alice@example.org")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Tab")
    button = page.get_by_role("button", name="Show password", pressed=False)
    assert button.evaluate("e => e === document.activeElement")
    page.keyboard.press("Space")
    assert page.get_attribute("[name=password]", "type") == "text"
    page.get_by_role("button", name="Show password", pressed=True).press("Enter")
    assert page.get_attribute("[name=password]", "type") == "password"
    assert page.get_by_role("button", name="Generate").count() == 0
    visitor.submit()
    page.get_by_role("navigation", name="Main menu").wait_for()
    assert visitor.complaints == []


@pytest.mark.parametrize("visitor", [{"java_script_enabled": False}], indirect=True)
def test_without_scripts_no_button_shows_the_password(visitor):
    page = visitor.go("/login/")
    assert page.get_by_role("button", name="Show password").count() == 0


def test_a_pasted_address_selects_its_domain_where_it_is_offered(visitor):
    visitor.sign_in("root@example.net")
    page = visitor.go("/aliases/create/?domain=example.org")
    visitor.fill(local_part="sales@Example.com", goto="carol@example.com")
    assert page.input_value("[name=domain]") == "example.com"
    assert page.input_value("[name=local_part]") == "sales"
    visitor.fill(local_part="sales@elsewhere.example")
    visitor.submit("Create")
    assert "elsewhere.example is not one of your domains" in visitor.text
    assert page.input_value("[name=local_part]") == "sales@elsewhere.example"
    visitor.fill(local_part="sales")
    visitor.submit("Create")
    page.wait_for_url("**/aliases/sales@example.com/")


@pytest.mark.parametrize(
    "visitor",
    [{"locale": locale} for locale in ("en-GB", "de-DE", "ru-RU")],
    indirect=True,
    ids=["en", "de", "ru"],
)
def test_the_hint_in_the_search_field_fits_on_a_phone(visitor):
    visitor.sign_in("root@example.net")
    hints = []
    for width in (390, 1280):
        visitor.page.set_viewport_size({"width": width, "height": 844})
        search = visitor.go("/").locator("#topsearch")
        assert search.evaluate(FREE_WIDTH) > 0
        hints.append(search.get_attribute("placeholder"))
    assert len(hints[0]) < len(hints[1])


def test_twelve_mailboxes_take_one_click_each(visitor):
    visitor.page.add_init_script(COUNT_CLICKS)
    visitor.sign_in("root@example.net")
    page = visitor.go("/mailboxes/?domain=example.org")
    page.evaluate("sessionStorage.clicks = 0")
    page.get_by_role("link", name="New mailbox").click()
    for number in range(12):
        visitor.type("local_part", f"m{number}")
        visitor.tab_to("password")
        visitor.type("password", PASSWORD)
        if not number:
            visitor.tab_to("quota")
            visitor.type("quota", "25")
        name = "Create" if number == 11 else "Create and add another"
        page.get_by_role("button", name=name, exact=True).click()
        page.get_by_text(f"m{number}@example.org was created").wait_for()
    assert int(page.evaluate("sessionStorage.clicks")) <= 13
    made = Mailbox.objects.filter(local_part__startswith="m", domain="example.org")
    assert {mailbox.quota for mailbox in made} == {25 * MB}
    assert made.count() == 12
