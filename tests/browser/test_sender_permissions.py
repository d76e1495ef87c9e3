"""Sender permissions in a browser: added and removed on the pages of mailboxes and aliases."""

import pytest

from mailboxes.models import SenderPermission
from tests.browser.accounts import PEOPLE, SETTINGS, WITHOUT_JAVASCRIPT

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.usefixtures("panel_url")]

_ROOT, ALICE, BOB = PEOPLE
BILLING, INFO = "billing@example.org", "info@example.org"


def rows():
    columns = SenderPermission.objects.order_by("pk").values_list("address", "mailbox_id")
    return list(columns)


@pytest.mark.parametrize("visitor", SETTINGS, indirect=True, ids=["wide, English", "phone, German"])
def test_alice_lets_bob_send_as_another_address_and_takes_it_back(visitor):
    visitor.sign_in(ALICE)
    page = visitor.go(f"/mailboxes/{BOB}/")
    page.locator("main a[href*='create/?mailbox=']").click()
    visitor.fill(address="billing@example.com")
    visitor.submit()
    assert rows() == [], "alice used an address of others"
    assert visitor.cut() == []
    visitor.fill(address=BILLING)
    visitor.submit()
    page.wait_for_url("**/sender-permissions/?q=**")
    assert rows() == [(BILLING, BOB)]
    visitor.go(f"/mailboxes/{BOB}/")
    page.locator("main li", has_text=BILLING).wait_for()
    assert visitor.cut() == []
    page.locator("main li", has_text=BILLING).locator("a[href$='/delete/']").click()
    visitor.submit()
    page.wait_for_url("**/sender-permissions/?q=**")
    assert rows() == []


@pytest.mark.parametrize("visitor", SETTINGS, indirect=True, ids=["wide, English", "phone, German"])
def test_the_page_of_an_alias_says_who_may_send_as_it(visitor):
    visitor.sign_in(ALICE)
    page = visitor.go(f"/aliases/{INFO}/")
    page.locator("main a[href*='create/?address=']").click()
    assert page.input_value("[name=address]") == INFO
    visitor.fill(mailbox=BOB)
    visitor.submit()
    page.wait_for_url("**/sender-permissions/?q=**")
    visitor.go(f"/aliases/{INFO}/")
    # By the alias, and by the permission
    page.locator("main li a[href$='/delete/']").wait_for()
    assert page.locator("main li", has_text=BOB).count() >= 2
    assert visitor.cut() == []
    page.context.clear_cookies()
    visitor.sign_in(BOB)
    assert INFO in visitor.text
    assert visitor.cut() == []


@pytest.mark.parametrize("visitor", [WITHOUT_JAVASCRIPT], indirect=True, ids=["no JavaScript"])
def test_the_list_leads_to_all_of_it_without_javascript(visitor):
    visitor.sign_in(ALICE)
    page = visitor.go(f"/mailboxes/{BOB}/")
    page.locator("main a[href*='/sender-permissions/?q=']").click()
    page.locator("main a[href$='/sender-permissions/create/']").click()
    visitor.fill(address=f"*@{BOB.partition('@')[2]}", mailbox=BOB)
    visitor.submit()
    assert rows() == [("@example.org", BOB)]
    assert "@example.org" in visitor.text
