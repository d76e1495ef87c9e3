"""Every page in three languages: no overflow, no violation for axe."""

import re
from pathlib import Path

import pytest
from django.utils import timezone

from domains.models import Domain
from domains.services.dkim import create_dkim_keys, create_dkim_signings
from domains.services.transports import create_transports
from mailadmin import passwords, registry
from mailadmin.changes.perform import Actor, perform
from mailadmin.hooks.models import HookDelivery
from mailadmin.mails.models import OutgoingMail
from mailboxes.models import Broadcast, Fetchmail, LeftoverMaildir, Mailbox, MaildirRun, Plan
from mailboxes.services.aliases import create_aliases
from mailboxes.services.app_passwords import create_app_passwords
from mailboxes.services.domains import create_domains
from mailboxes.services.fetchmail import create_fetchmail_entries
from mailboxes.services.mailboxes import create_mailboxes
from mailboxes.services.sender_permissions import create_sender_permissions
from mailboxes.services.vacations import set_vacation
from mailboxes.transfer.plan import workflow
from tests.base import PASSWORD
from tests.mailadmin.mails.queued import add_mail, queued

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.mariadb]


AXE = next(Path(__file__).parent.parent.glob("vendor/axe-core-*/axe.min.js"))
LONG_DOMAIN = "a-very-long-name-that-somebody-registered-in-haste-and-kept.example.org"
LONG_NAME = "thelongestlocalpartwithoutanybreakthatanybodyhaseverseen"

PUBLIC_PAGES = [
    *("/login/", "/login/forgot/", "/login/forgot/sent/", "/login/recover/"),
    "/login/device/",
]
PAGES = {
    "root@example.net": [
        "/",
        "/domains/",
        "/domains/?q=nothing-like-it",
        "/domains/create/",
        f"/domains/{LONG_DOMAIN}/",
        f"/domains/{LONG_DOMAIN}/dns/",
        f"/domains/{LONG_DOMAIN}/edit/",
        f"/domains/{LONG_DOMAIN}/delete/",
        "/alias-domains/",
        "/alias-domains/create/",
        "/mailboxes/",
        f"/mailboxes/create/?domain={LONG_DOMAIN}",
        f"/mailboxes/{LONG_NAME}@{LONG_DOMAIN}/edit/",
        f"/mailboxes/{LONG_NAME}@{LONG_DOMAIN}/delete/",
        f"/mailboxes/{LONG_NAME}@{LONG_DOMAIN}/",
        f"/mailboxes/{LONG_NAME}@{LONG_DOMAIN}/ready/",
        f"/mailboxes/?domain={LONG_DOMAIN}",
        f"/mailboxes/{LONG_NAME}@{LONG_DOMAIN}/vacation/",
        f"/mailboxes/{LONG_NAME}@{LONG_DOMAIN}/forwarding/",
        f"/mailboxes/{LONG_NAME}@{LONG_DOMAIN}/app-passwords/",
        f"/mailboxes/{LONG_NAME}@{LONG_DOMAIN}/device-links/",
        "/aliases/",
        "/aliases/create/",
        f"/aliases/list@{LONG_DOMAIN}/",
        f"/aliases/list@{LONG_DOMAIN}/edit/",
        "/admins/",
        "/admins/create/",
        "/admins/alice@example.org/",
        "/admins/alice@example.org/edit/",
        "/log/",
        "/search/?q=long",
        "/search/?q=nothing-like-it",
        "/explain/",
        f"/explain/?address=list%2Bx@{LONG_DOMAIN}&sender={LONG_NAME}@{LONG_DOMAIN}",
        f"/explain/?address=nobody@{LONG_DOMAIN}",
        "/explain/?address=garbage",
        "/mailserver/",
        "/mailserver/?hostname=mail.test&mail_directory=/var/vmail&mail_user=vmail"
        "&delivery=lmtp&dovecot_version=2.4&proxied=on",
        f"/mailboxes/{LONG_NAME}@{LONG_DOMAIN}/seen/",
        "/transports/",
        "/transports/create/",
        "/sender-permissions/",
        f"/sender-permissions/?domain={LONG_DOMAIN}",
        f"/sender-permissions/create/?address=list@{LONG_DOMAIN}",
        "/sender-permissions/latest/edit/",
        "/sender-permissions/latest/delete/",
        "/vacations/",
        "/vacations/create/",
        f"/vacations/{LONG_NAME}@{LONG_DOMAIN}/edit/",
        f"/vacations/{LONG_NAME}@{LONG_DOMAIN}/delete/",
        "/fetchmail/",
        "/fetchmail/create/",
        "/fetchmail/latest/edit/",
        "/fetchmail/latest/delete/",
        "/maildirs/",
        "/dkim-keys/",
        "/dkim-keys/create/",
        "/dkim-keys/latest/edit/",
        "/dkim-keys/latest/delete/",
        "/dkim-signings/",
        "/dkim-signings/create/",
        "/dkim-signings/latest/edit/",
        "/app-passwords/",
        "/app-passwords/latest/",
        "/app-passwords/latest/delete/",
        f"/mailboxes/{LONG_NAME}@{LONG_DOMAIN}/app-passwords/",
        "/integrity/",
        "/integrity/alias-target-missing/",
        "/import/",
        "/import/latest/",
        "/export/",
        "/jobs/",
        "/mails/",
        "/deliveries/",
        "/backup/",
        "/broadcasts/",
        "/broadcasts/create/",
        "/broadcasts/latest/",
        "/mails/?state=sent&q=nothing-like-it",
        "/passwords/",
        "/second-factors/",
        "/second-factors/?people=admins",
        "/second-factors/levels/",
        "/totp-exceptions/",
        "/totp-exceptions/create/",
        "/account/",
        "/account/tokens/",
        "/account/api/",
        "/account/password/",
        "/nothing/",
    ],
    "bob@example.org": [
        "/",
        "/account/forwarding/",
        "/account/vacation/",
        "/account/app-passwords/",
        "/account/device/",
        "/account/device/links/",
        "/account/recovery-address/",
        "/account/sessions/",
        "/account/factors/",
        "/account/factors/totp/",
        "/account/factors/exceptions/",
        "/account/app-passwords/",
        "/domains/",
    ],
}
EXPECTED_STATUS = re.compile("status of (403|404|410)")
BETWEEN = [{"width": width, "height": 800} for width in (800, 1024, 1160)]
WIDTHS = {"wide": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture
def long_names(world, tmp_path, settings):
    settings.MAILADMIN_MAIL_HOST = "mail.{domain}"
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
    long_name = f"{LONG_NAME}@{LONG_DOMAIN}"
    rows = [(f"list@{LONG_DOMAIN}", long_name), (f"{LONG_NAME}-2@{LONG_DOMAIN}", long_name)]
    perform(
        console,
        create_sender_permissions,
        [{"address": address, "mailbox": Mailbox(pk=login)} for address, login in rows],
    )
    limits = {"networks": ",".join(f"2001:db8:{n:x}::/48" for n in range(20)), "pop3": False}
    row = {"description": "d" * 100, "limits": limits, "text": "abcd-4711"}
    app_passwords = [row | {"mailbox": key} for key in ("bob@example.org", long_name)]
    perform(console, create_app_passwords, app_passwords, False)
    outgoing_of_long_names(long_name)
    maildirs_of_long_names(long_name)
    plan_of_long_names(tmp_path / f"{LONG_NAME}.csv")
    mails_to_long_names()
    text = {"subject": "s" * 250, "text": "t" * 400, "domains": [LONG_DOMAIN]}
    Broadcast.objects.create(owner=f"{long_name} (192.0.2.7)", total=12345, **text)
    for state in HookDelivery.State:
        HookDelivery.objects.create(
            event="mailbox.changed",
            key=long_name,
            target=f"https://{LONG_DOMAIN}/{'x' * 150}",
            body="{}",
            state=state,
            attempts=3,
            code=500,
            output="x" * 400,
        )


def outgoing_of_long_names(mailbox):
    """An entry of fetchmail, a DKIM key and what it signs for, a vacation reply."""
    console, result = Actor.console(), "x" * 400
    entry = {"src_server": f"imap.{LONG_DOMAIN}", "src_user": mailbox, "src_password": "x"}
    row = entry | {"mailbox": Mailbox.objects.get(pk=mailbox), "protocol": "IMAP", "active": True}
    [made] = perform(console, create_fetchmail_entries, [row])
    Fetchmail.objects.filter(pk=made.pk).update(returned_text=result)
    key = {"domain_name_id": LONG_DOMAIN, "selector": "s" * 63, "description": "d" * 250}
    perform(console, create_dkim_keys, [key])
    signings = [{"author": author, "selector": "s" * 63} for author in (LONG_DOMAIN, mailbox)]
    perform(console, create_dkim_signings, signings)
    reply = {"active": True, "subject": "s" * 250, "body": "b" * 500}
    perform(console, set_vacation, mailbox, reply | {"activeuntil": timezone.now()})


def maildirs_of_long_names(mailbox):
    """A leftover maildir in each state, and a run that failed."""
    for state in LeftoverMaildir.State:
        LeftoverMaildir.objects.create(
            path=f"{LONG_DOMAIN}/" + "l" * 250,
            mailbox=mailbox,
            domain_name=LONG_DOMAIN,
            state=state,
            kept=True,
            last_mail=timezone.now(),
            problem="x" * 400,
        )
    MaildirRun.objects.create(
        storage="s" * 64, host="h" * 64, error="x" * 400, finished=timezone.now()
    )


def mails_to_long_names():
    """Mails in each state, with errors as servers write them."""
    for _state in OutgoingMail.State:
        add_mail(f"{LONG_NAME}@{LONG_DOMAIN}")
    for mail, state in zip(queued(), OutgoingMail.State, strict=True):
        error = f"550 5.1.1 <{LONG_NAME}@{LONG_DOMAIN}>: Recipient address rejected"
        mails = OutgoingMail.objects.filter(pk=mail.pk)
        mails.update(state=state, error=error, attempts=3)


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
    for path in PUBLIC_PAGES:
        visitor.go(path)
        yield path
    for person, pages in PAGES.items():
        visitor.page.context.clear_cookies()
        visitor.sign_in(person)
        for path in pages:
            if "latest" in path:
                name = path.split("/")[1]
                table = registry.tables.get(name)
                model = table.model if table else {"broadcasts": Broadcast}.get(name, Plan)
                path = path.replace("latest", str(model.objects.latest("pk").pk))
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
    assert [text for text in visitor.complaints if not EXPECTED_STATUS.search(text)] == []


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
def test_axe_finds_no_violation(visitor, long_names):
    found = {path: violations(visitor.page) for path in visits(visitor)}
    assert {path: problems for path, problems in found.items() if problems} == {}


def violations(page):
    page.add_script_tag(path=AXE)
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        (violation["id"], violation["nodes"][0]["html"][:200]) for violation in result["violations"]
    ]


@pytest.mark.parametrize(
    ("visitor", "rows"),
    [({"viewport": WIDTHS["wide"]}, 15), ({"viewport": WIDTHS["phone"]}, 4)],
    indirect=["visitor"],
    ids=["wide", "phone"],
)
def test_enough_rows_of_a_list_are_in_view(visitor, rows):
    domain = Domain.objects.get(pk="example.org")
    stored = passwords.make_hash(PASSWORD)
    new = [
        {"local_part": f"somebody.{n:02}", "domain": domain, "password": stored, "quota": 1}
        for n in range(30)
    ]
    perform(Actor.console(), create_mailboxes, new)
    visitor.sign_in("root@example.net")
    visitor.go("/mailboxes/")
    bottoms = visitor.page.evaluate(
        """() => [...document.querySelectorAll(".list tbody tr")]
            .map((row) => row.getBoundingClientRect().bottom)"""
    )
    height = visitor.page.viewport_size["height"]
    assert len([bottom for bottom in bottoms if bottom <= height]) >= rows


def test_right_to_left_pages_are_not_clipped(visitor, long_names):
    """As in Arabic or Hebrew: the same pages with the direction turned."""
    visitor.page.add_init_script(
        """document.addEventListener("DOMContentLoaded",
            () => { document.documentElement.dir = "rtl"; })"""
    )
    cut = {path: found for path in visits(visitor) if (found := visitor.cut())}
    assert cut == {}


@pytest.mark.parametrize(
    "visitor", [{"viewport": {"width": 360, "height": 740}}], indirect=True, ids=["360"]
)
def test_no_page_is_clipped_on_a_small_phone(visitor, long_names):
    cut = {path: found for path in visits(visitor) if (found := visitor.cut())}
    assert cut == {}
