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
from mailboxes.mailserver.checks.finding import ERROR, SEVERITIES, Configuration, Found

__all__ = ["ERROR", "FINDINGS", "Configuration", "Found", "check"]

FINDINGS = (
    *files.FINDINGS,
    *classes.FINDINGS,
    *queries.FINDINGS,
    *aliases.FINDINGS,
    *delivery.FINDINGS,
    *access.FINDINGS,
    *logins.FINDINGS,
    *sieve.FINDINGS,
    *versions.FINDINGS,
)


def check(configuration):
    """All that is wrong, the worst first."""
    found = [
        Found(finding, fault)
        for finding in FINDINGS
        if configuration.has(finding.needs)
        for fault in dict.fromkeys(finding.look(configuration))
    ]
    return sorted(found, key=lambda each: SEVERITIES.index(each.finding.severity))
