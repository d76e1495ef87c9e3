"""App passwords in a browser: created, limited and revoked, by their owner and by an admin."""

import time

import pytest

from mailboxes.models import AppPassword
from mailboxes.services.app_password_hashes import hash_app_password
from tests.browser.accounts import PEOPLE, SETTINGS, WITHOUT_JAVASCRIPT

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.usefixtures("panel_url")]
_ROOT, ALICE, BOB = PEOPLE
OWN, OF_BOB = "/account/app-passwords/", f"/mailboxes/{BOB}/app-passwords/"
IDS = ["wide, English", "phone, German", "phone, without JavaScript"]
ALL_SETTINGS = [*SETTINGS, WITHOUT_JAVASCRIPT]


@pytest.mark.parametrize("visitor", ALL_SETTINGS, indirect=True, ids=IDS)
@pytest.mark.parametrize(("name", "path"), [(BOB, OWN), (ALICE, OF_BOB)])
def test_one_is_created_limited_and_revoked(visitor, name, path):
    visitor.sign_in(name)
    page = visitor.go(path)
    visitor.fill(description="Phone", networks="office")
    page.uncheck("main [name=protocols][value=pop3]")
    page.click("main form:has([name=description]) .form-actions button")
    assert page.locator(".invalid-feedback").is_visible() and not AppPassword.objects.exists()
    assert visitor.cut() == []
    visitor.fill(networks="192.0.2.0/24")
    page.click("main form:has([name=description]) .form-actions button")
    row = AppPassword.objects.get(description="Phone")
    assert row.password_hash == hash_app_password(page.inner_text("#new-app-password"))
    assert (row.limits.pop3, row.limits.networks) == (False, "192.0.2.0/24")
    assert visitor.cut() == []
    page.click(f"main a[href='{path}{row.pk}/']")
    page.uncheck("main [name=protocols][value=sieve]")
    visitor.submit()
    assert visitor.says("The app password was saved.")
    row.limits.refresh_from_db()
    assert not row.limits.sieve
    page.click("main summary[aria-label*=Phone]")
    page.click(f"form[action='{path}{row.pk}/revoke/'] button")
    assert visitor.says("The app password “%(name)s” was revoked.", name="Phone")
    assert not AppPassword.objects.exists()


@pytest.mark.parametrize("visitor", SETTINGS, indirect=True, ids=IDS[:2])
def test_a_second_click_creates_no_second_one(visitor):
    visitor.sign_in(BOB)
    page = visitor.go(OWN)
    visitor.fill(description="Phone")
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.post_data else None)
    button = page.locator("main form:has([name=description]) .form-actions button")
    page.route(f"**{OWN}", lambda route: (time.sleep(0.5), route.continue_()))
    button.evaluate("(button) => { button.click(); setTimeout(() => button.click(), 100); }")
    page.wait_for_selector("#new-app-password")
    assert len(sent) == 1 and AppPassword.objects.count() == 1
