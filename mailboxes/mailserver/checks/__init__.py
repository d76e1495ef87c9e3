"""What may be wrong with a configuration of Postfix and Dovecot: a table of findings.

`check` runs them all. A finding looks at what was read and yields the lines at fault; it runs no
program and changes nothing.
"""

from mailboxes.mailserver.checks import (
    access,
    aliases,
    classes,
    delivery,
    files,
    logins,
    queries,
    sieve,
    versions,
)
from mailboxes.mailserver.checks.finding import ERROR, SEVERITIES, CheckResult, Configuration

__all__ = ["ERROR", "CONFIG_CHECKS", "Configuration", "CheckResult", "run_checks"]

CONFIG_CHECKS = (
    *files.CONFIG_CHECKS,
    *classes.CONFIG_CHECKS,
    *queries.CONFIG_CHECKS,
    *aliases.CONFIG_CHECKS,
    *delivery.CONFIG_CHECKS,
    *access.CONFIG_CHECKS,
    *logins.CONFIG_CHECKS,
    *sieve.CONFIG_CHECKS,
    *versions.CONFIG_CHECKS,
)


def run_checks(configuration):
    """All that is wrong, the worst first."""
    found = [
        CheckResult(finding, fault)
        for finding in CONFIG_CHECKS
        if configuration.has(finding.requires)
        for fault in dict.fromkeys(finding.find_faults(configuration))
    ]
    return sorted(found, key=lambda each: SEVERITIES.index(each.check.severity))
