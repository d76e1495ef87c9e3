"""`perform`: run a service in one transaction, with its log lines and change records."""

import contextlib
import copy
import datetime
import json
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, router, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from mailadmin import registry
from mailadmin.accounts.models import Role, is_scoped_model, visible_rows
from mailadmin.accounts.requests import as_panel_request
from mailadmin.changes import derived_rows
from mailadmin.changes.models import Change, ChangeSecret
from mailadmin.changes.records import (
    ChangeRecord,
    LogLine,
    changed_values,
    created_values,
    deleted_values,
    format_row_key,
    get_row_domain,
    has_field,
    insert_log_lines,
    is_batch_stored,
    reload_full_rows,
    serialize_value,
)
from mailadmin.db.bulk import chunks, insert_rows
from mailadmin.db.models import Row, has_generated_key
from mailadmin.db.mysql.errors import CommitOutcomeUnknown
from mailadmin.db.retry import retry_on_deadlock
from mailadmin.names import fold

BUFFER_NAMES = ("_lines", "_records", "_secrets")

AfterPerform = Callable[["Changes", Any], None]


class ConsolePrincipal:
    """The principal of management commands; it has superadmin rights."""

    role = Role.SUPERADMIN
    pk = username = form_choices = None
    model_label = ""

    def reload(self) -> Self:
        return self


@dataclass(frozen=True)
class Actor:
    """Who changes something, and from which address."""

    principal: Any
    name: str
    address: str
    user_agent: str = ""

    @classmethod
    def console(cls) -> Self:
        return cls(ConsolePrincipal(), "CLI", "console")

    @classmethod
    def from_request(cls, request: HttpRequest) -> Self:
        return cls.of_person(request, as_panel_request(request).user)

    @classmethod
    def of_person(cls, request: HttpRequest, person: Any) -> Self:
        """Return the actor of a request by somebody who is not signed in yet."""
        address = as_panel_request(request).client_address
        return cls(person, person.username, address, request.headers.get("User-Agent", ""))

    def __str__(self) -> str:
        return f"{self.name} ({self.address})"


class EditConflict(Exception):
    """The row differs from what the form showed."""

    def __init__(self, row: models.Model) -> None:
        super().__init__(row)
        self.row = row


@dataclass(frozen=True)
class SeenVersion:
    """The version of a row that somebody saw before editing it."""

    model: type[models.Model]
    key: Any
    digest: str
    get_values: Callable[[Any], Any]

    def check_unchanged(self, row: models.Model) -> None:
        """Raise EditConflict if the row's values differ from those seen."""
        if digest_values(self.get_values(row)) != self.digest:
            raise EditConflict(row)


def digest_values(values: Any) -> str:
    """Return a short digest of these values, keyed so that only this panel can compute it."""
    text = json.dumps(values, sort_keys=True, default=str)
    return salted_hmac("mailadmin.writes.digest", text).hexdigest()[:32]


def perform(
    actor: Actor,
    service: Callable[..., Any],
    *args: Any,
    seen: SeenVersion | Sequence[SeenVersion | None] | None = None,
    after: AfterPerform | None = None,
) -> Any:
    """Run a service in one transaction with its log and change records; again on a deadlock.

    `seen` are the versions that the actor saw of the rows: a row that differs by now is not
    overwritten. `after(changes, result)` runs at the end of the same transaction.
    """
    versions = [seen] if seen is None or isinstance(seen, SeenVersion) else seen
    seen_by_key = {(version.model, version.key): version for version in versions if version}

    def run_once() -> Any:
        changes: Changes | None = None
        try:
            with transaction.atomic(durable=True):
                changes = Changes(actor, seen_by_key)
                result = service(changes, *args)
                if after is not None:
                    after(changes, result)
                changes.finish()
        except CommitOutcomeUnknown:
            if changes is None or not is_batch_stored(changes.batch):
                raise
        return result

    return retry_on_deadlock(run_once)


@dataclass
class Changes:
    """Collect the changes of a service to users' tables, with log lines and change records.

    Rows that the panel keeps for itself (jobs, plans, counters) are written directly.
    """

    actor: Actor
    seen: dict[tuple[type[models.Model], str], SeenVersion] = field(default_factory=dict)
    at: datetime.datetime = field(default_factory=lambda: timezone.now().replace(microsecond=0))
    batch: uuid.UUID = field(default_factory=uuid.uuid4)
    _lines: list[LogLine] = field(default_factory=list)
    _records: list[ChangeRecord] = field(default_factory=list)
    _secrets: list[ChangeSecret] = field(default_factory=list)
    _touched: dict[type[models.Model], set[Any]] = field(default_factory=lambda: defaultdict(set))
    _at_end: dict[Callable[[list[Any]], None], list[Any]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def __post_init__(self) -> None:
        self.principal = reload_principal(self.actor.principal)
        self.actor_text = str(self.actor)  # asked for each line and record

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo all that the block did if it is refused; the service may go on without it."""
        buffers = {name: copy.copy(getattr(self, name)) for name in BUFFER_NAMES}
        buffers["_touched"] = defaultdict(set, {m: set(keys) for m, keys in self._touched.items()})
        buffers["_at_end"] = defaultdict(list, {f: list(rows) for f, rows in self._at_end.items()})
        try:
            with transaction.atomic():
                yield
        except (ValidationError, EditConflict):
            vars(self).update(buffers)
            raise

    def find(self, model: type[Row], keys: Iterable[Any]) -> list[Row]:
        """Lock and return the rows of these keys, as they are now.

        Raise ValidationError if one of them does not exist or is out of the actor's scope.
        """
        keys_by_name = {fold(key): key for key in keys}
        rows: dict[Any, Row] = {}
        for part in chunks(sorted(keys_by_name.values())):
            found = self._visible(model).select_for_update().filter(pk__in=part)
            rows |= {fold(row.pk): row for row in found}
        if missing := [key for name, key in keys_by_name.items() if name not in rows]:
            raise ValidationError(
                _("%(key)s no longer exists."), params={"key": missing[0]}, code="missing"
            )
        for row in rows.values():
            self._check_seen(row)
        return [rows[name] for name in keys_by_name]

    def find_one(self, model: type[Row], key: Any) -> Row:
        return self.find(model, [key])[0]

    def create(self, rows: Iterable[models.Model]) -> None:
        """Insert these rows of one model; where the database gives the keys, one by one."""
        rows = list(rows)
        for row in rows:
            self._set_timestamps(row)
        if rows and has_generated_key(type(rows[0])):
            for row in rows:
                row.save(force_insert=True)
        else:
            insert_rows(rows)
        derived_rows.insert_for(rows)
        for row in rows:
            self._record("create", row, created_values(row))
        self._mark_touched(rows)

    def update(self, rows: Iterable[Row], **values: Any) -> list[Row]:
        """Set these columns of the rows; return the rows that had other values."""
        return self.update_each((row, values) for row in rows)

    def update_each(self, edits: Iterable[tuple[Row, dict[str, Any]]]) -> list[Row]:
        """Set columns of each row; return the rows that had other values.

        Rows that get the same values share a statement.
        """
        alike: dict[tuple[tuple[str, Any], ...], list[Row]] = defaultdict(list)
        for row, values in edits:
            if new := {n: value for n, value in values.items() if getattr(row, n) != value}:
                self._record("edit", row, changed_values(row, new))
                alike[tuple(new.items())].append(row)
        for columns, rows in alike.items():
            self._set_columns(rows, dict(columns))
        changed = [row for rows in alike.values() for row in rows]
        derived_rows.replace_for(changed, {name for columns in alike for name, _value in columns})
        self._mark_touched(changed)
        return changed

    def _set_columns(self, rows: list[Row], values: dict[str, Any]) -> None:
        model = type(rows[0])
        if has_field(model, "modified"):
            values["modified"] = self.at
        for keys in chunks([row.pk for row in rows]):
            model._base_manager.filter(pk__in=keys).update(**values)
        for row in rows:
            for name, value in values.items():
                setattr(row, name, value)

    def delete(self, rows: Iterable[models.Model]) -> None:
        """Delete these rows and all rows that cascade from them."""
        rows = list(rows)
        if not rows:
            return
        collector = models.deletion.Collector(using=router.db_for_write(type(rows[0])))
        for part in chunks(rows):
            collector.collect(part)
        for model, instances in collector.data.items():
            for row in reload_full_rows(model, instances):
                self._record_deletion(row)
        for queryset in collector.fast_deletes:
            for row in queryset if is_scoped_model(queryset.model) else ():
                self._record_deletion(row)
        keys = [row.pk for row in rows]
        collector.delete()
        for row, key in zip(rows, keys, strict=True):
            row.pk = key  # the collector cleared it, and the log still names it

    def log(self, action: str, domain: str, data: str) -> None:
        """Add PostfixAdmin's log line."""
        self._lines.append(LogLine(self.at, self.actor_text, domain, action, data))

    def run_at_end(self, function: Callable[[list[Any]], None], rows: Iterable[Any]) -> None:
        """Call the function once after the service, with the rows of all such calls."""
        self._at_end[function].extend(rows)

    def finish(self) -> None:
        """Run what was left for the end, check the scope again, write log lines and records."""
        for function, rows in self._at_end.items():
            function(rows)
        if self.principal.role is not Role.SUPERADMIN:
            self._check_scope()
        insert_log_lines(self._lines)
        insert_rows(self._records, Change)
        for listener in registry.change_listeners:
            listener(self._records)
        insert_rows(self._secrets)

    def _check_scope(self) -> None:
        for model, keys in self._touched.items():
            for part in chunks(sorted(keys)):
                if self._visible(model).filter(pk__in=part).count() != len(part):
                    raise PermissionDenied

    def _visible(self, model: type[models.Model]) -> models.QuerySet:
        return visible_rows(model, self.principal)

    def _check_seen(self, row: models.Model) -> None:
        if seen := self.seen.get((type(row), row.pk)):
            seen.check_unchanged(row)

    def _set_timestamps(self, row: models.Model) -> None:
        for name in ("created", "modified"):
            if has_field(type(row), name):
                setattr(row, name, self.at)

    def _mark_touched(self, rows: Iterable[models.Model]) -> None:
        for row in rows:
            if is_scoped_model(type(row)):
                self._touched[type(row)].add(row.pk)

    def _record(self, verb: str, row: models.Model, values: Mapping[str, Any]) -> None:
        if not is_scoped_model(type(row)):
            return
        self._records.append(
            ChangeRecord(
                at=self.at,
                actor=self.actor_text[:255],
                batch=self.batch,
                verb=verb,
                table=type(row).__name__.lower(),
                key=format_row_key(row),
                domain=get_row_domain(row),
                values=values,
                row_key=row.pk,
            )
        )

    def _record_deletion(self, row: models.Model) -> None:
        self._touched[type(row)].discard(row.pk)
        if not is_scoped_model(type(row)):
            return
        self._record("delete", row, deleted_values(row))
        self._secrets.append(
            ChangeSecret(
                at=self.at,
                batch=self.batch,
                table=type(row).__name__.lower(),
                key=format_row_key(row),
                row={
                    f.column: serialize_value(f.value_from_object(row))
                    for f in row._meta.concrete_fields
                },
            )
        )


def reload_principal(principal: Any) -> Any:
    """Return the principal with their current rights: a page may have been open for long."""
    current = principal.reload()
    if current is None:
        raise PermissionDenied
    return current
