"""Integrity in a browser: a problem is found, its fix is shown, made, and listed no more."""

import pytest

from mailboxes.models import Alias
from tests.browser.accounts import PEOPLE, SETTINGS, WITHOUT_JAVASCRIPT
from tests.mailboxes.integrity_faults import FAULTS, make_faults

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.usefixtures("panel_url")]

ROOT, _ALICE, BOB = PEOPLE


def deactivate_alias():
    Alias.objects.filter(pk=BOB).update(active=False)


def fix_in_browser(visitor):
    visitor.sign_in(ROOT)
    page = visitor.go("/integrity/")
    page.locator("main table a[href='/integrity/mailbox-alias-active/']").click()
    page.locator("main a", has_text="bob").wait_for()
    page.locator("main [name=keys]").check()
    page.locator("main .form-actions .btn-primary").click()
    page.locator("main dl.changes ins").wait_for()
    assert not Alias.objects.get(pk=BOB).active
    return page


@pytest.mark.parametrize("visitor", SETTINGS, indirect=True, ids=["wide, English", "phone, German"])
def test_a_problem_is_fixed_after_its_preview(visitor):
    deactivate_alias()
    page = fix_in_browser(visitor)
    assert visitor.cut() == []
    page.locator("main .form-actions .btn-primary").click()
    page.wait_for_url("**/integrity/mailbox-alias-active/")
    page.locator("main .panel.empty").wait_for()
    assert Alias.objects.get(pk=BOB).active
    visitor.go("/integrity/")
    assert page.locator("main table").count() == 0
    assert visitor.complaints == []


@pytest.mark.parametrize("visitor", [WITHOUT_JAVASCRIPT], indirect=True, ids=["no JavaScript"])
def test_the_preview_can_be_canceled_without_javascript(visitor):
    deactivate_alias()
    page = fix_in_browser(visitor)
    page.locator("main .form-actions .btn-link").click()
    page.wait_for_url("**/integrity/mailbox-alias-active/")
    assert not Alias.objects.get(pk=BOB).active


@pytest.mark.parametrize("visitor", SETTINGS, indirect=True, ids=["wide, English", "phone, German"])
def test_no_page_with_problems_is_clipped(visitor):
    make_faults()
    visitor.sign_in(ROOT)
    cut = {}
    for path in ("/integrity/", *(f"/integrity/{name}/" for name in FAULTS)):
        page = visitor.go(path)
        cut[path] = visitor.cut()
        if page.locator("main [name=all]").count():
            page.locator("main [name=all]").click()
            page.locator("main dl.changes").first.wait_for()
            cut[f"{path} preview"] = visitor.cut()
    assert {path: found for path, found in cut.items() if found} == {}
    assert visitor.complaints == []
