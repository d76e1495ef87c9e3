"""What scripts and webhooks are told: derived from change records, in the same transaction."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Model

from mailadmin import registry
from mailadmin.changes.records import ChangeRecord
from mailadmin.conf.hook_settings import SCRIPTS
from mailadmin.db.bulk import chunks, insert_rows
from mailadmin.hooks.models import HookDelivery
from mailadmin.names import fold
from mailadmin.sealing import seal_text

SEAL_PURPOSE = b"mailadmin.hooks"
EVENT_VERBS = {"create": "created", "edit": "changed", "delete": "deleted"}


class ScriptCall(NamedTuple):
    """The call of a script, if the operator has set one."""

    setting: str  # one of `SCRIPTS`
    arguments: Sequence[str]
    secret_input: str = ""


class HookedTable(NamedTuple):
    """A table whose changes webhooks are told, and which scripts are run after them."""

    noun: str  # of its events: `mailbox.created`
    model: type[Model]
    # Gets a change record and the row as it is now, which is None after its deletion
    list_calls: Callable[[ChangeRecord, Any], Iterable[ScriptCall]] = lambda record, row: ()


def get_command(setting: str) -> Sequence[str]:
    """Return program and arguments of a script; empty if the operator has set none."""
    command: Sequence[str] = getattr(settings, f"MAILADMIN_{setting}_SCRIPT")
    return command


def has_hooks() -> bool:
    """Return whether the operator has set a script or a webhook."""
    return bool(settings.MAILADMIN_WEBHOOKS or any(map(get_command, SCRIPTS)))


def queue_deliveries(records: Sequence[ChangeRecord]) -> None:
    """Queue what scripts and webhooks are told of these changes."""
    if not has_hooks():
        return
    known = registry.hooked_tables
    hooked = [each for each in records if each.table in known and each.verb in EVENT_VERBS]
    rows = find_rows(hooked)
    deliveries = [
        delivery
        for record in hooked
        for delivery in build_deliveries(record, rows.get((record.table, fold(record.row_key))))
    ]
    insert_rows(deliveries)


def find_rows(records: Iterable[ChangeRecord]) -> dict[tuple[str, Any], Any]:
    """Return the rows that were created or changed, by table and folded key."""
    keys = defaultdict(set)
    for record in records:
        if record.verb != "delete":
            keys[record.table].add(record.row_key)
    found: dict[tuple[str, Any], Any] = {}
    for table, names in keys.items():
        for part in chunks(sorted(names)):
            rows = registry.hooked_tables[table].model._base_manager.filter(pk__in=part)
            found |= {(table, fold(row.pk)): row for row in rows}
    return found


def build_deliveries(record: ChangeRecord, row: Any) -> Iterator[HookDelivery]:
    """Yield a delivery for each webhook, and for each script that is to be run."""
    if row is None and record.verb != "delete":
        return  # it was deleted later in the same transaction
    table = registry.hooked_tables[record.table]
    event = f"{table.noun}.{EVENT_VERBS[record.verb]}"
    for call in table.list_calls(record, row):
        if get_command(call.setting):
            yield build_script_delivery(event, record.key, call)
    for url in settings.MAILADMIN_WEBHOOKS:
        yield HookDelivery(event=event, key=record.key, target=url, body=build_body(event, record))


def build_body(event: str, record: ChangeRecord) -> str:
    """Return the body of a request: what happened, without secrets."""
    return json.dumps(
        {
            "event": event,
            "key": record.key,
            "domain": record.domain,
            "actor": record.actor,
            "at": record.at.isoformat(),
            "batch": str(record.batch),
            "changes": dict(record.values),
        },
        ensure_ascii=False,
    )


def build_script_delivery(event: str, key: str, call: ScriptCall) -> HookDelivery:
    secret = seal_text(call.secret_input, SEAL_PURPOSE) if call.secret_input else ""
    arguments = [str(value) for value in call.arguments]
    return HookDelivery(
        event=event, key=key, target=call.setting, arguments=arguments, sealed_input=secret
    )


def queue_script(event: str, key: str, call: ScriptCall) -> None:
    """Queue a script within the current transaction, for what no change record has."""
    if get_command(call.setting):
        insert_rows([build_script_delivery(event, key, call)])
