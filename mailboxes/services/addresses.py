"""What mailboxes and aliases share: their domains, and that no address is taken twice."""

from collections import defaultdict
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db.models import Model

from domains.models import Domain
from mailadmin.db.bulk import chunks
from mailadmin.db.compiled import CompiledQuery
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import Alias, Mailbox


def find_domain_names(model: type[Model], keys: Iterable[str]) -> set[str]:
    """Return the names of the domains in which these rows are."""
    names: set[str] = set()
    for part in chunks(keys):
        names |= set(model._default_manager.filter(pk__in=part).values_list("domain_id", flat=True))
    return names


def group_by_domain(rows: Iterable, domains: dict[str, Domain] | None = None) -> list[tuple]:
    """Return (domain, its rows); the domain's name stands for one that is not given."""
    groups = defaultdict(list)
    for row in rows:
        groups[row.domain_id].append(row)
    found = {fold(domain.pk): domain for domain in (domains or {}).values()}
    return [(found.get(fold(name), name), group) for name, group in groups.items()]


def find_keys_of_mailboxes(keys: Iterable[str]) -> set[str]:
    """Return the folded keys of those of these aliases that belong to a mailbox."""
    found = (
        Mailbox.objects.filter(pk__in=part).values_list("pk", flat=True) for part in chunks(keys)
    )
    return {fold(key) for part in found for key in part}


TAKEN_BY_MAILBOXES = CompiledQuery(
    lambda keys: Mailbox.objects.filter(pk__in=keys).order_by("pk").values_list("pk")[:1]
)
TAKEN_BY_ALIASES = CompiledQuery(
    lambda keys: Alias.objects.filter(pk__in=keys).order_by("pk").values_list("pk")[:1]
)


def refuse_taken_addresses(keys: list[str]) -> None:
    """Refuse addresses that a mailbox or an alias has already, and the same address twice."""
    if len(set(keys)) < len(keys):
        raise ValidationError({"local_part": _("Duplicate address.")})
    for part in chunks(keys):
        for query in (TAKEN_BY_MAILBOXES, TAKEN_BY_ALIASES):
            if taken := query.first(keys=part):
                text = _("The address %(key)s already exists.") % {"key": taken[0]}
                raise ValidationError({"local_part": ValidationError(text, code="taken")})
