"""The plan: every row of a source against what is there, written down before anything else is."""

import itertools
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from mailadmin import passwords
from mailadmin.accounts.models import Role
from mailadmin.db.bulk import chunks, insert_rows
from mailadmin.jobs.runner import JobCanceled
from mailadmin.names import fold
from mailboxes.models import Plan, PlanRow
from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.plan.limits import DomainCapacities
from mailboxes.transfer.row_types import ROW_TYPES, STAGES, UNUSABLE_PASSWORD_HASH
from mailboxes.transfer.uploads import delete_upload, hide_temp_folder

ROWS_PER_STEP = 500
CHARACTERS_PER_STEP = 2**20
MAX_REFUSED_ROWS = 10_000
HASHING_LOOKAHEAD = 3  # steps whose passwords are hashed while earlier ones are written
Verb = PlanRow.Verb


@dataclass
class PlanRowDraft:
    """A row of the plan on its way, with what is still to be made of its password."""

    row: PlanRow
    username: str = ""
    typed: str = ""

    def hashed(self):
        """Hash what was typed, without a look at the hash that is there.

        A plan that said "same" would confirm guesses, and no throttle counts those of a file.
        """
        return passwords.make_hash(self.typed, self.username)


def take_batch(entries):
    """So many entries as one step takes: not too many, and not too heavy."""
    size = 0
    for number, entry in enumerate(entries, 1):
        yield entry
        size += sum(len(str(value)) for value in entry.values.values())
        if number == ROWS_PER_STEP or size > CHARACTERS_PER_STEP:
            return


class PlanBuilder:
    """Takes a source's entries and makes rows of a plan of them, some hundred at a time."""

    def __init__(self, plan, principal, entries, losses):
        self.plan, self.principal, self.losses = plan, principal, losses
        self.entries = entries
        self.capacities = DomainCapacities(principal)
        self.refused_count = 0
        self.waiting = {}  # (kind, key) → place, of rows not yet in the database
        self.stage = 0

    def steps(self):
        """Lists of rows to write, in order."""
        with ThreadPoolExecutor() as pool:
            queue = deque()
            for part in self.parts():
                drafts = self.build_drafts(part)
                self.waiting |= {(d.row.kind, d.row.key): d.row.place for d in drafts}
                queue.append((drafts, [pool.submit(d.hashed) if d.typed else None for d in drafts]))
                if len(queue) > HASHING_LOOKAHEAD:
                    yield self.finished(*queue.popleft())
            while queue:
                yield self.finished(*queue.popleft())

    def parts(self):
        """Entries of one kind at a time; a kind never comes before those that it needs."""
        for kind, entries in itertools.groupby(self.entries, key=lambda entry: entry.kind):
            while part := list(take_batch(entries)):
                if STAGES[kind] < self.stage:
                    text = _("%(table)s have to stand before what follows from them.")
                    raise SourceError(text % {"table": ROW_TYPES[kind].table}, part[0].place)
                self.stage = STAGES[kind]
                yield part

    # One part

    def build_drafts(self, entries):
        kind = ROW_TYPES[entries[0].kind]
        cleaned = [self.clean_entry(kind, entry) for entry in entries]
        keys = [kind.folded_key(values) for values, _trouble in cleaned if values is not None]
        there, planned = kind.present(keys), self.find_planned_places(kind, keys)
        cleaned = self.mark_mailbox_aliases(kind, cleaned, keys)
        drafts = []
        for entry, (values, trouble) in zip(entries, cleaned, strict=True):
            if values is None:
                drafts.append(self.refused(kind, entry, trouble))
                continue
            key = kind.folded_key(values)
            if key in planned:
                text = _("This is there twice; the first is in %(place)s.")
                drafts.append(self.refused(kind, entry, text % {"place": planned[key]}, key))
                continue
            draft = self.build_draft(kind, entry, values, there.get(key))
            if draft.row.verb != Verb.REFUSED:
                planned[key] = entry.place
            drafts.append(draft)
        return drafts

    def clean_entry(self, kind, entry):
        """The values, or None and what is wrong with them."""
        if entry.trouble:
            return None, entry.trouble
        try:
            self.check_allowed_columns(kind, entry)
            values = kind.clean(entry.values)
            kind.check_key_columns(values)
            return values, ""
        except ValidationError as error:
            return None, " ".join(error.messages)

    def check_allowed_columns(self, kind, entry):
        if self.principal.role is Role.SUPERADMIN:
            return
        if not kind.domain_admin_columns:
            text = _("Only a superadmin can import %(table)s.")
            raise ValidationError(text % {"table": kind.title})
        given = (name for name, value in entry.values.items() if value not in ("", None))
        names = {kind.aliases.get(name, name) for name in given}
        if foreign := sorted(names - set(kind.domain_admin_columns)):
            text = _("Only a superadmin can import the column %(names)s.")
            raise ValidationError(text % {"names": ", ".join(foreign)})

    def mark_mailbox_aliases(self, kind, cleaned, keys):
        """An alias at the address of a mailbox is that mailbox's, which has it already."""
        if kind.name != "alias":
            return cleaned
        mailbox = ROW_TYPES["mailbox"]
        own = set(self.find_planned_places(mailbox, keys)) | set(mailbox.present(keys))
        return [
            (values and values | {"of_mailbox": values["address"] in own}, trouble)
            for values, trouble in cleaned
        ]

    def find_planned_places(self, kind, keys):
        """Key → place of those that this plan holds already."""
        rows = PlanRow.objects.filter(plan=self.plan, kind=kind.name, key__in=keys)
        stored = rows.exclude(verb=Verb.REFUSED).values_list("key", "place")
        waiting = ((k, self.waiting[kind.name, k]) for k in keys if (kind.name, k) in self.waiting)
        return dict(itertools.chain(stored, waiting))

    def build_draft(self, kind, entry, values, row):
        try:
            self.capacities.check(kind, values, row)
            if row is None:
                kind.check_required_columns(values, kind.needed)
        except ValidationError as error:
            return self.refused(kind, entry, " ".join(error.messages), kind.folded_key(values))
        return self.changed(kind, entry, values, row) if row else self.new(kind, entry, values)

    def new(self, kind, entry, values):
        if "password" in kind.columns and "typed" not in values:
            self.check_password_hash(kind, entry, values)
        typed = values.pop("typed", "")
        verb = Verb.SAME if kind.is_created_implicitly(values) else Verb.NEW
        made = self.row(kind, entry, kind.folded_key(values), verb, values)
        return PlanRowDraft(made, kind.key(values), typed)

    def check_password_hash(self, kind, entry, values):
        """Without a password nobody comes in; and a hash that nobody can read is worth a word."""
        if not values.get("password"):
            values["password"] = UNUSABLE_PASSWORD_HASH
            text = _("Without a password: nobody can sign in until one is set.")
            self.losses.add(f"{kind.title}: {text}", kind.key(values))
        elif not passwords.is_verifiable(values["password"]):
            text = _("Passwords of a scheme that is not known: nobody can sign in with them.")
            self.losses.add(f"{kind.title}: {text}", kind.key(values))

    def changed(self, kind, entry, values, row):
        """A row that is there: what differs, if anything does."""
        typed = values.pop("typed", "")
        if values.get("password") == "":
            del values["password"]
        differences, values = find_changes(kind, row, values)
        verb = Verb.CHANGED if differences else Verb.SAME
        made = self.row(kind, entry, fold(build_row_key(kind, row)), verb, values, differences)
        made.digest = kind.digest(row)
        return PlanRowDraft(made, build_row_key(kind, row), typed)

    def refused(self, kind, entry, trouble, key=""):
        """Kept as it came, so that it can be mended; a typed password is kept by nobody."""
        self.refused_count += 1
        if self.refused_count > MAX_REFUSED_ROWS:
            text = _("More than %(count)s rows would be refused. The last: %(trouble)s")
            raise SourceError(text % {"count": MAX_REFUSED_ROWS, "trouble": trouble}, entry.place)
        values = {n: to_json_value(v) for n, v in entry.values.items() if n.lower() != "password"}
        made = self.row(kind, entry, key or guess_entry_key(kind, entry), Verb.REFUSED, values)
        made.reason = str(trouble)
        return PlanRowDraft(made)

    def row(self, kind, entry, key, verb, values, differences=()):
        return PlanRow(
            plan=self.plan,
            stage=STAGES[kind.name],
            kind=kind.name,
            key=key[:255],
            place=hide_temp_folder(entry.place)[:255],
            verb=verb,
            values=values,
            differences=list(differences),
            is_done=verb in (Verb.SAME, Verb.REFUSED),
        )

    def finished(self, drafts, futures):
        """The rows with the hashes of their passwords."""
        for draft, future in zip(drafts, futures, strict=True):
            if future:
                self.store_password_hash(draft, future)
            self.waiting.pop((draft.row.kind, draft.row.key), None)
        return [draft.row for draft in drafts]

    def store_password_hash(self, draft, future):
        row = draft.row
        try:
            stored = future.result()
        except ValidationError as error:
            row.verb, row.is_done = Verb.REFUSED, True
            row.reason = f"password: {' '.join(error.messages)}"
            row.values = ROW_TYPES[row.kind].to_file_values(row.values)
            return
        row.values["password"] = stored
        if row.verb != Verb.NEW:
            row.verb, row.is_done = Verb.CHANGED, False
            row.differences.append(["password", "", ""])

    # The end

    def limits_to_widen(self):
        """Domain → the limits that a new one needs for what comes with it."""
        widened = self.capacities.limits_to_widen()
        for name in widened:
            text = _("Domains that hold more than their limits allow: the limits are widened.")
            self.losses.add(text, name)
        return widened


def find_changes(kind, row, values):
    """The differences, and of the values those that make them."""
    differences = kind.differences(row, values)
    names = {name for name, _old, _new in differences}
    return differences, {name: value for name, value in values.items() if name in names}


def build_row_key(kind, row):
    return kind.key(kind.words(row))


def guess_entry_key(kind, entry):
    """What a row that cannot be read calls itself."""
    names = (*kind.needed, "address", "local_part")
    return next((fold(str(entry.values[n])) for n in names if entry.values.get(n)), "")


def to_json_value(value):
    if isinstance(value, list):
        return [to_json_value(each) for each in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


# Services


def begin_plan(changes, number):
    """Forget what an earlier reading left: a plan is read from its beginning."""
    PlanRow.objects.filter(plan=number).delete()


def add_plan_rows(changes, number, rows):
    if not Plan.objects.select_for_update().filter(pk=number, state=Plan.State.READING).exists():
        raise JobCanceled(_("The import was discarded while it was read."))
    insert_rows(rows)


def finish_plan(changes, number, losses, widened):
    """The plan is whole: it can be looked at, and agreed to."""
    domains = PlanRow.objects.filter(plan=number, kind="domain", verb__in=[Verb.NEW, Verb.CHANGED])
    for part in chunks(widened):
        for row in domains.filter(key__in=part):
            widen_domain_row(row, row.values | widened[row.key])
    notes = [
        {
            "text": hide_temp_folder(n.text),
            "count": n.count,
            "places": [hide_temp_folder(place) for place in n.places],
        }
        for n in losses
    ]
    Plan.objects.filter(pk=number, state=Plan.State.READING).update(
        state=Plan.State.READY, losses=notes
    )
    delete_upload(number)


def widen_domain_row(row, values):
    """Give a domain these limits; what it has already is no change."""
    if row.verb == Verb.CHANGED:
        kind = ROW_TYPES[row.kind]
        present = kind.present([row.key])[row.key]
        row.differences, values = find_changes(kind, present, values)
        row.verb, row.is_done = (row.verb, False) if row.differences else (Verb.SAME, True)
    told = {"verb": row.verb, "is_done": row.is_done, "differences": row.differences}
    PlanRow.objects.filter(pk=row.pk).update(values=values, **told)


def fail_plan(changes, number, trouble):
    """What cannot be read whole is no plan."""
    PlanRow.objects.filter(plan=number).delete()
    Plan.objects.filter(pk=number).update(state=Plan.State.FAILED, trouble=trouble)
    delete_upload(number)
