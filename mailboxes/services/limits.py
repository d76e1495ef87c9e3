"""Limits of a domain: -1 allows none, 0 is unlimited. Checked under the domain's lock.

Rows are counted. In a large domain, where counting at each change would take too long, the tally is
used instead while it is far from the limit and the worker has refreshed it recently.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet, Subquery
from django.utils.formats import number_format

from domains.models import NONE_ALLOWED, UNLIMITED, Domain, DomainState
from domains.quotas import bytes_to_megabytes, megabytes_to_bytes
from mailadmin.accounts.models import Role
from mailadmin.db.aggregates import bounded_sum
from mailadmin.db.bulk import chunks
from mailadmin.db.column_facts import validate_column
from mailadmin.db.compiled import CompiledQuery
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import Alias, Mailbox
from mailboxes.services import cached_stats

SMALL_DOMAIN_LIMIT = 200  # mailboxes; up to so many are counted at each change
LIMIT_CODE = "limit"  # of errors that a larger limit of the domain would avoid
TALLY_TRUST_RATIO = 0.9  # of a limit


TALLIES = CompiledQuery(
    lambda domain: DomainState.objects.filter(pk=domain).annotate(
        refreshed=Subquery(cached_stats.last_refresh_queryset().values("number")[:1])
    )
)


def format_whole_megabytes(size: int) -> str:
    """Return bytes as whole MB, in the number format of the reader."""
    return number_format(int(max(0, bytes_to_megabytes(size))))


def sum_assigned_quota(mailboxes: Iterable[Mailbox]) -> int:
    return sum(max(0, mailbox.quota) for mailbox in mailboxes)


def is_quota_increase(mailbox: Mailbox, edited: Mailbox) -> bool:
    """Return whether a quota grows or is removed; a smaller one is always allowed."""
    return edited.quota != mailbox.quota and (edited.quota == 0 or edited.quota > mailbox.quota)


def get_trusted_tallies(domain: Domain) -> DomainState | None:
    """Return the tallies of a large domain, if they may be used instead of counting."""
    state = TALLIES.first(domain=domain.pk)
    is_large = state is not None and state.mailboxes > SMALL_DOMAIN_LIMIT
    return state if is_large and cached_stats.is_recent_refresh(state.refreshed) else None


def find_trusted_tallies(names: Sequence[str]) -> list[DomainState]:
    """Return the tallies of those of these domains that are large, if they may be used."""
    is_large = Q(mailboxes__gt=SMALL_DOMAIN_LIMIT) | Q(aliases__gt=SMALL_DOMAIN_LIMIT)
    found = [
        state
        for part in chunks(names)
        for state in DomainState.objects.filter(is_large, domain__in=part)
    ]
    is_fresh = bool(found) and cached_stats.is_recent_refresh(cached_stats.get_last_refresh())
    return found if is_fresh else []


def is_far_below_limit(limit: int, count: int) -> bool:
    return count <= limit * TALLY_TRUST_RATIO


def get_limited_rows(domain: Domain, kind: str) -> QuerySet:
    """Return the rows that count towards a limit: the alias of a mailbox does not."""
    if kind == "mailboxes":
        return Mailbox.objects.filter(domain=domain)
    return Alias.objects.filter(domain=domain).without_mailbox()


def count_in_use(domain: Domain, kind: str) -> int:
    """Return how many mailboxes or aliases a domain has, for pages and warnings."""
    state = get_trusted_tallies(domain)
    return getattr(state, kind) if state else get_limited_rows(domain, kind).count()


def is_within_limit(domain: Domain, kind: str, more: int) -> bool:
    """Return whether `more` mailboxes or aliases fit beside those of the domain."""
    limit = getattr(domain, kind)
    if limit == UNLIMITED:
        return True
    state = get_trusted_tallies(domain) if limit > SMALL_DOMAIN_LIMIT else None
    if state and is_far_below_limit(limit, getattr(state, kind) + more):
        return True
    return domain.has_capacity_for(kind, get_limited_rows(domain, kind).count(), more)


def check_row_limit(domain: Domain, kind: str, more: int) -> None:
    """Refuse more mailboxes or aliases than the domain may have."""
    if is_within_limit(domain, kind, more):
        return
    limit = getattr(domain, kind)
    text = NONE_ALLOWED_MESSAGES[kind] if limit == NONE_ALLOWED else LIMIT_REACHED_MESSAGES[kind]
    values = {"domain": domain, "limit": number_format(limit)}
    raise ValidationError({"local_part": ValidationError(text % values, code=LIMIT_CODE)})


def format_reached_limit(domain: Domain, kind: str) -> str:
    """Return how much of a limit is used if nothing more fits under it; otherwise nothing."""
    limit = getattr(domain, kind)
    if is_within_limit(domain, kind, 1):
        return ""
    if limit <= NONE_ALLOWED:
        return NONE_ALLOWED_MESSAGES[kind] % {"domain": domain, "limit": number_format(limit)}
    used = number_format(count_in_use(domain, kind))
    return USED_MESSAGES[kind] % {"domain": domain, "used": used, "limit": number_format(limit)}


LIMIT_REACHED_MESSAGES = {
    "mailboxes": _("%(domain)s has reached its mailbox limit (%(limit)s)."),
    "aliases": _("%(domain)s has reached its alias limit (%(limit)s)."),
}
USED_MESSAGES = {
    "mailboxes": _("%(domain)s: %(used)s of %(limit)s mailboxes are used."),
    "aliases": _("%(domain)s: %(used)s of %(limit)s aliases are used."),
}
NONE_ALLOWED_MESSAGES = {
    "mailboxes": _("%(domain)s allows no mailboxes: its limit is %(limit)s."),
    "aliases": _("%(domain)s allows no aliases: its limit is %(limit)s."),
}


def check_quotas(domain: Domain, mailboxes: Sequence[Mailbox], principal: Any = None) -> None:
    """Refuse mailboxes whose quotas are not allowed, or together more than the domain has left."""
    for mailbox in mailboxes:
        check_mailbox_quota(domain, mailbox, principal)
    check_domain_quota(domain, mailboxes, principal)


def check_domain_quota(domain: Domain, mailboxes: Sequence[Mailbox], principal: Any = None) -> None:
    """Refuse quotas that are together more than the domain has left without these mailboxes."""
    if domain.enforced_quota > 0 and not is_far_below_domain_quota(
        domain, sum_assigned_quota(mailboxes)
    ):
        left = get_unassigned_quota(domain, without=[m.pk for m in mailboxes])
        if sum_assigned_quota(mailboxes) > left:
            text = _(
                "Not enough domain quota: %(room)s of %(quota)s MB are left."
                " Enter a smaller quota, or raise the domain quota."
            )
            if is_domain_admin(principal):
                text = _(
                    "Not enough domain quota: %(room)s of %(quota)s MB are left."
                    " Enter a smaller quota."
                )
            values = {
                "room": format_whole_megabytes(left),
                "quota": number_format(domain.enforced_quota),
            }
            raise ValidationError({"quota": ValidationError(text % values, code=LIMIT_CODE)})


def check_mailbox_quota(domain: Domain, mailbox: Mailbox, principal: Any = None) -> None:
    """Refuse a quota that the domain does not allow for one mailbox."""
    validate_column_capacity(mailbox, "quota")
    limit = domain.enforced_maxquota
    if NONE_ALLOWED in (domain.enforced_quota, limit) and mailbox.quota > 0:
        raise ValidationError({"quota": _("Quotas are disabled for this domain: enter 0 or -1.")})
    if mailbox.quota == 0 and (limit > 0 or domain.enforced_quota > 0):
        raise ValidationError({"quota": format_unlimited_refused(domain, mailbox, principal)})
    if limit > 0 and mailbox.quota > megabytes_to_bytes(limit):
        raise ValidationError(
            {
                "quota": _("The maximum quota per mailbox in this domain is %(limit)s MB.")
                % {"limit": number_format(limit)}
            }
        )


def format_unlimited_refused(domain: Domain, mailbox: Mailbox, principal: Any) -> str:
    """Return why this mailbox cannot be unlimited, and how large it can be."""
    bounds = [megabytes_to_bytes(domain.enforced_maxquota)] if domain.enforced_maxquota > 0 else []
    if domain.enforced_quota > 0:
        bounds.append(get_unassigned_quota(domain, without=[mailbox.pk]))
    if min(bounds) <= 0:
        return format_no_quota_left(domain, principal)
    text = _("Mailboxes in this domain cannot be unlimited: enter 1 to %(room)s MB.")
    return text % {"room": format_whole_megabytes(min(bounds))}


def format_no_quota_left(domain: Domain, principal: Any = None) -> str:
    """Return that no quota is left, and what helps; a domain admin cannot raise it."""
    text = _(
        "All %(quota)s MB of the domain quota are assigned. Lower the quota of another"
        " mailbox, or raise the domain quota."
    )
    if is_domain_admin(principal):
        text = _(
            "All %(quota)s MB of the domain quota are assigned. Lower the quota of another"
            " mailbox, or ask a superadmin to raise the domain quota."
        )
    return text % {"quota": number_format(domain.enforced_quota)}


def is_domain_admin(principal: Any) -> bool:
    return getattr(principal, "role", None) is Role.ADMIN


def get_unassigned_quota(domain: Domain, without: Sequence[str] = ()) -> int:
    """Return the bytes of the domain's quota that no mailbox has, those of `without` left out."""
    limited = Mailbox.objects.filter(domain=domain, quota__gt=0)
    # Subtracted separately: with `exclude` MySQL reads all mailboxes of all domains.
    left_out = sum_quota(limited.filter(pk__in=without)) if without else 0
    return megabytes_to_bytes(domain.enforced_quota) - sum_quota(limited) + left_out


def sum_quota(mailboxes: QuerySet[Mailbox]) -> int:
    return mailboxes.aggregate(sum=bounded_sum("quota"))["sum"]


def estimate_unassigned_quota(domain: Domain, mailbox: Mailbox | None = None) -> int:
    """Return the unassigned bytes for pages, which use the tally of a large domain."""
    if state := get_trusted_tallies(domain):
        return (
            megabytes_to_bytes(domain.enforced_quota)
            - state.quota_assigned
            + sum_assigned_quota([mailbox] if mailbox else [])
        )
    return get_unassigned_quota(domain, without=[mailbox.pk] if mailbox else ())


def is_far_below_domain_quota(domain: Domain, more: int) -> bool:
    state = get_trusted_tallies(domain)
    if state is None:
        return False
    return is_far_below_limit(
        megabytes_to_bytes(domain.enforced_quota), state.quota_assigned + more
    )


def validate_column_capacity(row: Mailbox | Alias, field: str) -> None:
    """Refuse a value that the column cannot hold: old quotas end at 2 GB, target lists at 64 kB."""
    try:
        fields = {each.name: each for each in row._meta.concrete_fields}
        validate_column(fields[field], getattr(row, field))
    except ValidationError as error:
        raise ValidationError({field: error}) from error
