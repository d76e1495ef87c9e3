"""Checks for known faults in a configuration of Postfix and Dovecot.

A check looks at the parsed files and yields the lines at fault; it runs no program and changes
nothing.
"""

from mailboxes.mailserver.checks import (
    access,
    aliases,
    app_passwords,
    classes,
    delivery,
    files,
    listeners,
    logins,
    queries,
    sieve,
    versions,
)
from mailboxes.mailserver.checks.finding import (
    ERROR,
    SEVERITIES,
    CheckResult,
    ConfigCheck,
    Configuration,
)

__all__ = ["ERROR", "CONFIG_CHECKS", "Configuration", "CheckResult", "run_checks"]

CONFIG_CHECKS: tuple[ConfigCheck, ...] = (
    *files.CONFIG_CHECKS,
    *classes.CONFIG_CHECKS,
    *queries.CONFIG_CHECKS,
    *aliases.CONFIG_CHECKS,
    *delivery.CONFIG_CHECKS,
    *access.CONFIG_CHECKS,
    *logins.CONFIG_CHECKS,
    *app_passwords.CONFIG_CHECKS,
    *sieve.CONFIG_CHECKS,
    *listeners.CONFIG_CHECKS,
    *versions.CONFIG_CHECKS,
)


def run_checks(configuration: Configuration) -> list[CheckResult]:
    """Return the faults that all checks find, the most severe first."""
    results = [
        CheckResult(check, fault)
        for check in CONFIG_CHECKS
        if configuration.parts.issuperset(check.requires)
        for fault in dict.fromkeys(check.find_faults(configuration))
    ]
    return sorted(results, key=lambda each: SEVERITIES.index(each.check.severity))
