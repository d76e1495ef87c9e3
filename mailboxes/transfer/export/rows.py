"""Rows on their way out: each kind's, some at a time, as files hold them."""

from collections import Counter

from django.db.models import Count, Max, Q
from django.utils.translation import gettext as _

from domains.models import DkimKey, Domain, DomainAdmin
from domains.services import transports
from mailadmin.db.aggregates import bounded_sum
from mailadmin.db.pagination import iter_pages
from mailadmin.names import fold
from mailboxes.models import Alias, Mailbox
from mailboxes.transfer.plan.limits import DomainCapacity


def iter_export_rows(kind, losses, domain=""):
    """All rows of a kind, or those of a domain, by which an import makes the same."""
    rows = kind.model._default_manager.all()
    if domain:
        rows = DOMAIN_FILTERS.get(kind.name, filter_by_domain)(rows, domain, losses)
    if kind.name in QUERYSET_FILTERS:
        rows = QUERYSET_FILTERS[kind.name](rows, losses)
    choose = PAGE_FILTERS.get(kind.name, select_all)
    for page in iter_pages(rows):
        yield from (
            build_export_values(kind, row) for row in choose(kind.prefetch_rows(page), losses)
        )


def build_export_values(kind, row):
    """What stands in a file for a row; what it does not have is left out."""
    values = kind.to_file_values(kind.words(row))
    return {name: value for name, value in values.items() if value is not None}


# Of one domain


def filter_by_domain(rows, domain, _losses):
    return rows.filter(domain=domain)


def build_address_filter(column):
    """By the address: a join would leave out rows whose mailbox is gone."""

    def chosen(rows, domain, _losses):
        return rows.filter(**{f"{column}__endswith": f"@{domain}"})

    return chosen


def filter_admins(rows, domain, losses):
    """Those who run this domain alone: of others a part would be missing."""
    assigned = DomainAdmin.objects.filter(active=True)
    here = rows.filter(superadmin=False, pk__in=assigned.filter(domain=domain).values("admin_id"))
    elsewhere = assigned.exclude(domain=domain).values("admin_id")
    for name in here.filter(pk__in=elsewhere).values_list("pk", flat=True):
        losses.add(_("Admins who run other domains too are left out."), name)
    return here.exclude(pk__in=elsewhere)


def filter_totp_exceptions(rows, domain, _losses):
    """TOTP exceptions of a domain and of its mailboxes."""
    return rows.filter(Q(username=domain) | Q(username__endswith=f"@{domain}"))


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
}


# What is not written


def exclude_keyless_signings(rows, losses):
    """A signing is told by its key; one whose key is gone signs nothing."""
    lost = rows.exclude(dkim__in=DkimKey.objects.values("pk"))
    for signing in lost:
        losses.add(_("DKIM signings without a key are left out."), signing.author)
    return rows.select_related("dkim")


QUERYSET_FILTERS = {"dkim-signing": exclude_keyless_signings}


def select_all(rows, _losses):
    return rows


def select_aliases(rows, losses):
    """A mailbox comes with the alias that leads to it alone, so that one is not written."""
    own = Mailbox.objects.filter(pk__in=[row.pk for row in rows])
    is_active = {fold(key): active for key, active in own.values_list("pk", "active")}
    for row in rows:
        key = fold(row.pk)
        if row.active != is_active.get(key, row.active):
            text = _("An alias that is on where its mailbox is off, or off where it is on.")
            losses.add(text, row.pk)
        if key not in is_active or row.description or has_other_targets(row):
            yield row


def has_other_targets(alias):
    """Whether mail for a mailbox goes elsewhere too; what is only answered its vacation says."""
    return bool(alias.others) or not (alias.targets or alias.goto)


def select_full_domains(rows, _losses):
    """Domains that hold more than their limits allow."""
    counted = count_domain_contents([row.pk for row in rows])
    return [
        row
        for row in rows
        if DomainCapacity(row, True, **counted[fold(row.pk)]).find_limits_to_widen()
    ]


def count_domain_contents(names):
    """Folded name → what is in a domain, as the plan of an import would count it."""
    found = {fold(name): {"present": Counter()} for name in names}
    aliases = Alias.objects.filter(domain__in=names).values("domain_id").annotate(n=Count("pk"))
    for row in aliases:
        found[fold(row["domain_id"])]["present"]["aliases"] += row["n"]
    mailboxes = Mailbox.objects.filter(domain__in=names).values("domain_id")
    for row in mailboxes.annotate(
        n=Count("pk"),
        assigned=bounded_sum("quota", filter=Q(quota__gt=0)),
        largest=Max("quota"),
        unlimited=Count("pk", filter=Q(quota=0)),
    ):
        own = found[fold(row["domain_id"])]
        own["present"]["mailboxes"] += row["n"]
        own["assigned"] = row["assigned"]
        own["largest"] = max(0, row["largest"])
        own["has_unlimited_quota"] = bool(row["unlimited"])
    return found


PAGE_FILTERS = {"alias": select_aliases, "limit": select_full_domains}


def find_domain_name(name):
    """The domain by that name, as it is stored; None if there is none."""
    return Domain.objects.filter(pk=name).values_list("pk", flat=True).first()
