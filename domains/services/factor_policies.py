"""Whether mailbox owners of a domain can or must have a second factor."""

from domains.models import DomainFactorPolicy
from mailadmin.changes.perform import Changes


def set_factor_policy(changes: Changes, domain: str, level: str) -> bool:
    """Set the level of a domain; an empty one applies that of all mailboxes again.

    Return whether it was another one before.
    """
    row = DomainFactorPolicy.objects.filter(pk=domain).first()
    if (row.level if row else "") == level:
        return False
    if row is None:
        changes.create([DomainFactorPolicy(domain_id=domain, level=level)])
    elif level:
        changes.update([row], level=level)
    else:
        changes.delete([row])
    return True
