"""Second factors in a browser: an authenticator app, and passkeys of a virtual device."""

import re

import pytest

from domains.models import Admin
from mailadmin.accounts.factors.models import Passkey, RoleFactorPolicy
from mailboxes.models import Mailbox
from tests.base import PASSWORD
from tests.browser.accounts import PEOPLE, SETTINGS, code_of
from tests.browser.test_pages import WIDTHS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.mariadb,
    pytest.mark.usefixtures("panel_url"),
]


def add_device(visitor, verifies_user=True, resident=True):
    """Give the browser an authenticator, as a laptop or a phone has it."""
    session = visitor.page.context.new_cdp_session(visitor.page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal" if verifies_user else "usb",
        "hasResidentKey": resident,
        "hasUserVerification": verifies_user,
        "isUserVerified": verifies_user,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session


def add_passkey(visitor):
    visitor.go("/account/factors/passkeys/add/")
    visitor.submit()
    visitor.page.wait_for_selector(".recovery-codes")


@pytest.mark.parametrize("visitor", SETTINGS, indirect=True)
@pytest.mark.parametrize("name", PEOPLE)
def test_an_authenticator_app_is_set_up_and_asked_for(visitor, name):
    visitor.sign_in(name)
    visitor.go("/account/")
    visitor.page.locator("main a[href='/account/factors/']").click()
    visitor.page.locator("main a[href='/account/factors/totp/']").click()
    secret = visitor.page.locator("code.user-select-all").inner_text()
    assert re.fullmatch("([A-Z2-7]{4} ){7}[A-Z2-7]{4}", secret)
    assert visitor.page.locator(".qr-code svg").bounding_box()["width"] > 150
    visitor.fill(code=code_of(secret))
    visitor.submit()
    codes = visitor.page.locator(".recovery-codes code").all_inner_texts()
    assert len(codes) == 10
    assert visitor.cut() == []
    visitor.page.locator("main .form-actions a.btn-primary").click()
    visitor.sign_out()
    visitor.sign_in(name)
    visitor.page.wait_for_url("**/login/code/")
    assert visitor.cut() == []
    visitor.fill(code=code_of(secret, 1))
    visitor.page.keyboard.press("Enter")
    assert visitor.is_signed_in()
    visitor.sign_out()
    visitor.sign_in(name)
    visitor.fill(code=codes[0])
    visitor.page.keyboard.press("Enter")
    assert visitor.is_signed_in()
    assert visitor.complaints == []


@pytest.mark.parametrize("visitor", SETTINGS, indirect=True)
@pytest.mark.parametrize("name", PEOPLE)
def test_a_passkey_is_the_only_step(visitor, name):
    device = add_device(visitor)
    visitor.sign_in(name)
    visitor.is_signed_in()
    add_passkey(visitor)
    assert visitor.page.locator(".recovery-codes code").count() == 10
    visitor.go("/account/factors/")
    assert visitor.cut() == []
    visitor.sign_out()
    assert visitor.is_signed_in(), "the browser offers the passkey in the field, and it was taken"
    device.send("WebAuthn.disable")
    assert Passkey.objects.get().last_used is not None


def test_the_button_signs_in_with_a_passkey(visitor):
    device = add_device(visitor)
    visitor.sign_in("bob@example.org")
    visitor.is_signed_in()
    add_passkey(visitor)
    # A browser that offers no passkeys in fields has the button alone.
    visitor.page.add_init_script(
        "PublicKeyCredential.isConditionalMediationAvailable = async () => false"
    )
    visitor.go("/account/")
    visitor.sign_out()
    visitor.page.get_by_role("button", name="Sign in with a passkey").click()
    assert visitor.is_signed_in()
    device.send("WebAuthn.disable")


def test_a_device_without_user_verification_is_a_second_factor(visitor):
    add_device(visitor, verifies_user=False, resident=False)
    visitor.sign_in("bob@example.org")
    visitor.is_signed_in()
    add_passkey(visitor)
    visitor.go("/account/")
    visitor.sign_out()
    visitor.page.get_by_role("button", name="Sign in with a passkey").click()
    visitor.page.get_by_text("No passkey was used.").wait_for()
    visitor.sign_in("bob@example.org")
    visitor.page.get_by_role("button", name="Use a passkey").click()
    assert visitor.is_signed_in()


def test_a_passkey_confirms_a_dangerous_step(visitor, monkeypatch):
    add_device(visitor)
    visitor.sign_in("bob@example.org")
    visitor.is_signed_in()
    add_passkey(visitor)
    monkeypatch.setattr("mailadmin.accounts.proof.PROOF_SECONDS", -1)
    visitor.go("/account/factors/totp/")
    visitor.page.wait_for_url("**/account/confirm/**")
    assert visitor.cut() == []
    monkeypatch.undo()
    visitor.page.get_by_role("button", name="Use a passkey").click()
    visitor.page.wait_for_url("**/account/factors/totp/")


@pytest.mark.parametrize("visitor", [{"java_script_enabled": False}], indirect=True)
def test_without_javascript_an_app_and_codes_work(visitor):
    RoleFactorPolicy.objects.create(role="MAILBOX", level="required")
    visitor.sign_in("bob@example.org")
    visitor.go("/")
    assert visitor.page.url.endswith("/account/factors/")
    assert "Your account needs a second factor." in visitor.text
    visitor.page.locator("main a[href='/account/factors/totp/']").click()
    secret = visitor.page.locator("code.user-select-all").inner_text()
    visitor.fill(code=code_of(secret))
    visitor.submit()
    assert visitor.page.locator(".recovery-codes code").count() == 10
    visitor.go("/login/")
    visitor.go("/")
    assert not visitor.page.url.endswith("/account/factors/")


@pytest.mark.parametrize("visitor", [{"viewport": size} for size in WIDTHS.values()], indirect=True)
def test_a_reset_by_an_admin(visitor):
    Mailbox.objects.filter(pk="bob@example.org").update(totp_secret="A" * 32)
    visitor.sign_in("alice@example.org")
    visitor.go("/mailboxes/bob@example.org/")
    visitor.page.get_by_text("Reset…").click()
    visitor.page.get_by_role("button", name="Reset two-factor authentication").click()
    visitor.page.get_by_text("was reset.").wait_for()
    assert Mailbox.objects.get(pk="bob@example.org").totp_secret is None
    assert visitor.cut() == []


def test_ones_own_password_is_asked_for_in_a_form(visitor, monkeypatch):
    monkeypatch.setattr("mailadmin.accounts.proof.PROOF_SECONDS", -1)
    visitor.sign_in("root@example.net")
    visitor.go("/admins/alice@example.org/edit/")
    visitor.fill(superadmin=True)
    visitor.submit()
    assert "Enter your own password to change this." in visitor.text
    visitor.fill(own_password=PASSWORD)
    visitor.submit()
    visitor.page.wait_for_url("**/admins/**")
    assert Admin.objects.get(pk="alice@example.org").superadmin
