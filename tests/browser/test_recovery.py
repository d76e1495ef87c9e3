"""Forgotten passwords and invitations in a browser: from the page or the mail to the sign-in."""

import pytest
from django.test import Client
from django.utils import timezone

from domains.models import Admin
from mailboxes.models import Mailbox
from tests.base import PASSWORD
from tests.browser.accounts import PEOPLE, SETTINGS, WITHOUT_JAVASCRIPT, code_of
from tests.mailadmin.login_world import SECRET
from tests.mailadmin.recovery_world import (
    NEW,
    answer_requests,
    give_recovery_addresses,
    read_links,
)

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.usefixtures("panel_url")]

TO = "dora@elsewhere.example"
DORA = "dora@example.org"
ROOT, ALICE, BOB = PEOPLE
ENGLISH, GERMAN = SETTINGS
in_english_and_german = pytest.mark.parametrize(
    "visitor", SETTINGS, indirect=True, ids=["wide, English", "phone, German"]
)
with_and_without_javascript = pytest.mark.parametrize(
    "visitor", [ENGLISH, WITHOUT_JAVASCRIPT], indirect=True, ids=["wide", "no JavaScript"]
)
on_a_phone_in_german = pytest.mark.parametrize(
    "visitor", [GERMAN], indirect=True, ids=["phone, German"]
)


@pytest.fixture(autouse=True)
def recovery_addresses(world):
    give_recovery_addresses()
    Admin.objects.filter(pk=ROOT).update(email_other="root@elsewhere.example")


def last_link(visitor, kind="recovery_link"):
    """Return the path of the link that was sent last, as the mail has it."""
    answer_requests()
    return read_links(kind, visitor.base)[-1][1]


def link_for(visitor, name=BOB):
    """Ask for a link elsewhere, and return its path."""
    Client().post("/login/forgot/", {"username": name})
    return last_link(visitor)


def set_password(visitor, link, password=NEW):
    visitor.go(link)
    visitor.fill(password=password, password2=password)
    visitor.submit()


def complaints_but(visitor, status):
    """Return the complaints of the browser, but for the answers of this status."""
    return [text for text in visitor.complaints if f"status of {status}" not in text]


# A forgotten password


@pytest.mark.parametrize(
    ("visitor", "name"),
    [(ENGLISH, BOB), (ENGLISH, ROOT), (GERMAN, ALICE), (WITHOUT_JAVASCRIPT, BOB)],
    indirect=["visitor"],
    ids=["bob", "root", "alice, on a phone", "bob, without JavaScript"],
)
def test_a_forgotten_password_is_replaced(visitor, name):
    page = visitor.go("/login/")
    page.locator("main a[href='/login/forgot/']").click()
    assert visitor.says("Forgot your password?")
    assert visitor.cut() == []
    visitor.fill(username=name)
    visitor.submit()
    page.wait_for_url("**/login/forgot/sent/")
    assert visitor.says(
        "If there is such an account and it has a recovery address, a link was sent there."
        " It is valid for one hour."
    )
    assert visitor.cut() == []
    visitor.go(last_link(visitor))
    assert page.url.endswith("/login/recover/"), "the code of the link stays in the address"
    assert visitor.says("Set a new password")
    assert name in visitor.text
    assert visitor.cut() == []
    visitor.fill(password=NEW, password2=NEW)
    visitor.submit()
    page.wait_for_url("**/login/")
    assert visitor.says("Your password was changed. Sign in with it.")
    assert visitor.cut() == []
    visitor.sign_in(name, NEW)
    assert visitor.is_signed_in()
    assert visitor.complaints == []


def test_the_keyboard_alone_does_so_too(visitor):
    page = visitor.go("/login/")
    visitor.tab_to("Forgot your password?")
    page.keyboard.press("Enter")
    page.wait_for_url("**/login/forgot/")
    visitor.type("username", BOB)
    page.keyboard.press("Enter")
    page.wait_for_url("**/login/forgot/sent/")
    visitor.go(last_link(visitor))
    visitor.type("password", NEW)
    visitor.tab_to("Change password")
    page.keyboard.press("Enter")
    page.wait_for_url("**/login/")
    visitor.type("username", BOB)
    visitor.tab_to("password")
    visitor.type("password", NEW)
    page.keyboard.press("Enter")
    assert visitor.is_signed_in()
    assert visitor.complaints == []


def test_the_second_factor_is_still_asked_for(visitor):
    Admin.objects.filter(pk=ALICE).update(totp_secret=SECRET)
    set_password(visitor, link_for(visitor, ALICE))
    visitor.sign_in(ALICE, NEW)
    visitor.page.wait_for_url("**/login/code/")
    visitor.go("/")
    visitor.page.wait_for_url("**/login/**")
    visitor.sign_in(ALICE, NEW)
    visitor.fill(code=code_of(SECRET))
    visitor.submit()
    assert visitor.is_signed_in()


@with_and_without_javascript
def test_a_password_is_chosen_by_the_rules(visitor):
    set_password(visitor, link_for(visitor), "bob")
    assert visitor.page.locator("#id_password_error").is_visible()
    assert visitor.says("Use at least 2 digits.")
    visitor.page.wait_for_selector("#id_password_error, .invalid-feedback")
    assert visitor.cut() == []
    if not visitor.has_javascript:
        visitor.fill(password=NEW, password2=PASSWORD)
        visitor.submit()
        assert visitor.says("The passwords do not match.")
    visitor.fill(password=NEW, password2=NEW)
    visitor.submit()
    assert visitor.says("Your password was changed. Sign in with it.")
    assert complaints_but(visitor, 422) == []


# Links that cannot be used


def used(visitor):
    link = link_for(visitor)
    set_password(visitor, link)
    return link


def expired(visitor):
    link = link_for(visitor)
    Mailbox.objects.filter(pk=BOB).update(token_validity=timezone.now())
    return link


def replaced(visitor):
    link = link_for(visitor)
    link_for(visitor)
    return link


def garbage(visitor):
    return "/login/recover/bWFpbGJveGVz.garbage/"


@in_english_and_german
def test_a_link_that_cannot_be_used_says_so(visitor):
    for make in (garbage, replaced, expired, used):
        visitor.go(make(visitor))
        assert visitor.page.url.endswith("/login/recover/")
        assert visitor.says("Link not valid"), make
        assert visitor.says("This link was already used, has expired, or a newer one was sent.")
        assert visitor.page.locator("input[type=password]").count() == 0
        assert visitor.cut() == []
    visitor.page.locator("main a[href='/login/forgot/']").click()
    visitor.page.wait_for_url("**/login/forgot/")
    assert complaints_but(visitor, 410) == []


@on_a_phone_in_german
def test_who_asks_too_often_is_told_when_to_ask_again(visitor):
    for _request in range(5):
        link_for(visitor)
    visitor.go("/login/forgot/")
    visitor.fill(username=BOB)
    visitor.submit()
    assert visitor.says("Too many attempts")
    assert "60 min" in visitor.text.lower()
    assert visitor.cut() == []
    assert complaints_but(visitor, 429) == []


@on_a_phone_in_german
def test_without_links_the_pages_say_whom_to_ask(visitor, settings):
    settings.MAILADMIN_URL = None
    visitor.go("/login/")
    assert visitor.says("Forgot your password? Ask your administrator for a new one.")
    visitor.go("/login/forgot/")
    assert visitor.says(
        "Links cannot be sent yet: the operator of this panel has to set MAILADMIN_URL."
    )
    settings.MAILADMIN_PASSWORD_RECOVERY = "no"
    visitor.go("/login/forgot/")
    assert visitor.says("Ask your administrator for a new one.")
    assert "MAILADMIN" not in visitor.text
    assert visitor.cut() == []
    assert visitor.complaints == []


# Invitations


def invite(visitor, path, **values):
    """Create a person without a password; return the link that the page shows."""
    visitor.go(path)
    visitor.fill(invitation_to=TO, **values)
    visitor.submit()
    visitor.page.wait_for_url("**/ready/")
    return shown_link(visitor)


def shown_link(visitor):
    return visitor.page.locator("[data-handover] dd", has_text="/login/recover/").inner_text()


def accept(visitor, link, name):
    """Set the first password by a link in another browser, and sign in with it."""
    visitor.page.context.clear_cookies()
    set_password(visitor, link)
    visitor.page.wait_for_url("**/login/")
    assert visitor.says("Your password was changed. Sign in with it.")
    visitor.sign_in(name, NEW)
    assert visitor.is_signed_in()


@with_and_without_javascript
def test_a_new_mailbox_owner_is_invited_once_more(visitor):
    visitor.sign_in(ALICE)
    path = "/mailboxes/create/?domain=example.org"
    first = invite(visitor, path, local_part="dora", welcome_mail=False)
    assert first == visitor.base + last_link(visitor, "invitation")
    assert visitor.says("Give these details to the mailbox owner.")
    assert visitor.says("Valid until")
    assert visitor.cut() == []
    visitor.go(f"/mailboxes/{DORA}/ready/")
    assert visitor.says("sent by email; it is shown here once, when it is made")
    visitor.go(f"/mailboxes/{DORA}/")
    assert visitor.cut() == []
    visitor.fill(invitation_to=TO)
    visitor.page.locator("form[action$='/invitation/'] button").first.click()
    visitor.page.wait_for_url("**/ready/")
    assert shown_link(visitor) == visitor.base + last_link(visitor, "invitation") != first
    visitor.page.context.clear_cookies()
    visitor.go(first.removeprefix(visitor.base))
    assert visitor.says("Link not valid")
    accept(visitor, last_link(visitor, "invitation"), DORA)
    assert complaints_but(visitor, 410) == []


@on_a_phone_in_german
def test_a_new_admin_uses_the_link_that_was_handed_over(visitor):
    visitor.sign_in(ROOT)
    link = invite(visitor, "/admins/create/", username="new@example.net")
    assert link == visitor.base + last_link(visitor, "invitation")
    assert visitor.says("Give these details to the admin.")
    assert visitor.cut() == []
    visitor.go("/admins/new@example.net/")
    assert visitor.cut() == []
    accept(visitor, link.removeprefix(visitor.base), "new@example.net")
    assert visitor.complaints == []


@on_a_phone_in_german
def test_an_invitation_is_revoked(visitor):
    visitor.sign_in(ALICE)
    link = invite(visitor, "/mailboxes/create/?domain=example.org", local_part="dora")
    visitor.go(f"/mailboxes/{DORA}/")
    visitor.page.locator("button[name=revoke]").click()
    visitor.page.wait_for_selector("button[name=revoke]", state="detached")
    assert visitor.says("The invitation was revoked.")
    for path in (f"/mailboxes/{DORA}/", f"/mailboxes/{DORA}/ready/"):
        visitor.go(path)
        assert visitor.says("There is no password yet, and no link to set one: nobody can sign in.")
        assert visitor.cut() == []
    visitor.go(link.removeprefix(visitor.base))
    assert visitor.says("Link not valid")
    assert complaints_but(visitor, 410) == []


def test_all_that_is_handed_over_is_copied(visitor):
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.sign_in(ALICE)
    link = invite(visitor, "/mailboxes/create/?domain=example.org", local_part="dora")
    visitor.page.get_by_role("button", name="Copy all").click()
    visitor.page.get_by_text("Copied").wait_for()
    copied = visitor.page.evaluate("navigator.clipboard.readText()")
    assert DORA in copied and link in copied.split()


def test_a_mailbox_has_a_password_or_an_invitation(visitor):
    visitor.sign_in(ALICE)
    visitor.go("/mailboxes/create/?domain=example.org")
    visitor.fill(local_part="dora", password=NEW, password2=NEW, invitation_to=TO)
    visitor.submit()
    assert visitor.says("Enter a password or an address for the invitation, not both.")
    visitor.fill(password="", invitation_to=DORA)
    visitor.submit()
    assert visitor.says("Enter an address other than that of the mailbox itself.")
    assert visitor.cut() == []
    assert not Mailbox.objects.filter(pk=DORA).exists()
