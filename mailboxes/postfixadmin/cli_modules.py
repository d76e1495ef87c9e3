"""The modules of `postfixadmin-cli`: a table of the panel each, and PostfixAdmin's words for it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from domains.models import DkimKey, DomainState
from domains.quotas import bytes_to_megabytes
from mailadmin import registry
from mailadmin.tables.table import Table
from mailboxes.models import is_vacation_target

Values = Mapping[str, Any]  # a row as the API shows it
Options = Mapping[str, str | bool]  # of a call
Column = tuple[str, Callable[[Any, Values], str]]  # label and text of a line of `view`
SHOWN_LIMITS = {-1: "-", 0: "∞"}


class Module(NamedTuple):
    """A module: the slug of its table, the fields that it asks for, the lines of `view`."""

    name: str
    slug: str
    fields: str
    created: str
    changed: str
    view: tuple[Column, ...] = ()
    defaults: Mapping[str, Any] = {}  # of options that are not given, where the panel's differ
    left_out: tuple[str, ...] = ()  # fields that PostfixAdmin expresses by the address
    translate: Callable[[Options], Options] = dict  # options that the panel does not have

    @property
    def table(self) -> Table:
        return registry.tables[self.slug]


def text(name: str) -> Callable[[Any, Values], str]:
    return lambda row, values: str(values[name] if values[name] is not None else "")


def yes_or_no(name: str) -> Callable[[Any, Values], str]:
    return lambda row, values: "YES" if values[name] else "NO"


def date(name: str) -> Callable[[Any, Values], str]:
    """Return the date of a column, as PostfixAdmin shows it; nothing if it is unknown."""

    def format_date(row: Any, values: Values) -> str:
        moment = parse_datetime(values[name]) if values[name] else None
        return moment.date().isoformat() if moment else ""

    return format_date


def addresses(name: str) -> Callable[[Any, Values], str]:
    return lambda row, values: ", ".join(values[name])


def format_limit(used: int, limit: int) -> str:
    return f"{used} / {SHOWN_LIMITS.get(limit, limit)}"


def count(name: str) -> Callable[[Any, Values], str]:
    return lambda row, values: format_limit(getattr(get_state(row), name), values[name])


def get_state(row: Any) -> DomainState:
    found = DomainState.objects.filter(pk=row.pk).first()
    return found or DomainState(domain_id=row.pk)


def split_option(options: Options, wanted: str) -> tuple[str, Options]:
    """Return the value of an option, with dashes or without, and the other options."""
    found = [str(value) for name, value in options.items() if name.replace("-", "_") == wanted]
    others = {name: value for name, value in options.items() if name.replace("-", "_") != wanted}
    return "".join(found[:1]), others


def drop_public_key(options: Options) -> Options:
    """Leave out the public key: the panel computes it from the private one."""
    return split_option(options, "public_key")[1]


def replace_key_number(options: Options) -> Options:
    """Return the selector of the key that PostfixAdmin names by its number."""
    number, others = split_option(options, "dkim_id")
    if len(others) == len(options):
        return others
    key = DkimKey.objects.filter(pk=number).first() if number.isdecimal() else None
    if key is None:
        raise ValidationError(_("There is no key of this number."))
    return {**others, "selector": key.selector}


def domain_quota(row: Any, values: Values) -> str:
    assigned = bytes_to_megabytes(get_state(row).quota_assigned)
    return format_limit(round(assigned), values["quota"])


def delivers_locally(row: Any, values: Values) -> str:
    return "YES" if values["goto_mailbox"] else "NO"


def on_vacation(row: Any, values: Values) -> str:
    return "YES" if any(map(is_vacation_target, row.goto)) else "NO"


def admin_domains(row: Any, values: Values) -> str:
    return "Super admin" if values["superadmin"] else str(len(values["domains"]))


MODULES = (
    Module(
        "admin",
        "admins",
        "password password2 superadmin domains active",
        "The admin %s has been added!",
        "The admin %s has been modified.",
        (
            ("Admin", text("username")),
            ("Domains", admin_domains),
            ("Active", yes_or_no("active")),
            ("Last modified", date("modified")),
        ),
    ),
    Module(
        "domain",
        "domains",
        "description aliases mailboxes maxquota quota transport backupmx active default_aliases"
        " password_expiry",
        "The domain %s has been added.",
        "The domain %s has been updated.",
        (
            ("Domain", text("domain")),
            ("Description", text("description")),
            ("Aliases", count("aliases")),
            ("Mailboxes", count("mailboxes")),
            ("Mailbox Quota (MB)", text("maxquota")),
            ("Domain Quota", domain_quota),
            ("Transport", text("transport")),
            ("Mail server is backup MX", yes_or_no("backupmx")),
            ("Active", yes_or_no("active")),
            ("Last modified", date("modified")),
            ("Pass expires", text("password_expiry")),
        ),
    ),
    Module(
        "mailbox",
        "mailboxes",
        "password password2 name quota active smtp_active welcome_mail email_other",
        "The mailbox %s has been added to the mailbox table.",
        "The mailbox %s has been updated.",
        (
            ("Username", text("username")),
            ("Name", text("name")),
            ("Quota", text("quota")),
            ("Active", yes_or_no("active")),
            ("Created", date("created")),
            ("Last modified", date("modified")),
            ("Pass expires", date("password_expiry")),
        ),
        {"quota": "0", "welcome_mail": True},
        ("local_part", "domain"),
    ),
    Module(
        "alias",
        "aliases",
        "description goto goto_mailbox active",
        "The alias %s has been created!",
        "The alias %s has been updated!",
        (
            ("Alias", text("address")),
            ("Description", text("description")),
            ("To", addresses("goto")),
            ("Deliver to the local mailbox.", delivers_locally),
            ("Auto Response", on_vacation),
            ("Last modified", date("modified")),
            ("Active", yes_or_no("active")),
        ),
        left_out=("local_part", "domain", "catch_all"),
    ),
    Module(
        "aliasdomain",
        "alias-domains",
        "target_domain description active",
        "The alias domain %s has been created.",
        "The alias domain %s has been changed.",
        (
            ("Alias Domain", text("alias_domain")),
            ("Target Domain", text("target_domain")),
            ("Description", text("description")),
            ("Last modified", date("modified")),
            ("Active", yes_or_no("active")),
        ),
    ),
    Module(
        "fetchmail",
        "fetchmail",
        "mailbox src_server src_port src_auth src_user src_password src_folder poll_time fetchall"
        " keep protocol usessl sslcertck active",
        "The fetchmail entry %s has been added.",
        "The fetchmail entry %s has been updated.",
    ),
    Module(
        "dkim",
        "dkim-keys",
        "description selector domain_name private_key",
        "The DKIM key %s has been added.",
        "The DKIM key %s has been updated.",
        translate=drop_public_key,
    ),
    Module(
        "dkimsigning",
        "dkim-signings",
        "author selector",
        "The DKIM signing %s has been added.",
        "The DKIM signing %s has been updated.",
        translate=replace_key_number,
    ),
)


def find_modules() -> dict[str, Module]:
    """Return the modules whose tables the panel has, by name."""
    return {
        module.name: module
        for module in MODULES
        if module.slug in registry.tables and module.table.is_enabled()
    }
