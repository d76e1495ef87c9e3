"""Build a plan: compare every row of a source with the database, and store what would be done."""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError

from mailadmin import passwords
from mailadmin.accounts.models import Principal, Role
from mailadmin.changes.perform import ConsolePrincipal
from mailadmin.names import fold
from mailadmin.translation import compose, join_messages
from mailadmin.translation import gettext as _
from mailboxes.models import Plan, PlanRow
from mailboxes.transfer.entries import Losses, SourceEntry, SourceError
from mailboxes.transfer.plan.limits import DomainCapacities, DomainLimits
from mailboxes.transfer.row_types import ROW_TYPES, STAGES, UNUSABLE_PASSWORD_HASH
from mailboxes.transfer.row_types.aliases import OF_MAILBOX
from mailboxes.transfer.row_types.base import Difference, ModelRow, RowType, RowValues
from mailboxes.transfer.uploads import hide_temp_folder

ROWS_PER_STEP = 500
CHARACTERS_PER_STEP = 2**20
MAX_REFUSED_ROWS = 10_000
HASHING_LOOKAHEAD = 3  # steps whose passwords are hashed while earlier ones are written
Verb = PlanRow.Verb


@dataclass(slots=True)
class PlanRowDraft:
    """A row to write into `PlanRow`, whose instances take ten times as long to make.

    It has the plain password as well, if one still has to be hashed for it.
    """

    plan_id: int
    stage: int
    kind: str
    key: str
    place: str
    verb: str
    values: RowValues
    differences: list[Difference] = field(default_factory=list)
    digest: str = ""
    is_done: bool = False
    done: None = None
    reason: str = ""
    username: str = ""
    raw_password: str = ""

    def hash_password(self) -> str:
        """Return a new hash of the plain password, without comparing it to the existing one.

        A plan that said "same" would confirm guesses, and no throttle counts those in a file.
        """
        return passwords.make_hash(self.raw_password, self.username)


@dataclass
class Candidate:
    """An entry of the source with its cleaned values, or with the error that refuses it."""

    entry: SourceEntry
    values: RowValues = field(default_factory=dict)
    raw_password: str = ""
    error: str = ""


def take_batch(entries: Iterable[SourceEntry]) -> Iterator[SourceEntry]:
    """Yield the entries of one step: limited in number and in size."""
    size = 0
    for number, entry in enumerate(entries, 1):
        yield entry
        size += sum(len(str(value)) for value in entry.values.values())
        if number == ROWS_PER_STEP or size > CHARACTERS_PER_STEP:
            return


def submit_hash(pool: ThreadPoolExecutor, draft: PlanRowDraft) -> Future[str] | None:
    return pool.submit(draft.hash_password) if draft.raw_password else None


class PlanBuilder:
    """Builds the rows of a plan from a source's entries, some hundred at a time."""

    def __init__(
        self,
        plan: Plan,
        principal: Principal | ConsolePrincipal,
        entries: Iterable[SourceEntry],
        losses: Losses,
    ) -> None:
        self.plan, self.principal, self.losses = plan, principal, losses
        self.entries = entries
        self.capacities = DomainCapacities(principal)
        self.refused_count = 0
        self.unsaved_places: dict[tuple[str, str], str] = {}  # by (row type, key)
        self.stage = 0

    def iter_row_batches(self) -> Iterator[list[PlanRowDraft]]:
        """Yield lists of rows to write, in order; passwords are hashed in threads meanwhile."""
        with ThreadPoolExecutor() as pool:
            queue: deque[tuple[list[PlanRowDraft], list[Future[str] | None]]] = deque()
            for batch in self.iter_entry_batches():
                drafts = self.build_drafts(batch)
                for draft in drafts:
                    self.unsaved_places[draft.kind, draft.key] = draft.place
                queue.append((drafts, [submit_hash(pool, draft) for draft in drafts]))
                if len(queue) > HASHING_LOOKAHEAD:
                    yield self.finish_rows(*queue.popleft())
            while queue:
                yield self.finish_rows(*queue.popleft())

    def iter_entry_batches(self) -> Iterator[list[SourceEntry]]:
        """Yield entries of one row type at a time; refuse one that comes before those it needs."""
        for name, entries in itertools.groupby(self.entries, key=lambda entry: entry.kind):
            while batch := list(take_batch(entries)):
                if STAGES[name] < self.stage:
                    text = _("%(table)s must come before the rows that depend on them.")
                    raise SourceError(text % {"table": ROW_TYPES[name].table}, batch[0].place)
                self.stage = STAGES[name]
                yield batch

    # One batch

    def build_drafts(self, entries: list[SourceEntry]) -> list[PlanRowDraft]:
        row_type = ROW_TYPES[entries[0].kind]
        candidates = [self.clean_entry(row_type, entry) for entry in entries]
        keys = [row_type.folded_key(each.values) for each in candidates if not each.error]
        existing = row_type.find_existing_rows(keys)
        planned = self.find_planned_places(row_type, keys)
        if row_type.name == "alias":
            self.mark_mailbox_aliases(candidates, keys)
        drafts = []
        for candidate in candidates:
            draft = self.build_draft(row_type, candidate, existing, planned)
            if draft.verb != Verb.REFUSED:
                planned[row_type.folded_key(candidate.values)] = candidate.entry.place
            drafts.append(draft)
        return drafts

    def clean_entry(self, row_type: RowType, entry: SourceEntry) -> Candidate:
        if entry.error:
            return Candidate(entry, error=entry.error)
        try:
            self.check_allowed_columns(row_type, entry)
            values, raw_password = row_type.clean(entry.values)
            row_type.check_key_columns(values)
        except ValidationError as error:
            return Candidate(entry, error=join_messages(error))
        return Candidate(entry, values, raw_password)

    def check_allowed_columns(self, row_type: RowType, entry: SourceEntry) -> None:
        """Refuse columns that only superadmins, or only the command line, may import."""
        given = (name for name, value in entry.values.items() if value not in ("", None))
        names = {row_type.column_aliases.get(name, name) for name in given}
        programs = sorted(names & set(row_type.program_columns))
        if programs and not isinstance(self.principal, ConsolePrincipal):
            text = _(
                "These columns can run programs and can be imported only on the command line:"
                " %(names)s."
            )
            raise ValidationError(text % {"names": ", ".join(programs)})
        if self.principal.role is Role.SUPERADMIN:
            return
        if not row_type.domain_admin_columns:
            text = _("Only superadmins can import %(table)s.")
            raise ValidationError(text % {"table": row_type.title})
        if forbidden := sorted(names - set(row_type.domain_admin_columns)):
            text = _("Only superadmins can import the column %(names)s.")
            raise ValidationError(text % {"names": ", ".join(forbidden)})

    def mark_mailbox_aliases(self, candidates: list[Candidate], keys: list[str]) -> None:
        """Mark aliases with the address of a mailbox: they are created with it."""
        mailbox = ROW_TYPES["mailbox"]
        mailbox_keys = set(self.find_planned_places(mailbox, keys))
        mailbox_keys |= set(mailbox.find_existing_rows(keys))
        for candidate in candidates:
            if not candidate.error:
                address = candidate.values["address"]
                candidate.values[OF_MAILBOX] = address in mailbox_keys

    def find_planned_places(self, row_type: RowType, keys: list[str]) -> dict[str, str]:
        """Return the places of rows that this plan holds already, by key."""
        rows = PlanRow.objects.filter(plan=self.plan, kind=row_type.name, key__in=keys)
        stored = rows.exclude(verb=Verb.REFUSED).values_list("key", "place")
        unsaved = {
            key: self.unsaved_places[row_type.name, key]
            for key in keys
            if (row_type.name, key) in self.unsaved_places
        }
        return dict(stored) | unsaved

    def build_draft(
        self,
        row_type: RowType,
        candidate: Candidate,
        existing: dict[str, ModelRow],
        planned: dict[str, str],
    ) -> PlanRowDraft:
        entry, values = candidate.entry, candidate.values
        if candidate.error:
            return self.build_refused(row_type, entry, candidate.error)
        key = row_type.folded_key(values)
        if key in planned:
            text = _("Duplicate; the first is in %(place)s.")
            return self.build_refused(row_type, entry, text % {"place": planned[key]}, key)
        row = existing.get(key)
        try:
            self.capacities.check_row(row_type, values, row)
            if row is None:
                row_type.check_required_columns(values, row_type.required_columns)
        except ValidationError as error:
            return self.build_refused(row_type, entry, join_messages(error), key)
        if row is None:
            return self.build_new(row_type, candidate)
        return self.build_changed(row_type, candidate, row)

    def build_new(self, row_type: RowType, candidate: Candidate) -> PlanRowDraft:
        values = candidate.values
        if "password" in row_type.columns and not candidate.raw_password:
            self.check_password_hash(row_type, values)
        verb = Verb.SAME if row_type.is_created_implicitly(values) else Verb.NEW
        draft = self.create_draft(
            row_type, candidate.entry, row_type.folded_key(values), verb, values
        )
        draft.username, draft.raw_password = row_type.key(values), candidate.raw_password
        return draft

    def check_password_hash(self, row_type: RowType, values: RowValues) -> None:
        """Give rows without a password an unusable hash, and note hashes that nobody can verify."""
        if not values.get("password"):
            values["password"] = UNUSABLE_PASSWORD_HASH
            text = _("No password: sign-in is not possible until one is set.")
            self.note_password(row_type, values, text)
        elif not passwords.is_verifiable(values["password"]):
            text = _("Unknown password scheme: sign-in is not possible with this password.")
            self.note_password(row_type, values, text)

    def note_password(self, row_type: RowType, values: RowValues, text: str) -> None:
        note = compose("%(table)s: %(text)s", table=row_type.title, text=text)
        self.losses.add(note, row_type.key(values))

    def build_changed(self, row_type: RowType, candidate: Candidate, row: ModelRow) -> PlanRowDraft:
        """Build the plan row of an existing row, with the columns that differ."""
        values = candidate.values
        if values.get("password") == "":
            del values["password"]
        differences, values = find_changes(row_type, row, values)
        verb = Verb.CHANGED if differences else Verb.SAME
        key = build_row_key(row_type, row)
        draft = self.create_draft(row_type, candidate.entry, fold(key), verb, values, differences)
        draft.digest = row_type.digest(row)
        draft.username, draft.raw_password = key, candidate.raw_password
        return draft

    def build_refused(
        self, row_type: RowType, entry: SourceEntry, reason: str, key: str = ""
    ) -> PlanRowDraft:
        """Keep the values as they came, to be corrected; plain passwords are not kept."""
        self.refused_count += 1
        if self.refused_count > MAX_REFUSED_ROWS:
            text = _("More than %(count)s rows would be rejected. The last error: %(trouble)s")
            raise SourceError(text % {"count": MAX_REFUSED_ROWS, "trouble": reason}, entry.place)
        values = {n: to_json_value(v) for n, v in entry.values.items() if n.lower() != "password"}
        key = key or guess_entry_key(row_type, entry)
        draft = self.create_draft(row_type, entry, key, Verb.REFUSED, values)
        draft.reason = reason
        return draft

    def create_draft(
        self,
        row_type: RowType,
        entry: SourceEntry,
        key: str,
        verb: PlanRow.Verb,
        values: RowValues,
        differences: Iterable[Difference] = (),
    ) -> PlanRowDraft:
        return PlanRowDraft(
            plan_id=self.plan.pk,
            stage=STAGES[row_type.name],
            kind=row_type.name,
            key=key[:255],
            place=hide_temp_folder(entry.place),
            verb=verb.value,
            values=values,
            differences=list(differences),
            is_done=verb in (Verb.SAME, Verb.REFUSED),
        )

    def finish_rows(
        self, drafts: list[PlanRowDraft], futures: list[Future[str] | None]
    ) -> list[PlanRowDraft]:
        """Return the rows with the hashes of their passwords."""
        for draft, future in zip(drafts, futures, strict=True):
            if future:
                self.store_password_hash(draft, future)
            self.unsaved_places.pop((draft.kind, draft.key), None)
        return drafts

    def store_password_hash(self, row: PlanRowDraft, future: Future[str]) -> None:
        try:
            password_hash = future.result()
        except ValidationError as error:
            row.verb, row.is_done = Verb.REFUSED.value, True
            row.reason = compose("password: %(text)s", text=join_messages(error))
            row.values = ROW_TYPES[row.kind].to_file_values(row.values)
            return
        row.values["password"] = password_hash
        if row.verb != Verb.NEW:
            row.verb, row.is_done = Verb.CHANGED.value, False
            row.differences.append(["password", "", ""])

    # The end

    def limits_to_widen(self) -> dict[str, DomainLimits]:
        """Return wider limits for domains that hold more than theirs allow, and note them."""
        widened = self.capacities.limits_to_widen()
        for name in widened:
            text = _("Domains that exceed their limits: the limits are raised.")
            self.losses.add(text, name)
        return widened


def find_changes(
    row_type: RowType, row: ModelRow, values: RowValues
) -> tuple[list[Difference], RowValues]:
    """Return the differences, and only the values that cause them."""
    differences = row_type.find_differences(row, values)
    names = {name for name, _old, _new in differences}
    return differences, {name: value for name, value in values.items() if name in names}


def build_row_key(row_type: RowType, row: ModelRow) -> str:
    return row_type.key(row_type.values_from_row(row))


def guess_entry_key(row_type: RowType, entry: SourceEntry) -> str:
    """Return the key of a row that could not be read, as far as its values tell it."""
    names = (*row_type.required_columns, "address", "local_part")
    return next((fold(str(entry.values[n])) for n in names if entry.values.get(n)), "")


def to_json_value(value: Any) -> Any:
    if isinstance(value, list):
        return [to_json_value(each) for each in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
