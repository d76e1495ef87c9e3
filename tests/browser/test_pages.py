"""Every page in three languages: no overflow, no violation for axe, usable by keyboard."""

from pathlib import Path

import pytest

from domains.models import Domain
from domains.services.transports import create_transports
from mailadmin import passwords
from mailadmin.changes.perform import Actor, perform
from mailboxes.models import Mailbox, Plan
from mailboxes.services.aliases import create_aliases
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import create_mailboxes
from mailboxes.transfer.plan import workflow
from tests.base import PASSWORD

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.mariadb]
AXE = next(Path(__file__).parent.parent.glob("vendor/axe-core-*/axe.min.js"))
LONG_DOMAIN = "a-very-long-name-that-somebody-registered-in-haste-and-kept.example.org"
LONG_NAME = "thelongestlocalpartwithoutanybreakthatanybodyhaseverseen"

PAGES = {
    "root@example.net": [
        "/",
        "/domains/",
        "/domains/?q=nothing-like-it",
        "/domains/create/",
        f"/domains/{LONG_DOMAIN}/",
        f"/domains/{LONG_DOMAIN}/edit/",
        f"/domains/{LONG_DOMAIN}/delete/",
        "/alias-domains/",
        "/alias-domains/create/",
        "/mailboxes/",
        f"/mailboxes/create/?domain={LONG_DOMAIN}",
        f"/mailboxes/{LONG_NAME}@{LONG_DOMAIN}/edit/",
        f"/mailboxes/{LONG_NAME}@{LONG_DOMAIN}/delete/",
        f"/mailboxes/{LONG_NAME}@{LONG_DOMAIN}/vacation/",
        f"/mailboxes/{LONG_NAME}@{LONG_DOMAIN}/forwarding/",
        "/aliases/",
        "/aliases/create/",
        "/admins/",
        "/admins/create/",
        "/admins/alice@example.org/edit/",
        "/log/",
        "/search/?q=long",
        "/search/?q=nothing-like-it",
        "/explain/",
        f"/explain/?address=list%2Bx@{LONG_DOMAIN}&sender={LONG_NAME}@{LONG_DOMAIN}",
        "/explain/?address=garbage",
        "/mailserver/",
        "/mailserver/?hostname=mail.test&mail_directory=/var/vmail&mail_user=vmail"
        "&delivery=lmtp&dovecot_version=2.4&proxied=on",
        f"/mailboxes/{LONG_NAME}@{LONG_DOMAIN}/seen/",
        "/transports/",
        "/transports/create/",
        "/import/",
        "/import/latest/",
        "/export/",
        "/jobs/",
        "/account/",
        "/account/tokens/",
        "/account/api/",
        "/account/password/",
        "/nothing/",
    ],
    "bob@example.org": ["/", "/account/forwarding/", "/account/vacation/", "/domains/"],
}
BETWEEN = [{"width": width, "height": 800} for width in (800, 1024, 1160)]
WIDTHS = {"wide": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture
def long_names(world, tmp_path):
    console = Actor.console()
    row = {"domain": LONG_DOMAIN, "description": "d" * 250, "quota": 1000}
    perform(console, create_domains, [row | {"default_aliases": False}])
    domain = Domain.objects.get(pk=LONG_DOMAIN)
    stored = passwords.make_hash(PASSWORD)
    mailbox = {"local_part": LONG_NAME, "domain": domain, "password": stored, "quota": 100}
    perform(console, create_mailboxes, [mailbox | {"name": "N" * 120}])
    targets = [f"{LONG_NAME}{n}@{LONG_DOMAIN}" for n in range(5)]
    perform(console, create_aliases, [{"local_part": "list", "domain": domain, "goto": targets}])
    way = {"pattern": f".{LONG_DOMAIN}", "transport": f"smtp:[{LONG_DOMAIN}]:2525"}
    perform(console, create_transports, [way | {"description": "d" * 250}])
    plan_of_long_names(tmp_path / f"{LONG_NAME}.csv")


def plan_of_long_names(path):
    """New, changed and refused rows, each as long as they come, and a loss."""
    names = [
        f"{LONG_NAME}@{LONG_DOMAIN}",
        f"new.{LONG_NAME}@{LONG_DOMAIN}",
        f"{LONG_NAME}@nowhere.example",
    ]
    path.write_text("username,name\n" + "".join(f"{name},{'N' * 200}\n" for name in names))
    plan = perform(Actor.console(), workflow.create_plan, "csv", path.name, {})
    workflow.read_in_foreground(Actor.console(), plan, str(path))


def visits(visitor):
    for person, pages in PAGES.items():
        visitor.page.context.clear_cookies()
        visitor.sign_in(person)
        for path in pages:
            if "latest" in path:
                path = path.replace("latest", str(Plan.objects.latest("pk").pk))
            visitor.go(path)
            yield path


@pytest.mark.parametrize(
    "visitor",
    [
        {"viewport": viewport, "locale": locale}
        for viewport in WIDTHS.values()
        for locale in ("en-GB", "de-DE", "ru-RU")
    ],
    indirect=True,
    ids=[f"{width}-{locale}" for width in WIDTHS for locale in ("en", "de", "ru")],
)
def test_no_page_is_clipped_or_logs_an_error(visitor, long_names):
    cut = {path: found for path in visits(visitor) if (found := visitor.cut())}
    assert cut == {}
    complaints = [text for text in visitor.complaints if "404" not in text and "403" not in text]
    assert complaints == []


@pytest.mark.parametrize(
    "visitor",
    [{"viewport": viewport, "locale": "ru-RU"} for viewport in BETWEEN],
    indirect=True,
    ids=[str(viewport["width"]) for viewport in BETWEEN],
)
def test_no_page_is_clipped_at_any_width(visitor, long_names):
    lists = ["/", "/domains/", "/mailboxes/", "/aliases/", "/admins/", "/alias-domains/", "/log/"]
    visitor.sign_in("root@example.net")
    cut = {}
    for path in lists:
        visitor.go(path)
        cut[path] = visitor.cut()
    assert {path: found for path, found in cut.items() if found} == {}


@pytest.mark.parametrize(
    "visitor",
    [
        {"viewport": WIDTHS["wide"], "color_scheme": "light", "bypass_csp": True},
        {"viewport": WIDTHS["phone"], "color_scheme": "dark", "bypass_csp": True},
    ],
    indirect=True,
    ids=["light", "dark"],
)
def test_axe_finds_no_serious_violation(visitor, long_names):
    found = {}
    visitor.go("/login/")
    found["/login/"] = serious(visitor.page)
    for path in visits(visitor):
        found[path] = serious(visitor.page)
    assert {path: problems for path, problems in found.items() if problems} == {}


def serious(page):
    page.add_script_tag(path=AXE)
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        (violation["id"], violation["nodes"][0]["html"][:200])
        for violation in result["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


def test_a_mailbox_is_created_with_the_keyboard_alone(visitor):
    page = visitor.page
    visitor.go("/login/")
    page.keyboard.type("alice@example.org")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("navigation", name="Main menu").wait_for()
    visitor.go("/mailboxes/create/")
    fields = {"local_part": "keys", "password": PASSWORD, "password2": PASSWORD, "quota": "5"}
    for _stop in range(60):
        page.keyboard.press("Tab")
        name = page.evaluate("document.activeElement.name || document.activeElement.textContent")
        if name in fields:
            page.keyboard.type(fields[name])
        if name.strip() == "Create":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/mailboxes/?domain=example.org")
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


def test_a_refused_toggle_shows_the_reason(visitor):
    visitor.sign_in("root@example.net")
    visitor.go("/admins/?q=root")
    visitor.page.get_by_role("switch").first.click()
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
    visitor.submit("Save")
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
    visitor.page.focus("#language")
    visitor.page.keyboard.press("ArrowDown")
    visitor.page.keyboard.press("ArrowDown")
    assert visitor.page.get_attribute("html", "lang") == "en"
    visitor.page.keyboard.press("Enter")
    visitor.page.locator("html[lang=ru]").wait_for()


def test_light_and_dark_are_remembered(visitor):
    visitor.sign_in("root@example.net")
    before = visitor.page.get_attribute("html", "data-bs-theme")
    visitor.page.click("#theme-toggle")
    visitor.go("/domains/")
    assert visitor.page.get_attribute("html", "data-bs-theme") != before
