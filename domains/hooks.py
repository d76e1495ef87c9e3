"""What scripts and webhooks hear of domains, alias domains and TOTP exceptions."""

from collections.abc import Iterator
from typing import Any

from domains.models import AliasDomain, Domain, TotpException
from mailadmin.changes.records import ChangeRecord
from mailadmin.hooks.events import HookedTable, ScriptCall

DOMAIN_SCRIPTS = {
    "create": "DOMAIN_POSTCREATION",
    "edit": "DOMAIN_POSTEDIT",
    "delete": "DOMAIN_POSTDELETION",
}
EXCEPTION_SCRIPTS = {
    "create": "MAILBOX_POST_TOTP_EXCEPTION_ADD",
    "delete": "MAILBOX_POST_TOTP_EXCEPTION_DELETE",
}


def list_domain_calls(record: ChangeRecord, row: Any) -> Iterator[ScriptCall]:
    yield ScriptCall(DOMAIN_SCRIPTS[record.verb], [record.key])


def list_exception_calls(record: ChangeRecord, row: Any) -> Iterator[ScriptCall]:
    """Yield the call with the username, which is empty for everybody, and the IP address."""
    if setting := EXCEPTION_SCRIPTS.get(record.verb):
        old = record.values
        username, ip = (row.username, row.ip) if row else (old["username"][0], old["ip"][0])
        yield ScriptCall(setting, [username or "", ip])


HOOKED_TABLES = (
    HookedTable("domain", Domain, list_domain_calls),
    HookedTable("alias_domain", AliasDomain),
    HookedTable("totp_exception", TotpException, list_exception_calls),
)
