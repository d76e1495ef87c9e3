"""How large a mailbox may be, as its form says it."""

from typing import Any

from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from domains.models import NONE_ALLOWED, Domain
from domains.quotas import bytes_to_megabytes, megabytes_to_bytes
from mailboxes.models import Mailbox
from mailboxes.services import limits

DEFAULT_QUOTA_MB = 1024


def build_limit_notice(domain: Domain | None, kind: str) -> dict[str, str] | None:
    """Return the limit of a domain that stops another row of this kind; None if it does not."""
    text = limits.format_reached_limit(domain, kind) if domain else ""
    return {"text": text, "domain": domain.pk} if domain and text else None


class QuotaHint:
    """The quota of a new mailbox in a domain, or of one that is edited; both may be unknown."""

    def __init__(
        self, domain: Domain | None, mailbox: Mailbox | None = None, principal: Any = None
    ) -> None:
        self.domain, self.mailbox, self.principal = domain, mailbox, principal

    @property
    def is_disabled(self) -> bool:
        domain = self.domain
        return domain is not None and NONE_ALLOWED in (
            domain.enforced_maxquota,
            domain.enforced_quota,
        )

    @cached_property
    def bounds(self) -> list[int]:
        """Return the limits of the mailbox, in bytes."""
        domain = self.domain
        if domain is None:
            return []
        bounds = (
            [megabytes_to_bytes(domain.enforced_maxquota)] if domain.enforced_maxquota > 0 else []
        )
        if domain.enforced_quota > 0:
            bounds.append(limits.estimate_unassigned_quota(domain, self.mailbox))
        return bounds

    @property
    def suggestion(self) -> int | None:
        """Return the quota of a new mailbox in MB: the default, or less where less is left.

        None where nothing is left: 0 would mean unlimited.
        """
        if self.is_disabled:
            return 0
        left = [int(bytes_to_megabytes(bound)) for bound in self.bounds]
        return max(0, min([DEFAULT_QUOTA_MB, *left])) or None

    @property
    def help_text(self) -> str:
        """Return how large the mailbox may be."""
        if self.is_disabled:
            return _("Quotas are disabled for this domain.")
        if self.domain is None or not self.bounds:
            return _("0 is unlimited.")
        if min(self.bounds) <= 0:
            return limits.format_no_quota_left(self.domain, self.principal)
        room = limits.format_whole_megabytes(min(self.bounds))
        return _("Enter at most %(room)s MB.") % {"room": room}


def get_new_mailbox_hint(domain: Domain | None, principal: Any) -> QuotaHint:
    """Return the hint for a new mailbox; the forms of one request share that of a domain."""
    hint = QuotaHint(domain, principal=principal)
    if domain is None or principal.form_choices is None:
        return hint
    return principal.form_choices.setdefault(QuotaHint, {}).setdefault(domain.pk, hint)
