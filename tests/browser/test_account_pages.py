"""Sessions, recovery addresses, requirements of second factors, exceptions and outgoing mail."""

import pytest

from domains.models import TotpException
from mailadmin.accounts.factors.models import RoleFactorPolicy
from mailadmin.mails.models import OutgoingMail
from mailboxes.models import Mailbox
from tests.browser.accounts import PEOPLE, SETTINGS, WITHOUT_JAVASCRIPT, code_of
from tests.browser.conftest import Visitor
from tests.mailadmin.login_world import SECRET
from tests.mailadmin.mails.queued import add_mail
from tests.mailadmin.test_sessions import EDGE, IPHONE

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.usefixtures("panel_url")]

ROOT, ALICE, BOB = PEOPLE
CAROL = "carol@example.com"
ELSEWHERE = "Enter an address in a domain that this panel does not manage."
with_and_without_javascript = pytest.mark.parametrize(
    "visitor", [SETTINGS[0], WITHOUT_JAVASCRIPT], indirect=True, ids=["wide", "no JavaScript"]
)
in_english_and_german = pytest.mark.parametrize(
    "visitor", SETTINGS, indirect=True, ids=["wide, English", "phone, German"]
)


@pytest.fixture
def open_browser(chromium, live_server):
    """Return a function that opens another browser, which calls itself so."""
    contexts = []

    def open_browser(user_agent):
        contexts.append(chromium.new_context(user_agent=user_agent))
        return Visitor(contexts[-1].new_page(), live_server.url)

    yield open_browser
    for context in contexts:
        context.close()


def is_signed_out(visitor):
    return visitor.go("/account/").url.startswith(f"{visitor.base}/login/")


@with_and_without_javascript
def test_bob_ends_his_sessions_elsewhere(visitor, open_browser):
    phone, tablet = open_browser(IPHONE), open_browser(EDGE)
    for browser in (phone, tablet, visitor):
        browser.sign_in(BOB)
        assert browser.is_signed_in()
    visitor.go("/account/")
    visitor.page.locator("main a[href='/account/sessions/']").click()
    assert visitor.page.locator("main li b").all_inner_texts()[1:] == [
        "Edge, Windows",
        "Safari, iPhone",
    ]
    assert visitor.says("this session")
    assert visitor.cut() == []
    row = visitor.page.locator("main li", has_text="Safari, iPhone")
    row.locator("button").click()
    visitor.page.locator("main li", has_text="Safari, iPhone").wait_for(state="detached")
    assert visitor.says("The session has ended.")
    assert is_signed_out(phone) and not is_signed_out(tablet)
    visitor.page.locator("main form[action='/account/sessions/end/'] button").click()
    visitor.page.locator("main form").first.wait_for(state="detached")
    assert visitor.says("All other sessions have ended.")
    assert visitor.says("No other sessions.")
    assert is_signed_out(tablet) and not is_signed_out(visitor)
    assert visitor.complaints == []


@pytest.mark.parametrize(
    ("visitor", "name", "refused", "problem"),
    [
        (SETTINGS[1], BOB, BOB, "Enter an address other than that of the mailbox itself."),
        (SETTINGS[0], ALICE, CAROL, ELSEWHERE),
        (WITHOUT_JAVASCRIPT, ROOT, CAROL, ELSEWHERE),
    ],
    indirect=["visitor"],
    ids=["bob", "alice", "root"],
)
def test_everybody_enters_a_recovery_address(visitor, name, refused, problem):
    visitor.sign_in(name)
    visitor.go("/account/")
    visitor.page.locator("main a[href='/account/recovery-address/']").click()
    visitor.fill(email_other=refused)
    visitor.submit()
    assert visitor.says(problem)
    assert visitor.cut() == []
    visitor.fill(email_other="me@elsewhere.example")
    visitor.submit()
    visitor.page.wait_for_url("**/account/")
    assert visitor.says("Your recovery address was changed.")
    assert "me@elsewhere.example" in visitor.text
    assert visitor.cut() == []


@in_english_and_german
def test_root_requires_a_second_factor_of_mailbox_owners(visitor):
    Mailbox.objects.filter(pk=CAROL).update(totp_secret=SECRET)
    visitor.sign_in(ROOT)
    page = visitor.go("/second-factors/")
    page.locator("main a[href='/second-factors/levels/']").click()
    assert visitor.cut() == []
    visitor.fill(MAILBOX="required")
    visitor.submit()
    page.wait_for_url("**/second-factors/")
    assert visitor.says("The settings were saved.")
    assert page.locator(".badge.fail").count() == 1
    assert visitor.cut() == []
    page.select_option("[name=state]", "missing")
    page.locator("form.filters button").click()
    page.wait_for_load_state()
    assert BOB in visitor.text and CAROL not in visitor.text
    assert visitor.cut() == []
    page.locator("nav.tabs a[href$='people=admins']").click()
    assert ALICE in visitor.text and BOB not in visitor.text
    assert visitor.cut() == []
    page.context.clear_cookies()
    visitor.sign_in(BOB)
    page.wait_for_url("**/account/factors/")
    assert visitor.says(
        "Your account needs a second factor. Set up an authenticator app or a passkey to continue."
    )
    assert visitor.complaints == []


def test_alice_sees_the_factors_of_her_people_alone(visitor):
    RoleFactorPolicy.objects.create(role="MAILBOX", level="required")
    visitor.sign_in(ALICE)
    page = visitor.go("/second-factors/")
    assert "required and missing" in visitor.text
    assert CAROL not in visitor.text
    assert page.locator("main a[href*='levels'], main nav.tabs").count() == 0
    page.get_by_role("link", name=BOB).click()
    page.wait_for_url(f"**/mailboxes/{BOB}/")
    visitor.go("/second-factors/levels/")
    assert "Access denied" in visitor.text


@with_and_without_javascript
def test_an_exception_spares_bob_the_code(visitor):
    Mailbox.objects.filter(pk=BOB).update(totp_secret=SECRET)
    visitor.sign_in(ALICE)
    visitor.go("/totp-exceptions/")
    assert visitor.says("No exceptions: the second factor is asked for at every IP address.")
    assert visitor.cut() == []
    visitor.go("/totp-exceptions/create/")
    visitor.fill(ip="127.0.0.1", username="example.com", description="Office")
    visitor.submit()
    assert not TotpException.objects.exists(), "alice made an exception for a domain of others"
    assert visitor.cut() == []
    visitor.fill(username="example.org")
    visitor.submit()
    visitor.page.wait_for_url("**/totp-exceptions/**")
    visitor.go("/totp-exceptions/")
    assert "127.0.0.1" in visitor.text and "Office" in visitor.text
    assert visitor.cut() == []
    visitor.page.context.clear_cookies()
    visitor.sign_in(BOB)
    assert visitor.is_signed_in()
    visitor.page.context.clear_cookies()
    visitor.sign_in(ALICE)
    visitor.go(f"/totp-exceptions/{TotpException.objects.get().pk}/delete/")
    visitor.submit()
    visitor.page.context.clear_cookies()
    visitor.sign_in(BOB)
    visitor.page.wait_for_url("**/login/code/")
    visitor.fill(code=code_of(SECRET))
    visitor.submit()
    assert visitor.is_signed_in()


@in_english_and_german
def test_bob_makes_an_exception_for_himself(visitor):
    visitor.sign_in(BOB)
    Mailbox.objects.filter(pk=BOB).update(totp_secret=SECRET)
    page = visitor.go("/account/factors/")
    assert visitor.cut() == []
    page.locator("main a[href='/account/factors/exceptions/']").click()
    assert page.input_value("[name=ip]") == "127.0.0.1"
    visitor.fill(description="Office")
    visitor.submit()
    assert visitor.says("The exception was added.")
    assert visitor.cut() == []
    page.context.clear_cookies()
    visitor.sign_in(BOB)
    assert visitor.is_signed_in()
    visitor.go("/account/factors/exceptions/")
    page.locator("main form[action*='/exceptions/'] button").first.click()
    page.get_by_text("127.0.0.1").wait_for(state="detached")
    assert visitor.says("The exception was removed.")
    page.context.clear_cookies()
    visitor.sign_in(BOB)
    page.wait_for_url("**/login/code/")
    assert visitor.complaints == []


@with_and_without_javascript
def test_alice_cancels_a_mail_that_waits(visitor):
    for recipient in (BOB, CAROL):
        add_mail(recipient)
    visitor.sign_in(ALICE)
    page = visitor.go("/mails/?state=waiting")
    assert BOB in visitor.text and CAROL not in visitor.text
    assert visitor.cut() == []
    page.locator("main button[value=cancel]").click()
    page.locator("main button[value=cancel]").wait_for(state="detached")
    assert not OutgoingMail.objects.get(recipient=BOB).is_waiting
    assert OutgoingMail.objects.get(recipient=CAROL).is_waiting
    visitor.go("/mails/")
    assert visitor.says("Canceled by %(name)s.", name=ALICE)
    visitor.go("/mails/?q=nothing")
    assert visitor.says("No results match this filter.")
    page.locator("main .panel a[href='/mails/']").click()
    assert BOB in visitor.text
    assert visitor.cut() == []
    assert visitor.complaints == []
