"""A day's work in the browser: superadmin, domain admin and mailbox owner."""

import os

import pytest

from domains.models import AliasDomain, Domain
from mailadmin.changes.models import Log
from mailboxes.models import Alias, Mailbox, Vacation
from tests.base import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.mariadb]
NEW = "fresh-Pass-2026"


def password(value=PASSWORD):
    return {"password": value, "password2": value}


@pytest.mark.parametrize(
    "visitor",
    [{"java_script_enabled": True}, {"java_script_enabled": False}],
    indirect=True,
    ids=["with JavaScript", "without JavaScript"],
)
def test_a_day_of_work(visitor):
    superadmin_sets_up_a_domain(visitor)
    domain_admin_works(visitor)
    owner_changes_their_own_settings(visitor)
    the_log_shows_all_changes(visitor)
    assert visitor.complaints == []


def superadmin_sets_up_a_domain(visitor):
    visitor.sign_in("root@example.net")
    for name in ("bakery.example", "baker.example"):
        visitor.go("/domains/")
        visitor.page.get_by_role("link", name="New domain").first.click()
        visitor.fill(domain=name, description="Bread", mailboxes="5", aliases="20", quota="500")
        visitor.fill(maxquota="200")
        visitor.submit("Create")
        assert f"{name} was created" in visitor.text
    add_mailbox(visitor, "eve", "bakery.example")
    add_mailbox(visitor, "finn", "bakery.example")
    visitor.go("/aliases/create/?domain=bakery.example")
    visitor.fill(local_part="orders", goto="eve@bakery.example\nfinn@bakery.example")
    visitor.submit("Create")
    visitor.go("/aliases/create/?domain=bakery.example")
    visitor.fill(catch_all=True, goto="eve@bakery.example")
    visitor.submit("Create")
    assert Alias.objects.get(pk="@bakery.example").goto == "eve@bakery.example"
    visitor.go("/alias-domains/create/")
    visitor.fill(alias_domain="baker.example", target_domain="bakery.example")
    visitor.submit("Create")
    assert AliasDomain.objects.get().target_domain_id == "bakery.example"
    add_admin(visitor)
    if visitor.has_javascript:
        take_picture(visitor)
    visitor.sign_out()


def add_mailbox(visitor, local_part, domain):
    visitor.go(f"/mailboxes/create/?domain={domain}")
    visitor.fill(local_part=local_part, name=local_part.title(), quota="100", welcome_mail=False)
    visitor.fill(**password())
    visitor.submit("Create")
    assert f"{local_part}@{domain} is ready" in visitor.text
    if visitor.has_javascript:
        assert PASSWORD in visitor.page.inner_text("[data-handover]")
        visitor.go("/mailboxes/")
        visitor.page.go_back()
        assert PASSWORD not in visitor.page.inner_text("[data-handover]")


def add_admin(visitor):
    visitor.go("/admins/create/")
    visitor.fill(username="boss@bakery.example", **password())
    picker = visitor.page.locator(".picker input")
    if picker.count():
        picker.fill("bakery.example")
        picker.press("Enter")
    else:
        visitor.fill(domains="bakery.example")
    visitor.submit("Create")
    assert "boss@bakery.example was created" in visitor.text


def take_picture(visitor):
    """Take the README's screenshot if requested."""
    if target := os.environ.get("TAKE_SCREENSHOT"):
        visitor.go("/domains/bakery.example/")
        visitor.page.screenshot(path=target)


def domain_admin_works(visitor):
    visitor.sign_in("boss@bakery.example")
    visitor.go("/domains/")
    assert "bakery.example" in visitor.text
    assert "example.org" not in visitor.text
    assert visitor.page.get_by_role("link", name="New domain").count() == 0
    add_mailbox(visitor, "gina", "bakery.example")
    visitor.go("/mailboxes/?q=finn")
    deactivate(visitor, "finn@bakery.example")
    assert not Mailbox.objects.get(pk="finn@bakery.example").active
    visitor.go("/mailboxes/?q=finn")
    visitor.page.check("input[name=keys]")
    visitor.submit("Delete…")
    assert "orders@bakery.example" in visitor.text
    visitor.submit("Delete 1 mailbox")
    assert not Mailbox.objects.filter(pk="finn@bakery.example").exists()
    visitor.go("/search/?q=gina")
    assert "gina@bakery.example" in visitor.text
    visitor.sign_out()


def deactivate(visitor, address):
    """Use the menu of the row; without JavaScript it is a link to the page with the actions."""
    visitor.page.get_by_label(f"Actions for {address}").click()
    if not visitor.has_javascript:
        visitor.page.locator("details.popmenu > summary", has_text="⋯").click()
    visitor.page.locator(".rowmenu-list, main .pop").get_by_text("Deactivate", exact=True).click()
    visitor.page.get_by_text(f"{address} was deactivated").wait_for()


def owner_changes_their_own_settings(visitor):
    visitor.sign_in("eve@bakery.example")
    visitor.go("/account/password/")
    visitor.fill(old_password=PASSWORD, **password(NEW))
    visitor.submit("Change password")
    assert "Your password was changed" in visitor.text
    visitor.go("/account/vacation/")
    visitor.fill(active=True, subject="Gone fishing", body="Back on Monday.")
    visitor.submit("Save changes")
    assert "The vacation reply was saved" in visitor.text
    assert Vacation.objects.get(pk="eve@bakery.example").active
    visitor.sign_out()
    visitor.sign_in("eve@bakery.example", NEW)
    assert "You are away:" in visitor.text
    visitor.sign_out()


def the_log_shows_all_changes(visitor):
    visitor.sign_in("root@example.net")
    visitor.go("/log/?domain=bakery.example")
    for text in (
        "domain created",
        "mailbox created",
        "mailbox deleted",
        "vacation reply changed",
        "password changed",
    ):
        assert text in visitor.text
    visitor.page.locator("details.changed summary").first.click()
    assert Log.objects.filter(username__startswith="boss@bakery.example").exists()
    assert Domain.objects.filter(pk="bakery.example").exists()
