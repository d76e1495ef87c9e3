"""Rows whose mailbox, domain or admin is gone."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Model, Q, QuerySet

from domains.models import (
    ALL_DOMAINS,
    Admin,
    AdminPreference,
    AliasDomain,
    DkimKey,
    DkimSigning,
    Domain,
    DomainAdmin,
    TotpException,
)
from mailadmin.accounts.models import Role
from mailadmin.tables.actions import Text
from mailadmin.translation import gettext_lazy as _
from mailadmin.translation import ngettext
from mailboxes.integrity.checks import (
    CheckedRows,
    IntegrityCheck,
    PlannedChange,
    Problem,
    build_list_url,
    get_domain,
    has_parent,
    in_domain_by,
    in_domain_by_address,
)
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
)

LEFT_BEHIND = _("Rows left behind")
NO_MAILBOX, NO_DOMAIN = _("There is no such mailbox."), _("There is no such domain.")
NO_ADMIN = _("There is no such admin.")
DELETE_TEXT = _("Delete these rows.")


def name_key(row: Any, key: str) -> tuple[str, str]:
    """Return the domain and the object of a log line about a row of a mailbox or domain."""
    return get_domain(key), key


def name_admin(row: Any, key: str) -> tuple[str, str]:
    """Return the same for an assignment, as PostfixAdmin has it."""
    return "", row.admin_id


@dataclass(frozen=True)
class Relation:
    """A column that names rows of other tables, and what a row that names none is deleted as."""

    name: str
    model: type[Model]
    column: str
    parents: Sequence[type[Model]]
    title: Text
    explanation: Text
    text: Text
    domain_filter: Any
    action: str = ""  # of the log line; none where PostfixAdmin writes none
    condition: Q = field(default_factory=Q)
    roles: Role = Role.SUPERADMIN
    get_log_names: Callable[[Any, str], tuple[str, str]] = name_key

    def build_check(self) -> IntegrityCheck:
        return IntegrityCheck(
            self.name,
            LEFT_BEHIND,
            self.title,
            self.explanation,
            [CheckedRows(self.model, self.column, self.domain_filter, self.condition)],
            functools.partial(find_orphans, self),
            functools.partial(plan_deletion, self),
            DELETE_TEXT,
            roles=self.roles,
        )


def find_orphans(relation: Relation, rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the names that no row of another table has, each with the number of rows."""
    for value, count in count_orphans(rows, relation.column, relation.parents):
        key = str(value)
        if is_pattern_of_domain(key):
            continue
        text = ngettext("%(text)s %(count)s row.", "%(text)s %(count)s rows.", count)
        values = {"text": relation.text, "count": count}
        yield Problem(key, text % values, get_domain(key) if "." in key else "")


def count_orphans(
    rows: QuerySet, column: str, parents: Sequence[type[Model]]
) -> Iterator[tuple[Any, int]]:
    """Yield the values of a column that no row of these tables has as its key, with their rows."""
    named: Any = rows.model._meta.get_field(column)
    rows = rows.filter(**{f"{column}__isnull": False})
    for parent in parents:
        rows = rows.filter(~has_parent(named, parent))
    counts = rows.order_by().values(column).annotate(count=Count("*")).order_by(column)
    yield from ((key, count) for key, count in counts.values_list(column, "count") if key != "")


def is_pattern_of_domain(author: str) -> bool:
    """Return whether a DKIM author stands for all addresses of a domain that exists."""
    local_part, at, domain = author.rpartition("@")
    return bool(at) and local_part in ("", "*") and Domain.objects.filter(pk=domain).exists()


def plan_deletion(relation: Relation, rows: QuerySet) -> list[PlannedChange]:
    return [plan_deleted_row(relation, row) for row in rows]


def plan_deleted_row(relation: Relation, row: Any) -> PlannedChange:
    key = str(row._meta.get_field(relation.column).value_from_object(row))
    return PlannedChange("delete", row, {}, relation.action, *relation.get_log_names(row, key))


RELATIONS = (
    Relation(
        "fetchmail-mailbox",
        Fetchmail,
        "mailbox_id",
        [Mailbox],
        _("Fetchmail entries without a mailbox"),
        _("Fetchmail still signs in to the other server, and the mail that it fetches bounces."),
        NO_MAILBOX,
        in_domain_by_address("mailbox_id"),
        "delete_fetchmail",
    ),
    Relation(
        "quota-mailbox",
        OldUsage,
        "mailbox_id",
        [Mailbox],
        _("Usage (table of Dovecot 1.1) without a mailbox"),
        _("A new mailbox of that name would start with the usage of the former one."),
        NO_MAILBOX,
        in_domain_by_address("mailbox_id"),
    ),
    Relation(
        "quota2-mailbox",
        Usage,
        "mailbox_id",
        [Mailbox],
        _("Usage without a mailbox"),
        _("It counts as used space of the domain, and a new mailbox of that name starts with it."),
        NO_MAILBOX,
        in_domain_by_address("mailbox_id"),
    ),
    Relation(
        "vacation-mailbox",
        Vacation,
        "mailbox_id",
        [Mailbox],
        _("Vacation replies without a mailbox"),
        _("A new mailbox of that name would answer with the text of the former owner."),
        NO_MAILBOX,
        in_domain_by("domain"),
        "edit_vacation",
        roles=Role.ADMINS,
    ),
    Relation(
        "notification-vacation",
        VacationNotification,
        "vacation_id",
        [Vacation],
        _("Notified senders without a vacation reply"),
        _("These senders would get no reply from a new vacation of that address."),
        _("There is no such vacation reply."),
        in_domain_by_address("vacation_id"),
    ),
    Relation(
        "app-password-mailbox",
        AppPassword,
        "mailbox_id",
        [Mailbox],
        _("App passwords without a mailbox"),
        _("They would open a new mailbox of that name to the former owner."),
        NO_MAILBOX,
        in_domain_by_address("mailbox_id"),
        "delete_app_password",
    ),
    Relation(
        "sender-permission-mailbox",
        SenderPermission,
        "mailbox_id",
        [Mailbox],
        _("Sender permissions without a mailbox"),
        _("A new mailbox of that name could send as these addresses."),
        NO_MAILBOX,
        in_domain_by_address("mailbox_id"),
        "delete_sender_permission",
    ),
    Relation(
        "totp-exception-account",
        TotpException,
        "username",
        [Mailbox, Domain, Admin],
        _("TOTP exceptions without an account"),
        _("A new account of that name could sign in without its second factor from there."),
        _("There is no such mailbox, domain or admin."),
        lambda name: in_domain_by_address("username")(name) | Q(username=name),
        "delete_totp_exception",
        roles=Role.ADMINS,
    ),
    Relation(
        "dkim-domain",
        DkimKey,
        "domain_name_id",
        [Domain],
        _("DKIM keys without a domain"),
        _("They sign nothing, and are secrets of a domain that is no longer here."),
        NO_DOMAIN,
        in_domain_by("domain_name"),
        "delete_dkim_entry",
    ),
    Relation(
        "dkim-signing-author",
        DkimSigning,
        "author",
        [Mailbox, Alias, Domain],
        _("DKIM signings without an author"),
        _("The mail server would sign mail of senders that no longer exist."),
        _("There is no such domain, mailbox or alias."),
        lambda name: in_domain_by_address("author")(name) | Q(author=name),
        "delete_dkim_signing_entry",
    ),
    Relation(
        "dkim-signing-key",
        DkimSigning,
        "dkim_id",
        [DkimKey],
        _("DKIM signings without a key"),
        _("Mail of these senders is not signed, though it seems to be set up."),
        _("There is no key of this number."),
        None,
        "delete_dkim_signing_entry",
    ),
    Relation(
        "assignment-domain",
        DomainAdmin,
        "domain_id",
        [Domain],
        _("Assignments to domains that do not exist"),
        _("If the domain is created in PostfixAdmin again, these admins manage it at once."),
        NO_DOMAIN,
        in_domain_by("domain"),
        "edit_admin",
        ~Q(domain=ALL_DOMAINS),
        get_log_names=name_admin,
    ),
    Relation(
        "assignment-admin",
        DomainAdmin,
        "admin_id",
        [Admin],
        _("Assignments of admins that do not exist"),
        _("A new admin of that name would manage these domains at once."),
        NO_ADMIN,
        in_domain_by("domain"),
        "edit_admin",
        get_log_names=name_admin,
    ),
    Relation(
        "preference-admin",
        AdminPreference,
        "admin_id",
        [Admin],
        _("Preferences of admins that do not exist"),
        _("A new admin of that name would get them in PostfixAdmin."),
        NO_ADMIN,
        None,
    ),
)


def find_missing_domains(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the domains of these mailboxes or aliases that have no row."""
    slug = "mailboxes" if rows.model is Mailbox else "aliases"
    for key, count in count_orphans(rows, "domain_id", [Domain]):
        text = MISSING_DOMAIN_TEXTS[slug](count) % {"count": count}
        yield Problem(key, text, key, build_list_url(slug, key))


MISSING_DOMAIN_TEXTS = {
    "mailboxes": lambda n: ngettext("It has %(count)s mailbox.", "It has %(count)s mailboxes.", n),
    "aliases": lambda n: ngettext("It has %(count)s alias.", "It has %(count)s aliases.", n),
}


def find_broken_alias_domains(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the alias domains with an end that is no domain."""
    ends = [AliasDomain._meta.get_field(name) for name in ("alias_domain", "target_domain")]
    own, target = (has_parent(each, Domain) for each in ends)  # type: ignore[arg-type]
    for row in rows.annotate(has_own=own, has_target=target).exclude(has_own=True, has_target=True):
        name = row.target_domain_id if row.has_own else row.pk
        text = _("The domain %(name)s does not exist.") % {"name": name}
        yield Problem(row.pk, text, row.pk)


def plan_alias_domain_deletion(rows: QuerySet) -> list[PlannedChange]:
    return [PlannedChange("delete", r, {}, "delete_alias_domain", r.pk, r.pk) for r in rows]


ORPHAN_CHECKS = (
    IntegrityCheck(
        "domain-missing",
        LEFT_BEHIND,
        _("Mailboxes and aliases of domains that do not exist"),
        _("They receive no mail, and no domain admin sees them."),
        [CheckedRows(model, "domain_id", in_domain_by("domain")) for model in (Mailbox, Alias)],
        find_missing_domains,
        decision=_("Create the domain again, or delete its mailboxes and aliases."),
        roles=Role.SUPERADMIN,
    ),
    IntegrityCheck(
        "alias-domain-missing",
        LEFT_BEHIND,
        _("Alias domains of domains that do not exist"),
        _("Mail to them bounces."),
        [CheckedRows(AliasDomain, "alias_domain_id", in_domain_by("alias_domain"))],
        find_broken_alias_domains,
        plan_alias_domain_deletion,
        _("Delete the alias domains."),
        roles=Role.SUPERADMIN,
    ),
    *(relation.build_check() for relation in RELATIONS),
)
