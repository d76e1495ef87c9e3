"""Warn of limits below what a domain holds, and of what an alias domain does not hand on."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import Q
from django.utils.formats import number_format

from domains.models import UNLIMITED, AliasDomain, Domain
from domains.quotas import megabytes_to_bytes
from mailadmin import registry
from mailadmin.formatting import unicode_address
from mailadmin.names import fold
from mailadmin.translation import gettext as _
from mailadmin.translation import join_texts, ngettext
from mailboxes.models import Alias, Mailbox
from mailboxes.services import limits


def iter_limit_warnings(domain: Domain) -> Iterator[str]:
    """Yield what already exceeds the limits of a domain."""
    for kind in ("mailboxes", "aliases"):
        limit = getattr(domain, kind)
        count = 0 if limit == UNLIMITED else limits.count_in_use(domain, kind)
        if count > max(0, limit):
            text = _("Already in use: %(rows)s. No new ones can be created.")
            yield text % {"rows": registry.tables[kind].format_count(count)}
    if domain.enforced_maxquota > 0 and (larger := count_larger_mailboxes(domain)):
        text = ngettext(
            "%(count)s mailbox has a quota above %(limit)s MB. Existing quotas are not changed.",
            "%(count)s mailboxes have quotas above %(limit)s MB. Existing quotas are not changed.",
            larger,
        )
        limit = number_format(domain.enforced_maxquota)
        yield text % {"count": number_format(larger), "limit": limit}
    if domain.enforced_quota > 0 and (left := limits.estimate_unassigned_quota(domain)) < 0:
        assigned = limits.format_whole_megabytes(domain.quota_size - left)
        text = _("%(size)s MB are assigned to mailboxes already; no mailbox can get more.")
        yield text % {"size": assigned}


def count_larger_mailboxes(domain: Domain) -> int:
    """Return how many mailboxes have more than the domain allows one; 0 is unlimited."""
    limit = min(megabytes_to_bytes(domain.enforced_maxquota), 2**63 - 1)
    larger = Q(quota__gt=limit) | Q(quota=0)
    return Mailbox.objects.filter(larger, domain=domain).count()


def iter_alias_domain_warnings(principal: Any, alias_domain: AliasDomain) -> Iterator[str]:
    """Yield which mail stays in an alias domain: Postfix looks up the domain's own rows first."""
    name = alias_domain.pk
    aliases = Alias.objects.visible_to(principal).filter(domain=name, active=True)
    target = unicode_address(alias_domain.target_domain_id)
    values = {"domain": str(alias_domain), "target": target}
    counts = {
        "mailboxes": Mailbox.objects.visible_to(principal).filter(domain=name).count(),
        "aliases": aliases.without_mailbox().exclude(pk=f"@{name}").count(),
    }
    own = [registry.tables[kind].format_count(count) for kind, count in counts.items() if count]
    if own:
        own_text = join_texts([own[0], _("and"), own[1]] if len(own) > 1 else own)
        text = _(
            "The addresses of %(domain)s itself (%(own)s) keep their mail; mail to other addresses"
            " is handled as mail to %(target)s."
        )
        yield text % {**values, "own": own_text}
    if aliases.filter(pk=f"@{name}").exists():
        yield get_own_catch_all_text() % values


def find_own_address_warnings(
    principal: Any, rows: Sequence[Mailbox | Alias]
) -> dict[str, list[str]]:
    """Return a text for each row of an alias domain that takes mail before the target does."""
    names = {row.domain_id for row in rows if row.active}
    found = AliasDomain.objects.visible_to(principal).filter(pk__in=names, active=True)
    alias_domains = {fold(each.pk): each for each in found} if names else {}
    return {
        row.pk: [format_own_address(row, alias_domains[fold(row.domain_id)])]
        for row in rows
        if row.active and fold(row.domain_id) in alias_domains
    }


def format_own_address(row: Mailbox | Alias, alias_domain: AliasDomain) -> str:
    target = unicode_address(alias_domain.target_domain_id)
    values = {"domain": str(alias_domain), "target": target, "address": str(row)}
    if row.pk.startswith("@"):
        return get_own_catch_all_text() % values
    text = _(
        "%(domain)s is an alias domain of %(target)s, but mail to %(address)s is delivered to this"
        " address itself."
    )
    return text % values


def get_own_catch_all_text() -> str:
    return _(
        "%(domain)s has a catch-all of its own: it takes mail to addresses that do not exist"
        " in %(target)s."
    )
