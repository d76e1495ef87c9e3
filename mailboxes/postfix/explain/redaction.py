"""Hide the parts of a route that a principal may not see."""

from typing import Any

from django.conf import settings

from domains.models import Domain
from mailadmin.accounts.models import Role
from mailboxes.models import Mailbox, is_vacation_target
from mailboxes.postfix.addresses import split_address
from mailboxes.postfix.routing import Lookup
from mailboxes.postfix.vacation_addresses import find_possible_owners

TRANSPORT_MAPS = ("transport_pattern", "transport")


class VisibleScope:
    """Addresses in the principal's domains; of others, only that mail leaves these domains."""

    def __init__(self, principal: Any) -> None:
        self.principal = principal
        self.can_see_all = principal.role is Role.SUPERADMIN
        self.cache: dict[str, bool] = {}

    def has_domain(self, domain: str) -> bool:
        domain = domain.lower()
        if domain not in self.cache:
            rows = Domain.objects.visible_to(self.principal)
            self.cache[domain] = self.can_see_all or rows.filter(pk=domain).exists()
        return self.cache[domain]

    def can_see(self, address: str) -> bool:
        """Check the domain of the address; of an auto-reply's address, that of its owner."""
        if is_vacation_target(address):
            address = find_vacation_owner(address)
        return self.has_domain(split_address(address)[1] or address)

    def can_see_rows(self, lookup: Lookup) -> bool:
        """Show transports to superadmins only, and other rows with a visible address."""
        if lookup.table.name in TRANSPORT_MAPS:
            return self.can_see_all
        return all(self.can_see(row.key) for row in [*lookup.rows, *lookup.inactive])


def find_vacation_owner(target: str) -> str:
    """Return the mailbox whose auto-reply is sent; without one, the shortest that is possible."""
    options = {name: getattr(settings, name) for name in RESPONDER_SETTINGS}
    candidates = find_possible_owners(target, options)
    found = Mailbox.objects.filter(pk__in=candidates).values_list("pk", flat=True)
    return max(found, key=len, default=(candidates or [target])[-1])


RESPONDER_SETTINGS = ("MAILADMIN_VACATION_DOMAIN", "MAILADMIN_RECIPIENT_DELIMITER")
