"""Mailboxes, aliases and vacations, as sources give them."""

from decimal import Decimal
from fractions import Fraction

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from domains.models import LARGEST_QUOTA, Domain
from mailadmin.changes.perform import digest
from mailadmin.names import (
    fold,
    validate_domain,
    validate_local_part,
    validate_text,
)
from mailboxes.forms import alias_target
from mailboxes.models import Alias, AppPassword, Fetchmail, Mailbox, Vacation
from mailboxes.services import mailboxes
from mailboxes.services.aliases import create_aliases, delete_aliases, edit_alias
from mailboxes.services.forwardings import set_forwarding
from mailboxes.services.limits import in_bytes
from mailboxes.services.vacations import end_vacation, set_vacation
from mailboxes.transfer.row_types.base import (
    DomainName,
    Kind,
    Mark,
    Moment,
    Name,
    Names,
    Number,
    Secret,
    Text,
    Words,
    with_moments,
    without,
)

NOBODYS = "{CRYPT}!"  # a hash that no password has; a bare `!` would be one under PLAIN


class InDomain(Kind):
    """A row whose address is a name in a domain, told whole or in its two parts."""

    address = ""

    def complete(self, values):
        local_part, domain = self.parts(values)
        if values.get("domain") not in (None, domain):
            raise ValidationError(_("The address is not in the domain beside it."))
        key = f"{'' if local_part == '*' else local_part}@{domain}"
        return values | {self.address: key, "local_part": local_part, "domain": domain}

    def parts(self, values):
        if address := values.get(self.address):
            local_part, at, domain = address.rpartition("@")
            if not at:
                raise ValidationError(
                    _("“%(value)s” is not an address."), params={"value": address}
                )
        else:
            local_part = values.get("local_part", "").lower()
            domain = values.get("domain", "")
            if not local_part or not domain:
                raise ValidationError(_("There is no address."))
        validate_domain(domain)
        local_part = self.local_part(local_part)
        return local_part, domain

    def local_part(self, text):
        validate_local_part(text)
        return text

    def words(self, row):
        local_part, _at, domain = fold(row.pk).rpartition("@")
        own = {self.address: fold(row.pk), "local_part": local_part or "*", "domain": domain}
        return super().words(row) | own

    def as_file(self, values):
        """The address whole; its parts follow from it."""
        if self.address in values:
            values = without(values, "local_part", "domain", "of_mailbox")
        return super().as_file(values)


DIGITS = 20  # after the point: a byte of 2**20 has so many


class Megabytes(forms.DecimalField):
    """A quota as people say it; the fraction of a MB may be a single byte."""

    def __init__(self):
        super().__init__(
            min_value=-1, max_value=LARGEST_QUOTA, decimal_places=DIGITS, max_digits=40
        )

    def clean(self, value):
        megabytes = super().clean(value)
        if -1 < megabytes < 0:
            raise ValidationError(_("Between -1 and 0 there is nothing."))
        if megabytes and not in_bytes(megabytes):
            raise ValidationError(_("This is less than a byte, and 0 would be unlimited."))
        return in_bytes(megabytes)


class Mailboxes(InDomain):
    name = "mailbox"
    table = "mailboxes"
    title = _("mailboxes")
    counts_as = "mailboxes"
    has_quota = True
    model = Mailbox
    address = "username"
    columns = {
        "username": Name(),
        "local_part": Text(max_length=64),
        "domain": DomainName(),
        "password": Secret(strip=False, max_length=1024),
        "password_hash": Secret(),
        "name": Words(),
        "quota": Megabytes(),
        "quota_bytes": Number(most=2**62),
        "active": Mark(),
        "smtp_active": Mark(),
        "maildir": Text(),
        "phone": Words(max_length=30),
        "email_other": Words(),
        "totp_secret": Secret(),
        "password_expiry": Moment(),
        "welcome_mail": Mark(),
    }
    aliases = {"address": "username"}
    needed = ("username",)
    unwritten = ("local_part", "domain", "password", "welcome_mail")
    own = (
        *("username", "local_part", "domain", "password", "name", "quota"),
        *("active", "smtp_active", "welcome_mail"),
    )
    example = {
        "username": "bob@example.org",
        "password": "",
        "name": "Bob",
        "quota": "1024",
        "active": "1",
        "smtp_active": "1",
        "welcome_mail": "0",
    }

    def complete(self, values):
        values = self.settle_password(super().complete(values))
        if "quota_bytes" in values:
            values["quota"] = values.pop("quota_bytes")
        if ".." in values.get("maildir", "").split("/"):
            raise ValidationError(_("A maildir cannot lead out of the mail's folder."))
        return values

    def as_file(self, values):
        values = super().as_file(values)
        if "quota" in values:
            values = without(values, "quota") | quota_in_file(values["quota"])
        return values

    def differences(self, row, values):
        return [
            [name, shown_quota(old), shown_quota(new)] if name == "quota" else [name, old, new]
            for name, old, new in super().differences(row, without(values, "welcome_mail"))
        ]

    def replaced(self, row, values):
        """A new password has a new date on which it ends."""
        dated = {"password_expiry"} if "password" in values else set()
        return super().replaced(row, values.keys() | dated)

    def create(self, changes, rows):
        mailboxes.create_mailboxes(changes, [self.as_services_take(row) for row in rows])

    def edit(self, changes, key, values):
        values = without(values, "username", "local_part", "domain", "welcome_mail")
        mailboxes.edit_mailbox(changes, key, self.as_services_take(values))

    def delete(self, changes, keys):
        mailboxes.delete_mailboxes(changes, keys)

    def burdened(self, keys):
        """An alias that leads elsewhere by now, a vacation, app passwords, fetched mail."""
        aliases = Alias.objects.filter(pk__in=keys).exclude(goto=F("address"))
        found = set(aliases.values_list("pk", flat=True))
        for model in (Vacation, AppPassword, Fetchmail):
            rows = model.objects.filter(mailbox__in=keys)
            found |= set(rows.values_list("mailbox", flat=True))
        return {fold(key) for key in found}

    def as_services_take(self, values):
        values = with_moments(values, "password_expiry")
        if "quota" in values:
            values["quota"] = exact_megabytes(values["quota"])
        if "domain" in values:
            values["domain"] = Domain(domain=values["domain"])
        return without(values, "username")


def exact_megabytes(size):
    """A size in MB from which the same bytes come back."""
    return Fraction(size, settings.MAILADMIN_QUOTA_MULTIPLIER) if size > 0 else size


def shown_quota(size):
    """A quota in MB as files hold it: exact, and no longer than it must be."""
    if size <= 0:
        return size
    megabytes = Decimal(size) / settings.MAILADMIN_QUOTA_MULTIPLIER
    whole = int(megabytes)
    return whole if megabytes == whole else f"{megabytes:.{DIGITS}f}".rstrip("0")


def quota_in_file(size):
    """In MB, or in bytes where no number of MB that may be typed is just as much."""
    shown = shown_quota(size)
    megabytes = Decimal(shown)
    is_exact = in_bytes(megabytes) == size and megabytes <= LARGEST_QUOTA
    return {"quota": shown} if is_exact else {"quota_bytes": size}


class Aliases(InDomain):
    name = "alias"
    table = "aliases"
    title = _("aliases")
    counts_as = "aliases"
    model = Alias
    address = "address"
    columns = {
        "address": Name(),
        "local_part": Text(max_length=64),
        "domain": DomainName(),
        "goto": Names(),
        "description": Words(),
        "active": Mark(),
    }
    needed = ("address", "goto")
    own = tuple(columns)
    unwritten = ("local_part", "domain")
    example = {
        "address": "info@example.org",
        "goto": "bob@example.org,carol@example.com",
        "description": "",
        "active": "1",
    }

    def local_part(self, text):
        return "*" if text in ("", "*") else super().local_part(text)

    def complete(self, values):
        values = super().complete(values)
        if "goto" in values:
            targets = [alias_target(line) for line in values["goto"]]
            values["goto"] = in_order(targets, values["address"])
        return values

    def words(self, row):
        targets = [fold(target) for target in row.targets]
        return super().words(row) | {"goto": in_order(targets, fold(row.pk))}

    def digest(self, row):
        """A mailbox's alias is switched with it, also by an earlier row of the same plan."""
        return digest(without(self.words(row), "active"))

    def differences(self, row, values):
        if values.get("of_mailbox"):
            values = without(values, "active")
        return super().differences(row, values)

    def as_file(self, values):
        """Mail that is only answered leads nowhere; its vacation says so."""
        return super().as_file(values if values.get("goto", True) else without(values, "goto"))

    def refuse_lacking(self, values, names):
        """A mailbox has its alias; what is said of that need not be where it leads."""
        own = ("goto",) if values.get("of_mailbox") else ()
        super().refuse_lacking(values, [name for name in names if name not in own])

    def is_implied(self, values):
        own = [values["address"]]
        leads_home = values.get("goto", own) == own and not values.get("description")
        return bool(values.get("of_mailbox")) and leads_home

    def create(self, changes, rows):
        new = [row for row in rows if not row.get("of_mailbox")]
        if new:
            new = [without(row, "address", "of_mailbox") for row in new]
            domains = [{"domain": Domain(domain=row["domain"])} for row in new]
            create_aliases(changes, [r | d for r, d in zip(new, domains, strict=True)])
        self.forward(changes, [row for row in rows if row.get("of_mailbox")])

    def forward(self, changes, rows):
        """A mailbox has its alias already, and it leads to the mailbox alone."""
        there = self.present([row["address"] for row in rows])
        for row in rows:
            key = row["address"]
            alias = there.get(fold(key))
            if alias and alias.goto != alias.pk and self.words(alias)["goto"] != row.get("goto"):
                raise ValidationError(_("%(key)s leads elsewhere by now."), params={"key": key})
            if "goto" in row:
                set_forwarding(changes, key, row["goto"], key in row["goto"])
            if described := row.get("description"):
                edit_alias(changes, key, {"description": described})

    def edit(self, changes, key, values):
        values = without(values, "address", "local_part", "domain", "of_mailbox")
        if "goto" in values:
            values["goto_mailbox"] = key in values["goto"]
        edit_alias(changes, key, values)

    def delete(self, changes, keys):
        """What a mailbox forwarded goes to it alone again; its alias stays with it."""
        of_mailboxes = {
            fold(key) for key in Mailbox.objects.filter(pk__in=keys).values_list("pk", flat=True)
        }
        for key in of_mailboxes:
            edit_alias(changes, key, {"goto": [], "goto_mailbox": True, "description": ""})
        if others := [key for key in keys if fold(key) not in of_mailboxes]:
            delete_aliases(changes, others)


def in_order(targets, own):
    """As the services keep them: each once, the copy for the mailbox itself at the end."""
    return sorted(dict.fromkeys(targets), key=lambda target: target == own)


class Vacations(Kind):
    name = "vacation"
    table = "vacations"
    title = _("vacations")
    model = Vacation
    columns = {
        "email": Name(),
        "subject": Text(),
        "body": forms.CharField(required=False, validators=[validate_text], strip=False),
        "active": Mark(),
        "activefrom": Moment(),
        "activeuntil": Moment(),
        "interval_time": Number(least=0),
        "only_answers": Mark(),  # the mail goes nowhere, not even into the mailbox
    }
    aliases = {"mailbox": "email", "username": "email"}
    needed = ("email", "subject", "body")
    named_by = ("email",)

    def key(self, values):
        return values["email"]

    def domain(self, values):
        return values.get("email", "").rpartition("@")[2]

    def words(self, row):
        if not hasattr(row, "only_answers"):
            self.prepared([row])
        return super().words(row) | {"email": fold(row.pk), "only_answers": row.only_answers}

    def prepared(self, rows):
        rows = list(rows)
        aliases = Alias.objects.filter(pk__in=[row.pk for row in rows if row.active])
        lonely = {fold(alias.pk) for alias in aliases if not alias.targets}
        for row in rows:
            row.only_answers = fold(row.pk) in lonely
        return rows

    def refuse_lacking(self, values, names):
        """One that is switched off may be empty."""
        is_active = values.get("active", True)
        super().refuse_lacking(values, names if is_active else self.named_by)

    def create(self, changes, rows):
        for row in rows:
            row = row if row.get("only_answers") else without(row, "only_answers")
            self.edit(changes, row["email"], {"active": True} | row)

    def edit(self, changes, key, values):
        own = with_moments(without(values, "email", "only_answers"), "activefrom", "activeuntil")
        if there := self.present([key]).get(fold(key)):
            own = {"active": there.active} | own
        set_vacation(changes, key, own)
        if "only_answers" in values:
            only, others = values["only_answers"], Alias.objects.get(pk=key).others
            set_forwarding(changes, key, others, not only, only)

    def delete(self, changes, keys):
        for key in keys:
            end_vacation(changes, key)
