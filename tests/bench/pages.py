"""Pages to measure. `{n}` counts up; the other placeholders are values of a database."""

from dataclasses import dataclass, field

from tests.bench.filling import BUSY, FEW, LARGEST, NOBODY, OWNER, PASSWORD, ROOT, TEN

ADMINS = (ROOT, TEN)


@dataclass(frozen=True)
class Page:
    """A request to the panel, and its user."""

    name: str
    path: str
    people: tuple = ADMINS
    method: str = "GET"
    body: dict = field(default_factory=dict)
    form: bool = False  # the other fields are those of the page's form, fetched beforehand
    status: int = 200
    busy: bool = False  # measured with four clients as well
    queries: int = 0  # allowed queries, if more than ten
    exempt: str = ""  # why it may cost more in a larger database
    headers: dict = field(default_factory=dict)


def create(name, path, people=ADMINS, /, **body):
    return Page(name, path, people, "POST", body, form=True, status=302)


def post(name, path, people=ADMINS, /, **body):
    return Page(name, path, people, "POST", body, status=302)


def api(name, path, people=ADMINS, /, method="GET", body=None, status=200, **more):
    """The same by the API, with a token."""
    return Page(
        f"API: {name}", f"/api/v1/{path}", people, method, body or {}, status=status, **more
    )


SUPER = (ROOT,)
IN_MYSQL = 11  # queries, one more than in MariaDB: for the keys of the domain's log lines
COUNTS_DOMAINS = "counts the domains of its admins, one of whom has a fifth of all"
COUNTS_MAILBOXES = "counts the mailboxes of a small installation; of a large one the worker does"
READS_WINDOWS = "reads all rows, window by window, as far as some seconds allow"
LOOKS_EVERYWHERE = "looks for a part of a word everywhere"
NEW_MAILBOX = {
    "local_part": "bench{n}",
    "password": PASSWORD,
    "password2": PASSWORD,
    "name": "Bench",
    "quota": "10",
    "active": "on",
    "smtp_active": "on",
}
PAGES = [
    Page("login, form", "/login/", (NOBODY,)),
    Page("home", "/", busy=True),
    Page("domains", "/domains/", busy=True),
    Page("domains, by state", "/domains/?active=1"),
    Page("domains, from the middle", "/domains/?after=moon"),
    Page("domain, largest", f"/domains/{LARGEST}/", busy=True, queries=IN_MYSQL),
    Page("domain, usual", "/domains/{usual}/", queries=IN_MYSQL),
    Page("domain, few rows", f"/domains/{FEW}/", queries=IN_MYSQL),
    Page("domain, DNS records", "/domains/{usual}/dns/"),
    Page("domain, form", f"/domains/{LARGEST}/edit/", SUPER),
    Page("new domain, form", "/domains/create/", SUPER),
    Page("domain, delete?", f"/domains/{LARGEST}/delete/", SUPER),
    Page("alias domains", "/alias-domains/"),
    Page("alias domains of a domain", "/alias-domains/?domain={mirrored}"),
    Page("alias domain, form", "/alias-domains/{mirror}/edit/", SUPER),
    Page("new alias domain, form", "/alias-domains/create/"),
    Page("mailboxes", "/mailboxes/", busy=True),
    Page("mailboxes, last page", "/mailboxes/?before=zzz"),
    Page("mailboxes, from the middle", "/mailboxes/?after=karl."),
    Page("mailboxes, inactive", "/mailboxes/?active=0"),
    Page("mailboxes, unused", "/mailboxes/?unused=90"),
    Page("mailboxes of the largest, unused", f"/mailboxes/?domain={LARGEST}&unused=90"),
    Page("mailboxes of the largest", f"/mailboxes/?domain={LARGEST}", busy=True),
    Page("mailboxes of the largest, middle", f"/mailboxes/?domain={LARGEST}&after=karl."),
    Page("mailboxes of the largest, inactive", f"/mailboxes/?domain={LARGEST}&active=0"),
    Page("mailboxes of a usual domain", "/mailboxes/?domain={usual}"),
    Page("mailboxes of the smallest", f"/mailboxes/?domain={FEW}"),
    Page("mailbox, form", "/mailboxes/{mailbox}/edit/", busy=True),
    Page("new mailbox, form", f"/mailboxes/create/?domain={LARGEST}"),
    Page("new mailbox, room", f"/mailboxes/room/?domain={LARGEST}"),
    Page("new alias, room", f"/aliases/room/?domain={LARGEST}"),
    Page("mailbox, delete?", "/mailboxes/{mailbox}/delete/"),
    Page("mailbox, vacation", "/mailboxes/{mailbox}/vacation/"),
    Page("mailbox, forwarding", "/mailboxes/{mailbox}/forwarding/"),
    Page("aliases", "/aliases/", busy=True),
    Page("aliases, from the middle", "/aliases/?after=karl."),
    Page("aliases, inactive", "/aliases/?active=0"),
    Page("aliases of the largest", f"/aliases/?domain={LARGEST}"),
    Page("aliases of a usual domain", "/aliases/?domain={usual}"),
    Page("aliases of the smallest", f"/aliases/?domain={FEW}"),
    Page("alias, form", f"/aliases/info@{FEW}/edit/"),
    Page("new alias, form", f"/aliases/create/?domain={LARGEST}"),
    Page("alias, delete?", f"/aliases/info@{FEW}/delete/"),
    Page("sender permissions", "/sender-permissions/"),
    Page("sender permissions of the largest", f"/sender-permissions/?domain={LARGEST}"),
    Page("new sender permission, form", "/sender-permissions/create/?mailbox={mailbox}"),
    Page("scripts and webhooks", "/deliveries/", SUPER),
    Page("backup", "/backup/", SUPER),
    Page("messages to users", "/broadcasts/"),
    Page("new message to users, form", "/broadcasts/create/"),
    Page("vacation replies", "/vacations/"),
    Page("vacation replies of the largest", f"/vacations/?domain={LARGEST}"),
    Page("new vacation reply, form", "/vacations/create/"),
    Page("fetchmail", "/fetchmail/"),
    Page("fetchmail of the largest", f"/fetchmail/?domain={LARGEST}"),
    Page("new fetchmail entry, form", "/fetchmail/create/"),
    Page("leftover maildirs", "/maildirs/", SUPER),
    Page("DKIM keys", "/dkim-keys/"),
    Page("new DKIM key, form", "/dkim-keys/create/"),
    Page("DKIM signings", "/dkim-signings/"),
    Page("new DKIM signing, form", "/dkim-signings/create/"),
    Page("senders of a mailbox", "/addresses/{mailbox}/senders/", queries=25),
    Page("pick a mailbox", "/mailboxes/pick/?mailbox=karl"),
    Page("transports", "/transports/", SUPER),
    Page("admins", "/admins/", SUPER),
    Page("admins of a domain", f"/admins/?domain={LARGEST}", SUPER, exempt=COUNTS_DOMAINS),
    Page("admin of many domains, form", "/admins/many@example.net/edit/", SUPER),
    Page("log", "/log/", busy=True),
    Page("log, from the middle", "/log/?after={line}"),
    Page("log of the largest", f"/log/?domain={LARGEST}"),
    Page("log of the smallest", f"/log/?domain={FEW}"),
    Page("log, by action", "/log/?action=edit_password"),
    Page("log, by an action that is rare", "/log/?action=delete_domain"),
    Page("log, by admin", "/log/?admin=admin0@example.net"),
    Page("log, by an admin who did nothing", "/log/?admin=nobody@example.net"),
    Page("log, of some days", "/log/?from={then}&until={later}"),
    Page("log of a domain, of some days", f"/log/?domain={LARGEST}&from={{then}}&until={{later}}"),
    Page("search, address", "/search/?q={mailbox}", exempt=LOOKS_EVERYWHERE),
    Page("search, beginning", "/search/?q=karl.*"),
    Page("search, common part", "/search/?q=smith", exempt=LOOKS_EVERYWHERE),
    Page("search, rare part", "/search/?q=ursula.sch", exempt=LOOKS_EVERYWHERE),
    Page("search, nothing", "/search/?q=qqqq", exempt=LOOKS_EVERYWHERE),
    Page("mailboxes, beginning", "/mailboxes/?q=karl.*", busy=True),
    Page("mailboxes, common part", "/mailboxes/?q=smith", exempt=LOOKS_EVERYWHERE),
    Page("mailboxes, rare part", "/mailboxes/?q=ursula.sch", exempt=LOOKS_EVERYWHERE),
    Page("mailboxes, nothing", "/mailboxes/?q=qqqq", exempt=LOOKS_EVERYWHERE),
    Page("mailboxes of the largest, nothing", f"/mailboxes/?domain={LARGEST}&q=qqqq",
         exempt=LOOKS_EVERYWHERE),
    Page("aliases, rare part", "/aliases/?q=karl.koch", exempt=LOOKS_EVERYWHERE),
    Page("aliases of the largest, nothing", f"/aliases/?domain={LARGEST}&q=qqqq"),
    Page("log, rare part", "/log/?q=karl.koch", exempt=LOOKS_EVERYWHERE),
    Page("pick a domain", "/domains/pick/?domain=ma"),
    Page("explain", "/explain/?address={mailbox}", queries=42),
    Page("integrity", "/integrity/", queries=700, exempt=READS_WINDOWS),
    Page("integrity of the smallest", f"/integrity/?domain={FEW}", queries=110,
         exempt=READS_WINDOWS),
    Page("integrity, mailboxes without alias", "/integrity/mailbox-alias-missing/",
         exempt=READS_WINDOWS),
    Page("integrity, alias loops", "/integrity/alias-loop/", queries=250, exempt=READS_WINDOWS),
    Page("import", "/import/"),
    Page("export", "/export/", SUPER),
    Page("jobs", "/jobs/"),
    Page("outgoing mail", "/mails/"),
    Page("mail server", "/mailserver/", SUPER),
    Page("account", "/account/"),
    Page("sessions", "/account/sessions/", (ROOT, OWNER)),
    Page("second factors", "/account/factors/", (ROOT, OWNER)),
    Page("second factors of people", "/second-factors/"),
    Page("second factors of the largest", f"/second-factors/?domain={LARGEST}&state=without",
         exempt="MySQL, unlike MariaDB, sorts the mailboxes of the domain"),
    Page("passwords", "/passwords/", exempt=COUNTS_MAILBOXES),
    Page("passwords of the largest", f"/passwords/?domain={LARGEST}",
         exempt=COUNTS_MAILBOXES),
    Page("mailboxes with weak passwords", "/mailboxes/?scheme=weak", exempt=LOOKS_EVERYWHERE),
    Page("TOTP exceptions", "/totp-exceptions/"),
    Page("confirm", "/account/confirm/", (ROOT, OWNER)),
    Page("check a new password", "/account/password/check/", (ROOT, OWNER), "POST",
         {"password": "harbour-4711", "address": OWNER}, form=False),
    Page("own page", "/", (OWNER, BUSY), busy=True),
    Page("own forwarding", "/account/forwarding/", (OWNER,)),
    Page("own vacation", "/account/vacation/", (OWNER,)),
    Page("own app passwords", "/account/app-passwords/", (OWNER,)),
    Page("own device", "/account/device/", (OWNER,)),
    Page("own device links", "/account/device/links/", (OWNER,)),
    Page("device links of a mailbox", "/mailboxes/{mailbox}/device-links/"),
    Page("app passwords of a mailbox", "/mailboxes/{mailbox}/app-passwords/"),
    Page("app passwords", "/app-passwords/"),
    Page("app passwords of the largest", f"/app-passwords/?domain={LARGEST}",
         exempt="passes over those of other domains: PostfixAdmin's table names no domain"),
    Page("app passwords of the smallest", f"/app-passwords/?domain={FEW}"),
    create("create a mailbox", f"/mailboxes/create/?domain={LARGEST}", **NEW_MAILBOX,
           domain=LARGEST),
    create("edit a mailbox", f"/mailboxes/bench{{n}}@{LARGEST}/edit/", quota="20"),
    create("give a vacation", f"/mailboxes/bench{{n}}@{LARGEST}/vacation/", active="on"),
    post("switch a mailbox", f"/mailboxes/bench{{n}}@{LARGEST}/toggle/", field="active", value="0"),
    create("delete a mailbox", f"/mailboxes/bench{{n}}@{LARGEST}/delete/"),
    create("create an alias", f"/aliases/create/?domain={LARGEST}", local_part="post{n}",
           domain=LARGEST, goto="{mailbox}", active="on"),
    create("edit an alias", f"/aliases/post{{n}}@{LARGEST}/edit/", goto="bob@example.net"),
    post("switch an alias", f"/aliases/post{{n}}@{LARGEST}/toggle/", field="active", value="0"),
    create("delete an alias", f"/aliases/post{{n}}@{LARGEST}/delete/"),
    api("mailboxes", "mailboxes", busy=True),
    api("mailboxes of the largest, middle", f"mailboxes?domain={LARGEST}&after=karl."),
    api("a thousand mailboxes", "mailboxes?limit=1000", exempt="shows a thousand rows"),
    api("mailboxes, beginning", "mailboxes?q=karl.*"),
    api("a mailbox", "mailboxes/{mailbox}", busy=True),
    api("aliases", "aliases"),
    api("aliases of the smallest", f"aliases?domain={FEW}"),
    api("domains", "domains"),
    api("app passwords", "app-passwords"),
    api("create an app password", "app-passwords", method="POST", status=201,
        body={"mailbox": "{mailbox}", "description": "Phone {n}"}),
    api("log", "log"),
    api("explain", "explain?address={mailbox}", queries=42),
    api("create an alias", "aliases", method="POST", status=201,
        body={"local_part": "desk{n}", "domain": LARGEST, "goto": ["{mailbox}"]}),
    api("change an alias", f"aliases/desk{{n}}@{LARGEST}", method="PATCH",
        body={"description": "Desk"}),
    api("delete an alias", f"aliases/desk{{n}}@{LARGEST}", method="DELETE", status=204),
    create("create a domain", "/domains/create/", SUPER, domain="bench{n}.example"),
    create("edit a domain", "/domains/bench{n}.example/edit/", SUPER, description="Bench"),
    post("switch a domain", "/domains/bench{n}.example/toggle/", SUPER, field="active", value="0"),
    create("delete a domain", "/domains/bench{n}.example/delete/", SUPER),
]  # fmt: skip


def places(database):
    """Return the values of placeholders in paths, from a database."""
    mirror, mirrored = database.rows(
        "SELECT alias_domain, target_domain FROM alias_domain ORDER BY alias_domain LIMIT 1"
    )[0]
    usual = database.value(
        f"SELECT domain FROM domain_admins WHERE username = '{TEN}' AND domain NOT IN"
        f" ('{LARGEST}', '{FEW}') ORDER BY domain LIMIT 1"
    )
    return {
        "mirror": mirror,
        "mirrored": mirrored,
        "usual": usual,
        "mailbox": database.value(
            f"SELECT username FROM mailbox WHERE domain = '{LARGEST}' AND username > 'karl.'"
            " ORDER BY username LIMIT 1"
        ),
        "line": database.value("SELECT MAX(id) DIV 2 FROM log"),
        "then": database.value("SELECT DATE(NOW() - INTERVAL 400 DAY)"),
        "later": database.value("SELECT DATE(NOW() - INTERVAL 90 DAY)"),
    }
