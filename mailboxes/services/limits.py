"""How much a domain may hold: -1 is none, 0 is unlimited. Asked under the domain's lock.

What is there is counted. In a large domain, whose rows nobody wants to count for each change, the
tally stands for it, as long as it is far from the limit and the worker has just looked at it.
"""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from domains.models import NONE_ALLOWED, UNLIMITED, DomainState
from mailadmin.db.aggregates import bounded_sum
from mailadmin.db.fields import validate_column
from mailboxes.dashboard import cache
from mailboxes.models import Mailbox

SMALL_DOMAIN_LIMIT = 200  # mailboxes that are counted sooner than thought about
TALLY_TRUST_RATIO = 0.9  # of a limit


def megabytes_to_bytes(megabytes):
    """0 is unlimited and -1 disabled, in MB as in bytes."""
    megabytes = megabytes or 0
    return int(megabytes * settings.MAILADMIN_QUOTA_MULTIPLIER) if megabytes > 0 else int(megabytes)


def bytes_to_megabytes(size):
    return size / settings.MAILADMIN_QUOTA_MULTIPLIER if size > 0 else size


def format_whole_megabytes(size):
    """Room in MB, written as the reader writes numbers."""
    return number_format(int(max(0, bytes_to_megabytes(size))))


def sum_assigned_quota(mailboxes):
    return sum(max(0, mailbox.quota) for mailbox in mailboxes)


def is_quota_increase(mailbox, edited):
    """Whether a quota grows, or ends; one that shrinks is welcome wherever too much is given."""
    return edited.quota != mailbox.quota and (edited.quota == 0 or edited.quota > mailbox.quota)


def get_trusted_tallies(domain):
    """The tallies that may stand for what is in the domain, if they may."""
    state = DomainState.objects.filter(pk=domain.pk).first()
    return state if state and state.mailboxes > SMALL_DOMAIN_LIMIT and cache.is_fresh() else None


def is_far_below_limit(limit, present):
    return present <= limit * TALLY_TRUST_RATIO


def is_within_limit(domain, kind, present, more):
    limit = getattr(domain, kind)
    if limit == UNLIMITED:
        return True
    state = get_trusted_tallies(domain) if limit > SMALL_DOMAIN_LIMIT else None
    if state and is_far_below_limit(limit, getattr(state, kind) + more):
        return True
    return domain.has_capacity_for(kind, present.count(), more)


def check_row_limit(domain, kind, present, more):
    if is_within_limit(domain, kind, present, more):
        return
    limit = getattr(domain, kind)
    text = NONE_ALLOWED_MESSAGES[kind] if limit == NONE_ALLOWED else LIMIT_REACHED_MESSAGES[kind]
    values = {"domain": domain, "limit": number_format(limit)}
    raise ValidationError({"local_part": text % values})


LIMIT_REACHED_MESSAGES = {
    "mailboxes": _("The domain %(domain)s has reached its limit of mailboxes (%(limit)s)."),
    "aliases": _("The domain %(domain)s has reached its limit of aliases (%(limit)s)."),
}
NONE_ALLOWED_MESSAGES = {
    "mailboxes": _("The domain %(domain)s allows none: its limit of mailboxes is %(limit)s."),
    "aliases": _("The domain %(domain)s allows none: its limit of aliases is %(limit)s."),
}


def check_quotas(domain, mailboxes):
    for mailbox in mailboxes:
        check_mailbox_quota(domain, mailbox)
    if domain.quota > 0 and not is_far_below_domain_quota(domain, sum_assigned_quota(mailboxes)):
        room = get_unassigned_quota(domain, without=[m.pk for m in mailboxes])
        if sum_assigned_quota(mailboxes) > room:
            raise ValidationError(
                {
                    "quota": _(
                        "The domain has not enough quota left: %(room)s MB of %(quota)s MB. "
                        "Choose a smaller mailbox, or enlarge the domain's quota."
                    )
                    % {"room": format_whole_megabytes(room), "quota": number_format(domain.quota)}
                }
            )


def check_mailbox_quota(domain, mailbox):
    validate_column_capacity(mailbox, "quota")
    limit = domain.maxquota
    if NONE_ALLOWED in (domain.quota, limit) and mailbox.quota > 0:
        raise ValidationError(
            {"quota": _("Quotas are switched off for this domain: 0 or -1 only.")}
        )
    if mailbox.quota == 0 and (limit > 0 or domain.quota > 0):
        raise ValidationError({"quota": format_unlimited_refused(domain)})
    if limit > 0 and mailbox.quota > megabytes_to_bytes(limit):
        raise ValidationError(
            {
                "quota": _("The largest mailbox in this domain has %(limit)s MB.")
                % {"limit": number_format(limit)}
            }
        )


def format_unlimited_refused(domain) -> object:
    """Why a mailbox cannot be unlimited here, and what it can be."""
    bounds = [megabytes_to_bytes(domain.maxquota)] if domain.maxquota > 0 else []
    if domain.quota > 0:
        bounds.append(get_unassigned_quota(domain))
    if min(bounds) <= 0:
        return format_no_quota_left(domain)
    text = _("This domain allows no mailbox without a quota: enter 1 to %(room)s MB.")
    return text % {"room": format_whole_megabytes(min(bounds))}


def format_no_quota_left(domain) -> object:
    text = _(
        "No quota is left: the domain's %(quota)s MB are all assigned. Lower another mailbox's "
        "quota, or enlarge the domain's."
    )
    return text % {"quota": number_format(domain.quota)}


def get_unassigned_quota(domain, without=()):
    """Bytes of the domain's quota that no mailbox has been given, except perhaps these."""
    given = Mailbox.objects.filter(domain=domain, quota__gt=0)
    # Taken off apart: with "all but these" MySQL passes over all mailboxes of all domains.
    own = sum_quota(given.filter(pk__in=without)) if without else 0
    return megabytes_to_bytes(domain.quota) - sum_quota(given) + own


def sum_quota(mailboxes):
    return mailboxes.aggregate(sum=bounded_sum("quota"))["sum"]


def estimate_unassigned_quota(domain, mailbox=None):
    """The same for people to read, of a large domain by its tally."""
    if state := get_trusted_tallies(domain):
        return (
            megabytes_to_bytes(domain.quota)
            - state.quota_assigned
            + sum_assigned_quota([mailbox] * bool(mailbox))
        )
    return get_unassigned_quota(domain, without=[mailbox.pk] if mailbox else ())


def is_far_below_domain_quota(domain, more):
    state = get_trusted_tallies(domain)
    return bool(state) and is_far_below_limit(
        megabytes_to_bytes(domain.quota), state.quota_assigned + more
    )


def validate_column_capacity(row, field):
    """Old columns are narrow: a quota ended at 2 GB, a list of targets ends at 64 kB."""
    try:
        validate_column(row._meta.get_field(field), getattr(row, field))
    except ValidationError as error:
        raise ValidationError({field: error}) from error
