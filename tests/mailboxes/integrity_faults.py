"""One fault of each kind that `integrity` finds, as other programs write rows, and all fixes."""

from django.db import connection

from domains.models import (
    Admin,
    AdminPreference,
    AliasDomain,
    DkimKey,
    DkimSigning,
    Domain,
    DomainAdmin,
    TotpException,
)
from mailadmin.changes.perform import Actor, ConsolePrincipal, perform
from mailboxes.integrity.catalog import CHECKS
from mailboxes.integrity.fixes import digest_plan, fix_problems, plan_fix
from mailboxes.integrity.scanning import Scope, iter_problems
from mailboxes.models import (
    Alias,
    AppPassword,
    Fetchmail,
    Mailbox,
    OldUsage,
    SenderPermission,
    Usage,
    Vacation,
    VacationNotification,
    vacation_target,
)

MEGABYTE = 1024000
CONSOLE = Scope(ConsolePrincipal())


def insert(*rows):
    for row in rows:
        type(row)._base_manager.bulk_create([row])


def add_domain(name, **values):
    insert(Domain(domain=name, description="", transport="virtual", **values))


def add_alias(address, goto, **values):
    insert(Alias(address=address, goto=goto, domain_id=address.rpartition("@")[2], **values))


def add_mailbox(username, goto=None, alias_active=True, **values):
    """A mailbox with its alias; without it if `goto` is empty."""
    local_part, _at, domain = username.rpartition("@")
    row = {"username": username, "local_part": local_part, "domain_id": domain, "name": ""}
    insert(Mailbox(**row | {"password": "", "maildir": f"{domain}/{local_part}/"} | values))
    if goto != "":
        add_alias(username, username if goto is None else goto, active=alias_active)


def add_vacation(key, domain="faults.example", **values):
    insert(Vacation(mailbox_id=key, domain_id=domain, subject="Away", body="Back", **values))


def is_case_kept():
    return connection.vendor == "sqlite"


# Check → (how the fault is made, what the check names it by)
FAULTS = {
    "other-domain": (
        lambda: insert(
            Alias(
                address="moved@faults.example",
                goto="someone@else.example",
                domain_id="elsewhere.example",
            ),
            Domain(domain="elsewhere.example", description="", transport="virtual"),
        ),
        "moved@faults.example",
    ),
    "mailbox-alias-missing": (
        lambda: add_mailbox("lonely@faults.example", goto=""),
        "lonely@faults.example",
    ),
    "mailbox-alias-active": (
        lambda: add_mailbox("idle@faults.example", alias_active=False),
        "idle@faults.example",
    ),
    "mailbox-alias-empty": (
        lambda: add_mailbox("void@faults.example", goto=" "),
        "void@faults.example",
    ),
    "mailbox-not-stored": (
        lambda: (
            add_mailbox("silent@faults.example", vacation_target("silent@faults.example")),
            add_vacation("silent@faults.example"),
        ),
        "silent@faults.example",
    ),
    "alias-empty": (lambda: add_alias("empty@faults.example", ""), "empty@faults.example"),
    "alias-loop": (
        lambda: (
            add_alias("loop1@faults.example", "loop2@faults.example"),
            add_alias("loop2@faults.example", "loop1@faults.example"),
        ),
        "loop1@faults.example",
    ),
    "alias-target-missing": (
        lambda: add_alias("typo@faults.example", "nobody@faults.example"),
        "typo@faults.example",
    ),
    "alias-mailbox-missing": (
        lambda: add_alias("former@faults.example", "former@faults.example"),
        "former@faults.example",
    ),
    "alias-target-malformed": (
        lambda: add_alias("broken@faults.example", "some..body@else.example"),
        "broken@faults.example",
    ),
    "alias-target-catch-all": (
        lambda: (
            add_domain("caught.example"),
            add_mailbox("owner@caught.example"),
            add_alias("@caught.example", "owner@caught.example"),
            add_alias("sales@caught.example", "onwer@caught.example"),
        ),
        "sales@caught.example",
    ),
    "vacation-target-left": (
        lambda: add_mailbox(
            "back@faults.example", f"{vacation_target('back@faults.example')},back@faults.example"
        ),
        "back@faults.example",
    ),
    "vacation-target-missing": (
        lambda: (add_mailbox("away@faults.example"), add_vacation("away@faults.example")),
        "away@faults.example",
    ),
    "alias-domain-chain": (
        lambda: (
            add_domain("first.example"),
            add_domain("second.example"),
            insert(
                AliasDomain(alias_domain_id="first.example", target_domain_id="second.example"),
                AliasDomain(alias_domain_id="second.example", target_domain_id="faults.example"),
            ),
        ),
        "first.example",
    ),
    "alias-domain-mailboxes": (
        lambda: (
            add_domain("both.example"),
            add_mailbox("own@both.example"),
            insert(AliasDomain(alias_domain_id="both.example", target_domain_id="faults.example")),
        ),
        "both.example",
    ),
    "domain-limits": (
        lambda: (
            add_domain("small.example", mailboxes=1),
            add_mailbox("one@small.example"),
            add_mailbox("two@small.example"),
        ),
        "small.example",
    ),
    "domain-quota": (
        lambda: (
            add_domain("full.example", quota=10),
            add_mailbox("big@full.example", quota=11 * MEGABYTE),
        ),
        "full.example",
    ),
    "mailbox-quota": (
        lambda: (
            add_domain("narrow.example", maxquota=10),
            add_mailbox("wide@narrow.example", quota=11 * MEGABYTE),
        ),
        "wide@narrow.example",
    ),
    "case-double": (
        lambda: (
            add_alias("Double@faults.example", "one@small.example"),
            add_alias("double@faults.example", "one@small.example"),
        ),
        "Double@faults.example",
    ),
    "upper-case": (
        lambda: add_alias("Shout@faults.example", "one@small.example"),
        "Shout@faults.example",
    ),
    "assignment-duplicate": (
        lambda: insert(
            Admin(username="twice@faults.example", password=""),
            DomainAdmin(admin_id="twice@faults.example", domain_id="faults.example"),
            DomainAdmin(admin_id="twice@faults.example", domain_id="faults.example"),
        ),
        "twice@faults.example",
    ),
    "superadmin-all": (
        lambda: insert(Admin(username="chief@faults.example", password="", superadmin=True)),
        "chief@faults.example",
    ),
    "domain-missing": (lambda: add_alias("x@lost.example", "y@else.example"), "lost.example"),
    "alias-domain-missing": (
        lambda: insert(
            AliasDomain(alias_domain_id="nowhere.example", target_domain_id="faults.example")
        ),
        "nowhere.example",
    ),
    "fetchmail-mailbox": (
        lambda: insert(
            Fetchmail(
                mailbox_id="fetch@faults.example",
                src_server="imap.else.example",
                src_user="fetch",
                src_password="x",
                domain_id="faults.example",
                src_auth="password",
                protocol="IMAP",
                mda="",
            )
        ),
        "fetch@faults.example",
    ),
    "quota-mailbox": (
        lambda: insert(OldUsage(mailbox_id="used1@faults.example", path="quota/storage")),
        "used1@faults.example",
    ),
    "quota2-mailbox": (
        lambda: insert(Usage(mailbox_id="used2@faults.example", bytes=5)),
        "used2@faults.example",
    ),
    "vacation-mailbox": (
        lambda: add_vacation("left@faults.example"),
        "left@faults.example",
    ),
    "notification-vacation": (
        lambda: insert(
            VacationNotification(vacation_id="told@faults.example", notified="a@else.example")
        ),
        "told@faults.example",
    ),
    "app-password-mailbox": (
        lambda: insert(AppPassword(mailbox_id="phone@faults.example", description="Phone")),
        "phone@faults.example",
    ),
    "sender-permission-mailbox": (
        lambda: insert(
            SenderPermission(
                address="office@faults.example",
                domain_id="faults.example",
                mailbox_id="sender@faults.example",
                mailbox_domain_id="faults.example",
            )
        ),
        "sender@faults.example",
    ),
    "totp-exception-account": (
        lambda: insert(TotpException(ip="192.0.2.9", username="code@faults.example")),
        "code@faults.example",
    ),
    "dkim-domain": (
        lambda: insert(DkimKey(domain_name_id="unsigned.example", selector="s1")),
        "unsigned.example",
    ),
    "dkim-signing-author": (
        lambda: (
            insert(DkimKey(domain_name_id="faults.example", selector="s2")),
            insert(
                DkimSigning(author="nobody@faults.example", dkim=DkimKey.objects.get(selector="s2"))
            ),
        ),
        "nobody@faults.example",
    ),
    "dkim-signing-key": (
        lambda: insert(DkimSigning(author="faults.example", dkim_id=987654)),
        "987654",
    ),
    "assignment-domain": (
        lambda: insert(
            Admin(username="idle@faults.example", password=""),
            DomainAdmin(admin_id="idle@faults.example", domain_id="unmade.example"),
        ),
        "unmade.example",
    ),
    "assignment-admin": (
        lambda: insert(DomainAdmin(admin_id="ghost@faults.example", domain_id="faults.example")),
        "ghost@faults.example",
    ),
    "preference-admin": (
        lambda: insert(
            AdminPreference(
                admin_id="ghost2@faults.example", pref_key="alias_goto_default", pref_value="x"
            )
        ),
        "ghost2@faults.example",
    ),
}


def make_faults():
    """Make all faults that this database can hold; return check → the name that it finds."""
    if connection.vendor == "mysql":  # newer tables of PostfixAdmin have constraints
        with connection.cursor() as cursor:
            cursor.execute("SET foreign_key_checks = 0")
    add_domain("faults.example")
    made = {}
    for name, (make, key) in FAULTS.items():
        if name == "case-double" and not is_case_kept():
            continue
        make()
        made[name] = key
    return made


def find_all(scope=CONSOLE):
    """Return check → the names that it finds."""
    found = {}
    for name, check in CHECKS.items():
        if scope.principal.role in check.roles:
            found[name] = [each.problem.key for each in iter_problems(check, scope)]
    return {name: keys for name, keys in found.items() if keys}


def fix_all():
    for check in CHECKS.values():
        found = list(iter_problems(check, CONSOLE))
        if check.plan and found:
            digest = digest_plan(plan_fix(check, CONSOLE, found))
            ids = [each.id for each in found]
            perform(Actor.console(), fix_problems, check.name, ids, digest)
