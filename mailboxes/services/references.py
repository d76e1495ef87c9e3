"""Find aliases whose targets name an address or a domain."""

from collections.abc import Collection, Sequence

from django.db.models import Q

from mailadmin.db.bulk import chunks
from mailboxes.models import Alias

NAMES_PER_QUERY = 50
# Quotes, comments and other forms, in which an address is not found as it is.
QUOTING_MARKERS = ('"', "\\", "(", "%", "!", " @", "@ ", " .", ". ", "\t", "\n@", "@\n")


def find_aliases_pointing_to(principal: object, names: Sequence[str]) -> list[Alias]:
    """Return the aliases that point to these addresses or `@domain`s and are none of them.

    Only those that the principal may see.
    """
    rows = Alias.objects.visible_to(principal)
    rows = rows.exclude(domain__in=[name[1:] for name in names if name.startswith("@")])
    found = {}
    for part in chunks(names, NAMES_PER_QUERY):
        for alias in rows.filter(build_reference_filter(part)).order_by("pk"):
            if any(is_address_in(target, part) for target in alias.targets):
                found[alias.pk] = alias
    return [alias for key, alias in sorted(found.items()) if not is_address_in(key, names)]


def build_reference_filter(names: list[str]) -> Q:
    """Select the aliases that can hold one of these names; which do, their targets say."""
    texts = [*names, *QUOTING_MARKERS]
    return Q(*(Q(goto__icontains=text) for text in texts), _connector=Q.OR)


def is_address_in(address: str, names: Collection[str]) -> bool:
    """Return whether the address is named, or its whole domain is."""
    address = address.lower()
    return address in names or "@" + address.rpartition("@")[2] in names
