"""The one way in which rows change: a service, in one transaction with what tells of it."""

import contextlib
import copy
import datetime
import json
import random
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import OperationalError, connection, models, router, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.models import Role, is_scoped_model
from mailadmin.changes.models import Change, ChangeSecret, Log
from mailadmin.changes.records import (
    changed_values,
    created_values,
    deleted_values,
    format_row_key,
    get_row_domain,
    has_field,
    serialize_value,
    text_values,
)
from mailadmin.db.bulk import chunks, insert_rows
from mailadmin.db.fields import fits_column
from mailadmin.db.mysql.errors import (
    RETRYABLE_CODES,
    CommitOutcomeUnknown,
    get_error_code,
    is_connection_lost,
)
from mailadmin.names import fold

BUFFER_NAMES = ("_lines", "_records", "_secrets", "_numbered")
# On a cluster a change gives way to each that another node has made meanwhile. And seconds, after
# which no other try is begun.
MAX_ATTEMPTS, MAX_RETRY_SECONDS = 12, 20


class ConsolePrincipal:
    """Who sits at the machine may do everything."""

    role = Role.SUPERADMIN
    pk = username = choices = None
    model_label = ""

    def reload(self):
        return self


@dataclass(frozen=True)
class Actor:
    """Who changes something, and from where."""

    principal: object
    name: str
    address: str

    @classmethod
    def console(cls):
        return cls(ConsolePrincipal(), "CLI", "console")

    @classmethod
    def from_request(cls, request):
        return cls(request.user, request.user.username, request.client_address)

    def __str__(self):
        return f"{self.name} ({self.address})"


class EditConflict(Exception):
    """The row is no longer as the form had shown it."""

    def __init__(self, row):
        super().__init__(row)
        self.row = row


@dataclass(frozen=True)
class SeenVersion:
    """What a person saw of a row before editing it."""

    model: type
    key: str
    digest: str
    snapshot: object

    def check(self, row):
        if digest_values(self.snapshot(row)) != self.digest:
            raise EditConflict(row)


def digest_values(values):
    """A short name for exactly these values, that only this panel can give."""
    text = json.dumps(values, sort_keys=True, default=str)
    return salted_hmac("mailadmin.writes.digest", text).hexdigest()[:32]


def perform(actor, service, *args, seen=None, after=None):
    """Run a service in one transaction with its log and change records; again on a deadlock.

    `seen` is what somebody saw of a row, or of several: what differs by now is not overwritten.
    `after(changes, result)` runs at the end of the same transaction.
    """
    seen = seen if isinstance(seen, (list, tuple)) else [seen]
    watched = {(one.model, one.key): one for one in seen if one}

    def once():
        changes = None
        try:
            with transaction.atomic(durable=True):
                changes = Changes(actor, watched)
                result = service(changes, *args)
                if after is not None:
                    after(changes, result)
                changes.finish()
        except CommitOutcomeUnknown:
            if not was_committed(changes):
                raise
        return result

    return retry_on_deadlock(once)


def retry_on_deadlock(call):
    """What was undone, by MySQL's wish or with its connection, is tried again a few times."""
    deadline = time.monotonic() + MAX_RETRY_SECONDS
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return call()
        except OperationalError as error:
            late = attempt == MAX_ATTEMPTS or time.monotonic() > deadline
            if late or not is_retryable(error):
                raise
            time.sleep(random.uniform(0.01, 0.1) * attempt)  # noqa: S311 (jitter)
    return None


def is_retryable(error):
    """Whether nothing has happened, and another try may do better; on another connection."""
    if is_connection_lost(error):
        connection.close()
        return True
    return get_error_code(error) in RETRYABLE_CODES and not isinstance(error, CommitOutcomeUnknown)


def was_committed(changes):
    """Whether the records that were written with it are there; if not, they may still come."""
    try:
        return Change.objects.filter(batch=changes.batch).exists()
    except OperationalError:
        return False


AfterPerform = Callable[["Changes", Any], None]


@dataclass
class Changes:
    """What a service does to rows of people's tables, with the log and the change records.

    Rows that the panel keeps for itself (jobs, plans, counters) are written directly.
    """

    actor: Actor
    seen: dict = field(default_factory=dict)  # (model, key) → what was seen of the row
    at: datetime.datetime = field(default_factory=lambda: timezone.now().replace(microsecond=0))
    batch: uuid.UUID = field(default_factory=uuid.uuid4)
    _lines: list = field(default_factory=list)
    _records: list = field(default_factory=list)
    _secrets: list = field(default_factory=list)
    _numbered: list = field(default_factory=list)  # new rows whose number the database gave
    _touched: dict = field(default_factory=lambda: defaultdict(set))
    _at_end: dict = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self):
        self.principal = reload_principal(self.actor.principal)

    @contextlib.contextmanager
    def attempt(self):
        """Work of which nothing has happened if it is refused: the service may go on without it."""
        before = {name: copy.copy(getattr(self, name)) for name in BUFFER_NAMES}
        before["_touched"] = defaultdict(set, {m: set(keys) for m, keys in self._touched.items()})
        try:
            with transaction.atomic():
                yield
        except (ValidationError, EditConflict):
            vars(self).update(before)
            raise

    def find(self, model, keys):
        """These rows as they are now, locked: all of them, all of the actor's, or none."""
        keys = {fold(key): key for key in keys}
        rows = {}
        for part in chunks(sorted(keys.values())):
            found = self._visible(model).select_for_update().filter(pk__in=part)
            rows |= {fold(row.pk): row for row in found}
        if missing := [key for fold, key in keys.items() if fold not in rows]:
            raise ValidationError(
                _("%(key)s does not exist any more."), params={"key": missing[0]}, code="missing"
            )
        for row in rows.values():
            self._compare(row)
        return [rows[fold] for fold in keys]

    def find_one(self, model, key):
        return self.find(model, [key])[0]

    def create(self, rows):
        """Insert these rows of one model."""
        rows = list(rows)
        for row in rows:
            self._set_timestamps(row)
            self._record("create", row, created_values(row))
        insert_rows(rows)
        self._mark_touched(rows)

    def update(self, rows, **values):
        """Give these rows the values; returns those that did not have them yet."""
        changed = [
            row
            for row in rows
            if any(getattr(row, name) != value for name, value in values.items())
        ]
        if not changed:
            return []
        model = type(changed[0])
        for row in changed:
            self._record("edit", row, changed_values(row, values))
        if has_field(model, "modified"):
            values = values | {"modified": self.at}
        for keys in chunks([row.pk for row in changed]):
            model._base_manager.filter(pk__in=keys).update(**values)
        for row in changed:
            for name, value in values.items():
                setattr(row, name, value)
        self._mark_touched(changed)
        return changed

    def delete(self, rows):
        """Delete these rows and, by the keys that point to them, what hangs on them."""
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
            row.pk = key  # Django takes it away, and the log still tells of it

    def log(self, action, domain, data):
        """Write PostfixAdmin's line."""
        self._lines.append(
            Log(
                timestamp=self.at,
                username=str(self.actor),
                domain_id=domain,
                action=action,
                data=data,
            )
        )

    def run_at_end(self, function, rows):
        """Call this once when the service is done, with all rows that it was asked for."""
        self._at_end[function].extend(rows)

    def finish(self):
        """Check once more that nothing left the actor's scope, then write lines and records."""
        for function, rows in self._at_end.items():
            function(rows)
        if self.principal.role is not Role.SUPERADMIN:
            self._check_scope()
        for rows in (self._fit_log_lines(self._lines), self._records, self._secrets):
            insert_rows(rows)

    def _check_scope(self):
        for model, keys in self._touched.items():
            for part in chunks(sorted(keys)):
                if self._visible(model).filter(pk__in=part).count() != len(part):
                    raise PermissionDenied
        for row in self._numbered:
            if not self._visible(type(row)).filter(**text_values(row)).exists():
                raise PermissionDenied

    def _visible(self, model):
        return model._default_manager.visible_to(self.principal)

    def _compare(self, row):
        if seen := self.seen.get((type(row), row.pk)):
            seen.check(row)

    def _set_timestamps(self, row):
        for name in ("created", "modified"):
            if has_field(type(row), name):
                setattr(row, name, self.at)

    def _mark_touched(self, rows):
        for row in rows:
            if not is_scoped_model(type(row)):
                continue
            if row.pk is None:
                self._numbered.append(row)
            else:
                self._touched[type(row)].add(row.pk)

    def _record(self, verb, row, values):
        if not is_scoped_model(type(row)):
            return
        self._records.append(
            Change(
                at=self.at,
                actor=str(self.actor)[:255],
                batch=self.batch,
                verb=verb,
                table=type(row).__name__.lower(),
                key=format_row_key(row),
                domain=get_row_domain(row),
                values=values,
            )
        )

    def _record_deletion(self, row):
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

    def _fit_log_lines(self, lines):
        """An adopted log may be narrower than a line: 2.1 kept 255 characters of latin1."""
        data = Log._meta.get_field("data")
        for line in lines:
            if not fits_column(data, line.data):
                line.data = line.data.encode("ascii", "backslashreplace").decode()
            line.data = line.data[:255]
            line.username = line.username.encode("ascii", "backslashreplace").decode()[:255]
        return lines


def reload_principal(principal):
    """The person with the rights of this moment: a page may have been open for long."""
    if person := principal.reload():
        return person
    raise PermissionDenied


def reload_full_rows(model, instances):
    """Django collects rows with some of their columns; the record wants all."""
    if not is_scoped_model(model):
        return
    for part in chunks(instances):
        yield from model._base_manager.filter(pk__in=[row.pk for row in part])
