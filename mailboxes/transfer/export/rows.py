"""The rows of an export, as files hold them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db.models import Count, Max, Model, Q, QuerySet
from django.utils.translation import gettext as _

from domains.models import DkimKey, Domain, DomainAdmin
from domains.services import transports
from mailadmin.db.aggregates import bounded_sum
from mailadmin.db.pagination import iter_pages
from mailadmin.names import fold
from mailboxes.models import Alias, Mailbox
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.plan.limits import DomainCapacity
from mailboxes.transfer.row_types.aliases import AliasRowType
from mailboxes.transfer.row_types.base import RowType, RowValues


def iter_export_rows(row_type: RowType, losses: Losses, domain: str = "") -> Iterator[RowValues]:
    """Yield all rows of a type, or those of a domain, as an import takes them."""
    rows = row_type.model._default_manager.all()
    if domain:
        rows = DOMAIN_FILTERS.get(row_type.name, filter_by_domain)(rows, domain, losses)
    if row_type.name in QUERYSET_FILTERS:
        rows = QUERYSET_FILTERS[row_type.name](rows, losses)
    select = PAGE_FILTERS.get(row_type.name, select_all)
    for page in iter_pages(rows):
        yield from (
            build_export_values(row_type, row)
            for row in select(row_type.prefetch_rows(page), losses)
        )


def build_export_values(row_type: RowType, row: Model) -> RowValues:
    """Return the values of a row for a file, without those that are NULL."""
    values = row_type.to_file_values(row_type.values_from_row(row))
    return {name: value for name, value in values.items() if value is not None}


# Rows of one domain


def filter_by_domain(rows: QuerySet, domain: str, _losses: Losses) -> QuerySet:
    return rows.filter(domain=domain)


def build_address_filter(column: str) -> Callable[[QuerySet, str, Losses], QuerySet]:
    """Return a filter by the address: a join would leave out rows whose mailbox is gone."""

    def filter_by_address(rows: QuerySet, domain: str, _losses: Losses) -> QuerySet:
        return rows.filter(**{f"{column}__endswith": f"@{domain}"})

    return filter_by_address


def filter_admins(rows: QuerySet, domain: str, losses: Losses) -> QuerySet:
    """Return admins of this domain only: of others a part would be missing."""
    assigned = DomainAdmin.objects.filter(active=True)
    admins = rows.filter(superadmin=False, pk__in=assigned.filter(domain=domain).values("admin_id"))
    admins_elsewhere = assigned.exclude(domain=domain).values("admin_id")
    for name in admins.filter(pk__in=admins_elsewhere).values_list("pk", flat=True):
        losses.add(_("Admins who also manage other domains: skipped."), name)
    return admins.exclude(pk__in=admins_elsewhere)


def filter_totp_exceptions(rows: QuerySet, domain: str, _losses: Losses) -> QuerySet:
    """Return the TOTP exceptions of a domain and of its mailboxes."""
    return rows.filter(Q(username=domain) | Q(username__endswith=f"@{domain}"))


def filter_sender_permissions(rows: QuerySet, domain: str, losses: Losses) -> QuerySet:
    """Return permissions of this domain's mailboxes for its addresses: others need two domains."""
    text = _("Sender permissions for mailboxes or addresses of other domains: skipped.")
    others = rows.filter(Q(domain=domain) | Q(mailbox_domain=domain))
    for row in others.exclude(domain=domain, mailbox_domain=domain):
        losses.add(text, str(row))
    return rows.filter(domain=domain, mailbox_domain=domain)


DOMAIN_FILTERS = {
    "admin": filter_admins,
    "alias-domain": lambda rows, domain, _losses: rows.filter(alias_domain=domain),
    "transport": lambda rows, domain, _losses: transports.filter_transports_by_domains(
        rows, [domain]
    ),
    "fetchmail": build_address_filter("mailbox__username"),
    "app-password": build_address_filter("mailbox__username"),
    "dkim-key": lambda rows, domain, _losses: rows.filter(domain_name=domain),
    "dkim-signing": lambda rows, domain, _losses: rows.filter(dkim__domain_name=domain),
    "totp-exception": filter_totp_exceptions,
    "sender-permission": filter_sender_permissions,
}


# Rows that are left out


def exclude_keyless_signings(rows: QuerySet, losses: Losses) -> QuerySet:
    """Leave out DKIM signings whose key is gone: they are identified by it, and sign nothing."""
    without_key = rows.exclude(dkim__in=DkimKey.objects.values("pk"))
    for signing in without_key:
        losses.add(_("DKIM signing without a key: skipped."), signing.author)
    return rows.select_related("dkim")


QUERYSET_FILTERS = {"dkim-signing": exclude_keyless_signings}


def select_all(rows: Iterable[Model], _losses: Losses) -> Iterable[Model]:
    return rows


def select_aliases(rows: Iterable[Alias], losses: Losses) -> Iterator[Alias]:
    """Leave out aliases that deliver to their mailbox alone: creating it creates them."""
    mailboxes = Mailbox.objects.filter(pk__in=[row.pk for row in rows])
    is_active = {fold(key): active for key, active in mailboxes.values_list("pk", "active")}
    for row in rows:
        key = fold(row.pk)
        if row.active != is_active.get(key, row.active):
            text = _("Alias and mailbox with the same address, one of them inactive.")
            losses.add(text, row.pk)
        if key not in is_active or has_texts(row) or has_other_targets(row):
            yield row


ALIAS_ROWS = AliasRowType()


def has_texts(alias: Alias) -> bool:
    """Tell whether the alias of a mailbox has values that creating the mailbox does not give it."""
    names = ALIAS_ROWS.text_columns
    return bool(
        ALIAS_ROWS.find_own_values({name: ALIAS_ROWS.value_from_row(alias, name) for name in names})
    )


def has_other_targets(alias: Alias) -> bool:
    """Tell whether a mailbox's mail goes elsewhere too.

    If it is only answered, the vacation row tells so.
    """
    return bool(alias.others) or not (alias.targets or alias.goto)


def select_full_domains(rows: Iterable[Domain], _losses: Losses) -> list[Domain]:
    """Return domains that hold more than their limits allow."""
    counted = count_domain_contents([row.pk for row in rows])
    return [
        row
        for row in rows
        if DomainCapacity(row, True, **counted[fold(row.pk)]).find_limits_to_widen()
    ]


def count_domain_contents(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the arguments of `DomainCapacity` by folded name, counted as an import does."""
    contents: dict[str, dict[str, Any]] = {fold(name): {"counts": Counter()} for name in names}
    aliases = Alias.objects.filter(domain__in=names).values("domain_id").annotate(n=Count("pk"))
    for row in aliases:
        contents[fold(row["domain_id"])]["counts"]["aliases"] += row["n"]
    mailboxes = Mailbox.objects.filter(domain__in=names).values("domain_id")
    for row in mailboxes.annotate(
        n=Count("pk"),
        assigned=bounded_sum("quota", filter=Q(quota__gt=0)),
        largest=Max("quota"),
        unlimited=Count("pk", filter=Q(quota=0)),
    ):
        content = contents[fold(row["domain_id"])]
        content["counts"]["mailboxes"] += row["n"]
        content["assigned_quota"] = row["assigned"]
        content["largest_quota"] = max(0, row["largest"])
        content["has_unlimited_quota"] = bool(row["unlimited"])
    return contents


PAGE_FILTERS: dict[str, Callable[[Any, Losses], Iterable[Any]]] = {
    "alias": select_aliases,
    "limit": select_full_domains,
}


def find_domain_name(name: str) -> str | None:
    """Return the name of a domain as it is stored, None if there is no such domain."""
    return Domain.objects.filter(pk=name).values_list("pk", flat=True).first()
