"""Signing in at a provider and out again, in Chromium: with the panel's policies for pages."""

import os

import pytest

from mailadmin.accounts.oidc.documents import forget_documents
from tests.mailadmin.single_sign_on import SingleSignOn
from tests.openid_provider import running_provider

pytestmark = pytest.mark.browser


@pytest.fixture
def provider(live_server, settings):
    with running_provider(live_server.url) as provider:
        wanted = SingleSignOn.get_settings(provider) | {"MAILADMIN_URL": live_server.url}
        for name, value in wanted.items():
            setattr(settings, name, value)
        forget_documents()
        yield provider
    forget_documents()


def take_picture(visitor, name):
    if folder := os.environ.get("PICTURES"):
        visitor.page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.parametrize(
    "visitor",
    [
        {"java_script_enabled": True},
        {"java_script_enabled": False, "viewport": {"width": 390, "height": 800}},
    ],
    indirect=True,
    ids=["with JavaScript", "without JavaScript, narrow"],
)
def test_somebody_signs_in_and_out(provider, visitor):
    width = visitor.page.viewport_size["width"]
    provider.sign_in_as("bob@example.org")
    visitor.go("/account/")
    take_picture(visitor, f"login-{width}")
    visitor.page.get_by_role("link", name="Sign in with Example").press("Enter")
    visitor.page.wait_for_url("**/account/")
    assert "bob@example.org" in visitor.text

    visitor.go("/account/confirm/?next=/account/sessions/")
    take_picture(visitor, f"confirm-{width}")
    visitor.page.get_by_role("link", name="Sign in with Example").click()
    visitor.page.wait_for_url("**/account/sessions/")

    visitor.page.click(".topend summary")
    visitor.page.click("form[action='/logout/'] button")
    visitor.page.wait_for_url("**/login/")
    assert any("/session?id_token_hint=" in url for url in visitor.foreign_requests)
    provider.is_down = True
    forget_documents()
    visitor.page.get_by_role("link", name="Sign in with Example").click()
    assert "cannot be used now" in visitor.text
    take_picture(visitor, f"refused-{width}")
    provider.is_down = False
    assert all(url.startswith(provider.issuer) for url in visitor.foreign_requests)
    visitor.foreign_requests.clear()
    assert "{#" not in visitor.text
    assert [text for text in visitor.complaints if "503" not in text] == []
