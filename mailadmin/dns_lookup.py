"""Look up in DNS whether domains exist, within a limit of time."""

import logging
import time
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

logger = logging.getLogger("mailadmin.dns")

RECORD_TYPES = ("MX", "A", "AAAA", "NS")
LOOKUP_SECONDS = 8.0  # for all domains of a form together


def refuse_unknown_domains(domains: Iterable[str]) -> None:
    """Refuse domains without a record by which mail could be sent to them or they exist at all."""
    deadline = time.monotonic() + LOOKUP_SECONDS
    for domain in dict.fromkeys(domains):
        if not is_in_dns(domain, deadline):
            text = _("The domain %(domain)s does not exist in DNS.")
            raise ValidationError(text, params={"domain": domain})


def is_in_dns(domain: str, deadline: float) -> bool:
    """Return whether a domain has any of the records; ValidationError if nobody answers."""
    # Loaded here: most processes never look anything up.
    import dns.exception
    import dns.resolver

    for record_type in RECORD_TYPES:
        try:
            seconds = deadline - time.monotonic()  # without any left, this is a timeout
            dns.resolver.resolve(f"{domain}.", record_type, lifetime=seconds)
        except dns.resolver.NXDOMAIN:
            return False
        except dns.resolver.NoAnswer:
            continue
        except dns.exception.DNSException as error:
            logger.warning("%s was not found in DNS: %s", domain, error)
            text = _("The domain %(domain)s cannot be looked up in DNS now. Try again later.")
            raise ValidationError(text, params={"domain": domain}) from None
        else:
            return True
    return False
