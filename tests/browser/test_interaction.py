"""What pages do in a browser, by keys and by buttons."""

import pytest
from django.test import override_settings
from django.utils import timezone
from playwright.sync_api import expect

from domains.models import Domain
from mailadmin import passwords
from mailadmin.changes.perform import Actor, perform
from mailboxes.models import Mailbox
from mailboxes.services.domains import create_domains
from tests.base import PASSWORD
from tests.browser.test_pages import WIDTHS

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.mariadb]


def test_a_mailbox_is_created_with_the_keyboard_alone(visitor):
    page = visitor.page
    visitor.go("/login/")
    visitor.type("username", "alice@example.org")
    page.keyboard.press("Tab")
    visitor.type("password", PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("navigation", name="Main menu").wait_for()
    visitor.go("/mailboxes/create/")
    visitor.wait_for_focus("local_part")
    for name, value in {"local_part": "keys", "password": PASSWORD, "quota": "5"}.items():
        visitor.tab_to(name)
        visitor.type(name, value)
    visitor.tab_to("Create")
    page.keyboard.press("Enter")
    page.wait_for_url("**/mailboxes/keys@example.org/ready/")
    assert Mailbox.objects.filter(pk="keys@example.org").exists()


def test_a_password_is_generated_and_shown_once(visitor):
    visitor.sign_in("alice@example.org")
    visitor.go("/mailboxes/create/")
    visitor.page.get_by_role("button", name="Generate").click()
    made = visitor.page.input_value("[name=password]")
    passwords.validate_password(made)
    assert visitor.page.input_value("[name=password2]") == made
    visitor.fill(local_part="made", quota="5")
    visitor.submit("Create")
    assert passwords.verify(made, Mailbox.objects.get(pk="made@example.org").password)
    assert visitor.complaints == []


def test_a_new_password_is_checked_while_it_is_typed(visitor):
    visitor.sign_in("alice@example.org")
    visitor.go("/mailboxes/create/")
    rules = visitor.page.locator("#id_password_helptext")
    before = rules.inner_text()
    visitor.fill(local_part="typed")
    for typed, said in (
        ("typed2024", "consists mostly of the email address"),
        ("password123", "most common"),
        ("harbour-4711", "This password can be used."),
    ):
        visitor.page.fill("[name=password]", typed)
        rules.get_by_text(said).wait_for()
    visitor.page.fill("[name=password]", "")
    expect(rules).to_have_text(before, use_inner_text=True)
    visitor.go("/mailboxes/bob@example.org/edit/")
    visitor.page.fill("[name=password]", "bob-2024")
    rules.get_by_text("consists mostly of the email address").wait_for()
    assert visitor.complaints == []


def test_an_expired_password_is_checked_as_well(visitor):
    Domain.objects.filter(pk="example.org").update(password_expiry=30)
    Mailbox.objects.filter(pk="bob@example.org").update(password_expiry=timezone.now())
    visitor.sign_in("bob@example.org")
    visitor.page.fill("[name=password]", "bob-2024")
    rules = visitor.page.locator("#id_password_helptext")
    rules.get_by_text("consists mostly of the email address").wait_for()
    assert visitor.page.locator("h1").count() == 1
    assert visitor.complaints == []


def test_a_check_without_a_session_leaves_the_rules(visitor):
    visitor.sign_in("bob@example.org")
    visitor.go("/account/password/")
    before = visitor.page.locator("#id_password_helptext").inner_text()
    visitor.page.context.clear_cookies(name="mailadmin_session")
    with visitor.page.expect_response("**/login/**"):
        visitor.page.fill("[name=password]", "bob-2024")
    visitor.page.wait_for_timeout(200)
    assert visitor.page.locator("#id_password_helptext").inner_text() == before
    assert visitor.page.locator("h1").count() == 1


def test_a_refused_toggle_shows_the_reason(visitor):
    visitor.sign_in("root@example.net")
    visitor.go("/admins/?q=root")
    visitor.page.get_by_label("Actions for root@example.net").click()
    visitor.page.get_by_role("menuitem", name="Deactivate").click()
    visitor.page.get_by_text("You cannot delete, deactivate or demote yourself").wait_for()


def test_the_picker_finds_one_domain_among_many(visitor):
    names = [f"d{n:04}.example" for n in range(300)]
    rows = [{"domain": name, "default_aliases": False} for name in names]
    perform(Actor.console(), create_domains, rows)
    visitor.sign_in("root@example.net")
    visitor.go("/admins/alice@example.org/edit/")
    picker = visitor.page.locator(".picker input")
    picker.press_sequentially("d0123")
    visitor.page.locator(".picker datalist option[value='d0123.example']").wait_for(
        state="attached"
    )
    picker.fill("d0123.example")
    picker.press("Enter")
    visitor.submit("Save changes")
    visitor.go("/admins/alice@example.org/edit/")
    assert visitor.page.locator("[name=domains]").input_value().split() == [
        "d0123.example",
        "example.org",
    ]


def test_a_form_finds_one_domain_among_many(visitor):
    rows = [{"domain": f"d{n:04}.example", "default_aliases": False} for n in range(60)]
    perform(Actor.console(), create_domains, rows)
    visitor.sign_in("root@example.net")
    for table in ("aliases", "mailboxes"):
        visitor.go(f"/{table}/create/")
        visitor.page.locator("#id_domain").press_sequentially("d0042")
        offered = visitor.page.locator("#id_domain-choices option[value='d0042.example']")
        offered.wait_for(state="attached")
    visitor.page.fill("#id_domain", "d0042.example")
    visitor.page.press("#id_domain", "Tab")
    visitor.page.get_by_text("0 is unlimited").wait_for()
    assert visitor.complaints == []


def test_a_language_is_chosen_by_keys(visitor):
    visitor.sign_in("root@example.net")
    visitor.page.click(".topend summary")
    visitor.page.focus("#language")
    visitor.page.keyboard.press("ArrowDown")
    visitor.page.keyboard.press("ArrowDown")
    assert visitor.page.get_attribute("html", "lang") == "en"
    visitor.page.keyboard.press("Enter")
    visitor.page.locator("html[lang=ru]").wait_for()


def test_light_and_dark_are_remembered(visitor):
    visitor.sign_in("root@example.net")
    for theme, shown in (("Dark", "dark"), ("Light", "light"), ("Auto", "light")):
        visitor.page.click(".topend summary")
        visitor.page.get_by_role("button", name=theme).click()
        visitor.go("/domains/")
        assert visitor.page.get_attribute("html", "data-bs-theme") == shown


def test_the_menu_of_a_row_works_by_keys(visitor):
    visitor.sign_in("alice@example.org")
    visitor.go("/mailboxes/")
    page = visitor.page
    page.get_by_label("Actions for bob@example.org").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Edit"
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Forwarding"
    page.keyboard.press("Escape")
    assert page.locator(".rowmenu-list").count() == 0
    assert page.evaluate("document.activeElement.textContent") == "⋯"


def test_a_switch_is_undone_from_its_message(visitor):
    visitor.sign_in("alice@example.org")
    visitor.go("/mailboxes/")
    visitor.page.get_by_label("Actions for bob@example.org").click()
    visitor.page.get_by_role("menuitem", name="Block sending").click()
    visitor.page.get_by_text("sending blocked").first.wait_for()
    visitor.page.get_by_role("button", name="Undo").click()
    visitor.page.get_by_text("may send mail").wait_for()
    assert Mailbox.objects.get(pk="bob@example.org").smtp_active


def test_the_selection_bar_counts_the_selected_rows(visitor):
    visitor.sign_in("root@example.net")
    visitor.go("/mailboxes/")
    bar = visitor.page.locator(".selectionbar")
    assert not bar.is_visible()
    visitor.page.locator("input[name=keys]").first.check()
    assert "1 mailbox selected" in bar.inner_text()
    visitor.page.get_by_label("Select all rows on this page").check()
    assert "2 mailboxes selected" in bar.inner_text()
    assert visitor.page.get_by_role("status").all_inner_texts() == ["2 mailboxes selected"]
    described = bar.get_by_role("button", name="Delete…").get_attribute("aria-describedby")
    assert visitor.page.inner_text(f"#{described}") == "2 mailboxes selected"


@override_settings(MAILADMIN_PAGE_SIZE=1)
def test_the_selection_bar_says_that_all_rows_are_selected(visitor):
    visitor.sign_in("root@example.net")
    visitor.go("/mailboxes/")
    bar = visitor.page.locator(".selectionbar")
    visitor.page.locator("input[name=keys]").first.check()
    visitor.page.get_by_label("Select all rows", exact=True).check()
    assert "All rows selected" in bar.inner_text()


def test_the_palette_opens_a_page_by_keys_alone(visitor):
    visitor.sign_in("alice@example.org")
    page = visitor.page
    page.keyboard.press("/")
    visitor.type("q", "bob@example")
    page.locator("#palette-results a", has_text="bob@example.org").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/mailboxes/bob@example.org/")
    page.keyboard.press("Control+k")
    visitor.type("q", "new alias")
    page.get_by_role("link", name="New alias", exact=True).wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/aliases/create/")
    assert visitor.complaints == []


def test_an_error_keeps_the_password_that_was_typed(visitor):
    visitor.sign_in("alice@example.org")
    visitor.go("/mailboxes/create/")
    visitor.fill(local_part="x y", password=PASSWORD)
    visitor.submit("Create")
    assert visitor.page.locator("#form-errors a[href='#id_local_part']").count() == 1
    assert visitor.page.input_value("[name=password]") == PASSWORD
    visitor.fill(local_part="kept", quota="5")
    visitor.submit("Create")
    assert visitor.page.inner_text("[data-handover-password]") == PASSWORD


def test_a_pasted_address_is_taken_apart(visitor):
    visitor.sign_in("alice@example.org")
    visitor.go("/mailboxes/create/")
    visitor.page.fill("[name=local_part]", "whole@example.org")
    visitor.page.press("[name=local_part]", "Tab")
    assert visitor.page.input_value("[name=local_part]") == "whole"
    assert visitor.page.input_value("[name=domain]") == "example.org"


def test_what_was_typed_survives_the_end_of_the_session(visitor):
    visitor.sign_in("alice@example.org")
    visitor.go("/aliases/create/")
    visitor.fill(local_part="draft", goto="bob@example.org")
    visitor.page.context.clear_cookies(name="mailadmin_session")
    visitor.submit("Create")
    visitor.page.fill("[name=username]", "alice@example.org")
    visitor.page.fill("[name=password]", PASSWORD)
    visitor.submit()
    visitor.page.wait_for_url("**/aliases/create/")
    assert visitor.page.input_value("[name=local_part]") == "draft"
    assert visitor.page.input_value("[name=goto]") == "bob@example.org"


def test_cancel_returns_to_the_filtered_list(visitor):
    visitor.sign_in("alice@example.org")
    visitor.go("/aliases/?q=info&active=1")
    visitor.page.get_by_role("link", name="info@example.org", exact=True).click()
    visitor.go("/aliases/create/")
    visitor.page.locator(".crumbs").get_by_role("link", name="Aliases").click()
    visitor.page.wait_for_url("**/aliases/?q=info&active=1")
    visitor.go("/aliases/create/?domain=example.org")
    visitor.page.get_by_role("link", name="Cancel").click()
    visitor.page.wait_for_url("**/aliases/?q=info&active=1")
    visitor.go("/aliases/?domain=example.org&q=info")
    visitor.page.get_by_role("link", name="info@example.org", exact=True).click()
    visitor.page.locator(".crumbs").get_by_role("link", name="Aliases").click()
    visitor.page.wait_for_url("**/aliases/?domain=example.org&q=info")


@pytest.mark.parametrize("visitor", [{"viewport": WIDTHS["phone"]}], indirect=True)
def test_the_menu_of_a_phone_opens_by_a_button(visitor):
    visitor.sign_in("root@example.net")
    menu = visitor.page.get_by_role("navigation", name="Main menu")
    assert not menu.is_visible()
    visitor.page.get_by_label("Menu", exact=True).click()
    menu.get_by_role("link", name="Transports").click()
    visitor.page.wait_for_url("**/transports/")


def test_dns_records_are_copied_one_by_one_and_all_at_once(visitor, settings):
    settings.MAILADMIN_MAIL_HOST = "mail.{domain}"
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.sign_in("alice@example.org")
    visitor.go("/domains/example.org/dns/")
    for button, copied in (
        ("Copy the value of _imaps._tcp", "0 1 993 mail.example.org."),
        ("Copy all", "_imaps._tcp.example.org. 3600 IN SRV 0 1 993 mail.example.org."),
    ):
        visitor.page.get_by_role("button", name=button).click()
        visitor.page.get_by_text("Copied").last.wait_for()
        text = visitor.page.evaluate("navigator.clipboard.readText()")
        assert text.splitlines()[0] == copied
