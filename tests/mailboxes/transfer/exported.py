"""Databases to be exported, as users and old programs leave them, and their contents."""

import datetime
import random

from django.utils import timezone

from domains.models import (
    ALL_DOMAINS,
    Admin,
    AliasDomain,
    DkimKey,
    DkimSigning,
    Domain,
    DomainAdmin,
    DomainFactorPolicy,
    DomainState,
    TotpException,
    Transport,
)
from mailboxes.models import (
    Alias,
    AppPassword,
    AppPasswordLimits,
    Fetchmail,
    Mailbox,
    SenderPermission,
    Vacation,
    vacation_target,
)
from mailboxes.services.app_password_hashes import hash_app_password

MODELS = (
    *(
        Domain,
        DomainFactorPolicy,
        DomainAdmin,
        Admin,
        Mailbox,
        Alias,
        AliasDomain,
        Vacation,
        Transport,
    ),
    *(
        Fetchmail,
        AppPassword,
        AppPasswordLimits,
        DkimKey,
        DkimSigning,
        TotpException,
        SenderPermission,
    ),
)
EXPIRES = timezone.make_aware(datetime.datetime(2031, 5, 17, 22, 0))
# Automatic dates, ids, bookkeeping of programs, and password resets.
NOT_COMPARED = {
    *("id", "created", "modified", "dkim_id", "app_password_id", "cache", "returned_text", "date"),
    *("token", "token_validity"),
}
HASHES = [
    "$2y$04$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK",
    "{SHA512-CRYPT}$6$60YPb8Vm4Tw/xG6P$9FhIWUJs7pE0uBe.uAvmZelp9GxtnkY7dod65miGs4av",
    "$argon2id$v=19$m=512,t=1,p=1$c2FsdHNhbHQ$qLml5cbqFAO6YxVHhrSBHA",
    "{PLAIN}with: a colon",
    "WfrwLEkN93dMU",
    "{CRAM-MD5}9186d855e11eba527a7a52748d4b8d8c1a4c9b8a5b1f6ff3a0b2f9b1c1d2e3f4",
    "{SSHA256}D0XHJ2b+Y0nbjX2vY7Y5ezwqtQWOd1Yj3vVNbFRFV3VzYWx0",
]
TEXTS = ["", "Bob", "Zoë Ångström", "Боб", "=1+1", "-", '"a", b; c', "@home", "😀"]
QUOTAS = [0, -1, 1, 999, 1024000, 1234567, 5 * 10**9 + 1, 2**49 + 1]


class Chance:
    """A seeded random generator."""

    def __init__(self, seed):
        self.random = random.Random(seed)  # noqa: S311 (no secret)

    def one(self, choices):
        return self.random.choice(choices)

    def rarely(self):
        return self.random.random() < 0.2

    def moment(self):
        return timezone.make_aware(
            datetime.datetime(2026, 1, 15, 12, 30, 1)
            + datetime.timedelta(self.random.random() * 99)
        )


def build_database(seed, domains=6, mailboxes=6, mirrors=True):
    """Create domains with all kinds of rows, some beyond their limits."""
    chance = Chance(seed)
    names = [f"d{n}-{seed}.example" for n in range(domains)]
    for number, name in enumerate(names):
        make_domain(chance, name, kind=number % 3 == 2)
        for person in range(mailboxes):
            make_mailbox(chance, name, LOCAL_PARTS[person % len(LOCAL_PARTS)] + str(person))
        make_aliases(chance, name)
    if mirrors:
        make_alias_domains(chance, names)
    make_admins(chance, names)
    make_transports(chance, names)
    make_related_rows(chance, names)
    make_sender_permissions(seed, names)
    return names


def make_sender_permissions(seed, names):
    """Create permissions by chance of their own, so that the other rows stay as they are."""
    chance = Chance(f"sender permissions {seed}")
    keys = sorted(Mailbox.objects.filter(domain__in=names).values_list("pk", flat=True))
    addresses = [*keys[:9], *(f"{part}@{name}" for name in names for part in ("", "info", "x"))]
    for address in addresses:
        if chance.rarely():
            continue
        mailbox = chance.one([key for key in keys if key != address])
        SenderPermission.objects.create(
            address=address,
            domain_id=address.rpartition("@")[2],
            mailbox_id=mailbox,
            mailbox_domain_id=mailbox.rpartition("@")[2],
            description=chance.one(TEXTS),
            active=not chance.rarely(),
        )


LOCAL_PARTS = ["bob", "o'neil", "x_y", "a%b", "with.dot", "b=c", "{x}"]


def make_domain(chance, name, kind):
    Domain.objects.create(
        domain=name,
        description=chance.one(TEXTS),
        active=not chance.rarely(),
        backupmx=kind,
        aliases=chance.one([0, 0, 1, 3, 50, -1]),
        mailboxes=chance.one([0, 0, 1, 3, 50, -1]),
        maxquota=chance.one([0, 0, 5, 10**7, -1]),
        quota=chance.one([0, 0, 5, 10**7, -1]),
        transport=chance.one(["virtual", "virtual", "smtp:[mx.test]:2525", "relay:"]),
        password_expiry=chance.one([0, 0, 90]),
    )
    # Of its own, so that the other rows of a seed stay as they are.
    if level := Chance(name).one(["", "", "off", "required"]):
        DomainFactorPolicy.objects.create(domain_id=name, level=level)


def make_mailbox(chance, domain, local_part):
    key, active = f"{local_part}@{domain}", not chance.rarely()
    maildir = chance.one([f"{domain}/{local_part}/", f"old/{local_part}", "a folder/x/"])
    Mailbox.objects.create(
        username=key,
        local_part=local_part,
        domain_id=domain,
        password=chance.one(HASHES),
        name=chance.one(TEXTS),
        maildir=maildir,
        quota=chance.one(QUOTAS),
        active=active,
        smtp_active=not chance.rarely(),
        phone=chance.one(["", "+49 30 1234"]),
        email_other=chance.one(["", "private@home.example"]),
        totp_secret=chance.one([None, None, "JBSWY3DPEHPK3PXP"]),
        password_expiry=chance.one(
            [timezone.make_aware(datetime.datetime(2000, 1, 1)), chance.moment()]
        ),
    )
    others = chance.one([[], [], ["friend@far.test"], ["a@far.test", "b@far.test"]])
    copy = not others or chance.rarely()
    vacation = make_vacation(chance, key, domain)
    if vacation and not others and chance.rarely():
        copy = False  # answered and not kept
    answer = [vacation_target(key)] if vacation else []
    Alias.objects.create(
        address=key,
        goto=",".join([*others, *answer, *([key] if copy else [])]),
        domain_id=domain,
        active=active,
        description=chance.one(["", "", "", "Sent on"]),
    )


def make_vacation(chance, key, domain):
    """Create a vacation or not; return whether mail is answered. Some vacations are over."""
    if not chance.rarely():
        return False
    active = not chance.rarely()
    Vacation.objects.create(
        mailbox_id=key,
        domain_id=domain,
        subject="Away" if active else chance.one(["", "Away"]),
        body="I am away.\n\n  Zoë\n" if active else "",
        active=active,
        activefrom=chance.one(
            [timezone.make_aware(datetime.datetime(2000, 1, 1)), chance.moment()]
        ),
        activeuntil=chance.moment(),
        interval_time=chance.one([0, 86400]),
    )
    return active


def make_aliases(chance, domain):
    many = [f"list{n}@far.test" for n in range(300)]
    rows = {"info": ["a@far.test"], "list": many, "off": ["b@far.test", "@far.test"][:1]}
    rows |= {"": chance.one([["c@far.test"], [f"@far-{domain}"]])} if chance.rarely() else {}
    for local_part, targets in rows.items():
        Alias.objects.create(
            address=f"{local_part}@{domain}",
            goto=",".join(targets),
            domain_id=domain,
            active=local_part != "off",
            description=chance.one(TEXTS),
        )


def make_alias_domains(chance, names):
    for number, target in enumerate(names[:3]):
        name = f"mirror{number}.{target}"
        make_domain(chance, name, kind=False)
        Domain.objects.filter(pk=name).update(active=number != 1)
        AliasDomain.objects.create(
            alias_domain_id=name, target_domain_id=target, active=number != 2, description="Mirror"
        )
        make_mailbox(chance, name, "bob0")
        Alias.objects.create(address=f"info@{name}", goto="own@far.test", domain_id=name)


def make_admins(chance, names):
    for number in range(3):
        admin = Admin.objects.create(
            username=f"admin{number}@{names[0]}",
            password=chance.one(HASHES),
            superadmin=number == 0,
            active=number != 1,
            phone="1234",
            totp_secret=chance.one([None, "JBSWY3DPEHPK3PXP"]),
        )
        for name in [ALL_DOMAINS] if number == 0 else names[:number]:
            DomainAdmin.objects.create(admin=admin, domain_id=name)


def make_transports(chance, names):
    keys = ["*", f".{names[0]}", names[1], f"bob0@{names[0]}", "sub.far.test"]
    for key in keys:
        Transport.objects.create(
            pattern=key,
            transport=chance.one([":", "smtp:[gate.test]:25", "error:5.1.2 gone away"]),
            active=not chance.rarely(),
            description=chance.one(TEXTS),
        )


def make_related_rows(chance, names):
    bob = Mailbox.objects.filter(domain=names[0]).order_by("pk").first()
    Fetchmail.objects.create(
        mailbox=bob,
        domain_id=bob.domain_id,
        src_server="pop.far.test",
        src_user="bob",
        src_password="  ge heim ",
        src_auth="password",
        protocol="IMAP",
        src_port=993,
        usessl=True,
        extra_options="line one\nline two",
        active=True,
        mda="",
    )
    AppPassword.objects.create(mailbox=bob, description="Телефон", password_hash=HASHES[0])
    for name in names[:2]:
        key = DkimKey.objects.create(
            domain_name_id=name,
            selector="s1",
            description="Key",
            private_key="-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n",
            public_key="v=DKIM1; p=abc",
        )
        DkimSigning.objects.create(author=name, dkim=key)
    DkimSigning.objects.create(author=bob.pk, dkim=key)
    TotpException.objects.create(ip="192.0.2.1", username=None, description="Office")
    TotpException.objects.create(ip="192.0.2.2", username=bob.pk, description="Home")
    generated = AppPassword.objects.create(
        mailbox=bob, description="Phone", password_hash=hash_app_password("phone")
    )
    AppPasswordLimits.objects.create(
        app_password=generated, pop3=False, networks="192.0.2.0/24", expires=EXPIRES
    )


# Contents


def contents():
    """Return table → its rows, without columns that are not exported."""
    return {
        model.__name__: sorted(map(exported_row, model._base_manager.all())) for model in MODELS
    }


def exported_row(row):
    columns = {f.attname: f.value_from_object(row) for f in row._meta.concrete_fields}
    if isinstance(row, DkimSigning):
        columns["key"] = f"{row.dkim.domain_name_id} {row.dkim.selector}"
    # PostfixAdmin treats missing and empty values alike.
    kept = {k: "" if v is None else v for k, v in columns.items() if k not in NOT_COMPARED}
    return repr(sorted((name, str(value)) for name, value in kept.items()))


def delete_everything():
    for model in (*reversed(MODELS), DomainState):
        model._base_manager.all().delete()
