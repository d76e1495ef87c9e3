"""All integrity checks, in the order in which they are shown and run."""

from mailboxes.integrity.admins import ADMIN_CHECKS
from mailboxes.integrity.alias_domains import ALIAS_DOMAIN_CHECKS
from mailboxes.integrity.checks import IntegrityCheck
from mailboxes.integrity.limits import LIMIT_CHECKS
from mailboxes.integrity.orphans import ORPHAN_CHECKS
from mailboxes.integrity.own_aliases import OWN_ALIAS_CHECKS
from mailboxes.integrity.spelling import SPELLING_CHECKS
from mailboxes.integrity.targets import TARGET_CHECKS
from mailboxes.integrity.vacations import VACATION_CHECKS

ALL_CHECKS = (
    *OWN_ALIAS_CHECKS,
    *TARGET_CHECKS,
    *VACATION_CHECKS,
    *ALIAS_DOMAIN_CHECKS,
    *LIMIT_CHECKS,
    *SPELLING_CHECKS,
    *ADMIN_CHECKS,
    *ORPHAN_CHECKS,
)
CHECKS: dict[str, IntegrityCheck] = {check.name: check for check in ALL_CHECKS}
