"""Alias domains of alias domains, and those that have mailboxes."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Count, Q, QuerySet

from domains.models import AliasDomain
from mailadmin.formatting import key_url
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailadmin.translation import ngettext
from mailboxes.integrity.checks import (
    CheckedRows,
    IntegrityCheck,
    Problem,
    has_parent,
    in_domain_by,
)
from mailboxes.models import Mailbox

ALIAS_DOMAINS = _("Alias domains")
ALIAS_DOMAIN_ROWS = [
    CheckedRows(
        AliasDomain, "alias_domain_id", in_domain_by("alias_domain"), Q(active=True), window=500
    )
]


def find_chains(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the alias domains whose target is an alias domain."""
    target: Any = AliasDomain._meta.get_field("target_domain")
    for row in rows.filter(has_parent(target, AliasDomain)):
        text = _("Its target %(name)s is itself an alias domain.") % {"name": row.target_domain_id}
        yield Problem(row.pk, text, row.pk, key_url("alias-domains-edit", row.pk))


def find_own_mailboxes(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the alias domains that have mailboxes of their own."""
    keys = list(rows.values_list("alias_domain_id", flat=True))
    mailboxes = Mailbox._base_manager.filter(domain__in=keys).order_by().values("domain_id")
    counts = mailboxes.annotate(count=Count("*")).values_list("domain_id", "count")
    numbers = {fold(name): count for name, count in counts}
    for key in keys:
        if number := numbers.get(fold(key)):
            text = ngettext("It has %(count)s mailbox.", "It has %(count)s mailboxes.", number)
            yield Problem(key, text % {"count": number}, key, key_url("domain", key))


ALIAS_DOMAIN_CHECKS = (
    IntegrityCheck(
        "alias-domain-chain",
        ALIAS_DOMAINS,
        _("Alias domains of alias domains"),
        _("Postfix follows one alias domain, not the next: mail to them bounces."),
        ALIAS_DOMAIN_ROWS,
        find_chains,
        decision=_("Choose the last domain of the chain as the target."),
    ),
    IntegrityCheck(
        "alias-domain-mailboxes",
        ALIAS_DOMAINS,
        _("Alias domains with mailboxes"),
        _("These mailboxes receive mail that would otherwise go to the target domain."),
        ALIAS_DOMAIN_ROWS,
        find_own_mailboxes,
        decision=_("Delete the alias domain, or the mailboxes."),
    ),
)
