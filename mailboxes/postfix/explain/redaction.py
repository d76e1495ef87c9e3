"""How much of a route a person may see."""

from django.conf import settings

from domains.models import Domain
from mailadmin.accounts.models import Role
from mailboxes.mailserver.autoresponder.addresses import find_possible_owners
from mailboxes.models import Mailbox, is_vacation_target
from mailboxes.postfix.routing import split_address

TRANSPORT_MAPS = ("transport_pattern", "transport")


class VisibleScope:
    """What of a route a person may see: his own domains, and that mail leaves them."""

    def __init__(self, principal):
        self.principal = principal
        self.can_see_all = principal.role is Role.SUPERADMIN
        self.known = {}

    def has(self, domain):
        domain = domain.lower()
        if domain not in self.known:
            rows = Domain.objects.visible_to(self.principal)
            self.known[domain] = self.can_see_all or rows.filter(pk=domain).exists()
        return self.known[domain]

    def can_see(self, address):
        """Whether the address, or the one whose vacation it asks, is in a domain of his."""
        if is_vacation_target(address):
            address = find_vacation_owner(address)
        return self.has(split_address(address)[1] or address)

    def can_see_rows(self, lookup):
        """Where mail goes from here is the superadmins' affair, other people's rows are theirs."""
        if lookup.table.name in TRANSPORT_MAPS:
            return self.can_see_all
        return all(self.can_see(row.key) for row in [*lookup.rows, *lookup.asleep])


def find_vacation_owner(target):
    """Whose vacation is asked, as the responder sees it; else what stands before the sign."""
    known = {name: getattr(settings, name) for name in RESPONDER_SETTINGS}
    meant = find_possible_owners(target, known)
    found = Mailbox.objects.filter(pk__in=meant).values_list("pk", flat=True)
    return max(found, key=len, default=(meant or [target])[-1])


RESPONDER_SETTINGS = ("MAILADMIN_VACATION_DOMAIN", "MAILADMIN_RECIPIENT_DELIMITER")
