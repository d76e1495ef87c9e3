"""What programs read and write of a table: the same rows by the same forms, without pages."""

import datetime
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from mailadmin.changes.perform import Seen, digest, perform
from mailadmin.db.bulk import chunks
from mailadmin.db.checks import refuse_without_transactions
from mailadmin.db.fields import is_known
from mailadmin.names import fold
from mailadmin.tables.forms import as_fields
from mailadmin.tables.reading import List

HASH = "password_hash"  # which the forms of superadmins' programs have
MOST_REFUSED = 50  # rows of a list; after these the rest is not looked at
HASHING = os.cpu_count() or 1  # passwords at once: what hashes lets the interpreter go on


@dataclass(frozen=True)
class Asked:
    """Who asks for which rows, as a table wants to know it where no browser sends a request."""

    user: object
    GET: dict


class Rows(List):
    """The rows of a table as programs page through them."""

    def page(self, limit):
        """(rows, the key after which the next page begins); a row more than shown tells of it."""
        rows = self.read(limit + 1, self.cursor("after"), upwards=not self.newest_first)
        shown = rows[:limit]
        return shown, shown[-1].pk if len(rows) > limit else None


def rows_of(crud, request, **kwargs):
    """A table as this request sees it."""
    rows = Rows.of(crud)()
    rows.setup(request, **kwargs)
    return rows


# Rows as values


def shown(crud, rows, role):
    """Rows as {column: value}, in the types that their forms take."""
    names = crud.shown_columns(role)
    return [{name: typed(crud.value(row, name)) for name in names} for row in crud.prepared(rows)]


def typed(value):
    """A value in the types of JSON; a moment that nobody knows is none."""
    match value:
        case datetime.datetime():
            return timezone.localtime(value).isoformat() if is_known(value) else None
        case Decimal():
            return float(value)
    return value


def with_warnings(crud, rows, values, principal):
    """The values of rows that were saved, each with what is doubtful about it, if anything is."""
    warnings = crud.warnings(principal, rows)
    return [
        value | ({"warnings": warnings[row.pk]} if row.pk in warnings else {})
        for row, value in zip(rows, values, strict=True)
    ]


def shown_one(crud, row, role):
    return shown(crud, [row], role)[0]


def named_values(crud, row, role):
    """What names a row as it is: what is shown of it, and its secrets, which the name hides."""
    secrets = [f for f in row._meta.concrete_fields if getattr(f, "secret", False)]
    hidden = {f"secret {field.column}": field.value_from_object(row) for field in secrets}
    return shown_one(crud, row, role) | hidden


def etag(crud, row, role):
    """A name for exactly these values."""
    return digest(named_values(crud, row, role))


def seen(crud, row, role, tag):
    """What a program has seen of a row: it was named so."""
    return Seen(type(row), row.pk, tag, lambda now: named_values(crud, now, role))


# Values into forms


def fields_of(form_class, screen):
    """The fields that programs may give, by name."""
    left_out = form_class.only_edit if screen == "create" else form_class.only_new
    fields = form_class.base_fields
    order = [*(name for name in form_class.field_order or () if name in fields), *fields]
    return {
        name: fields[name]
        for name in dict.fromkeys(order)
        if name not in (*left_out, "seen", "password2")
    }


class Draft:
    """Values on their way into a row, through the form that a page would show."""

    def __init__(self, crud, actor, given, row=None):
        self.crud, self.actor, self.row = crud, actor, row
        self.form = crud.form_class(data=dict(given), instance=row, actor=actor)
        self.form.for_programs()
        if row is not None:
            given = self._without_present(given)
        known = fields_of(crud.form_class, "edit" if row else "create")
        self.strange = [n for n in given if n not in self.form.fields or n not in (*known, HASH)]
        self.form.data = self._laid_over(given)

    def _without_present(self, given):
        """Who sends a row back as it came may leave in it what cannot be changed."""
        present = shown_one(self.crud, self.row, self.actor.principal.role)
        return {
            name: value
            for name, value in given.items()
            if name in self.form.fields or name not in present or present[name] != value
        }

    def _laid_over(self, given):
        """The form's data: what is given, over what the row has or what a new one would get."""
        form = self.form
        values = {name: form.get_initial_for_field(f, name) for name, f in form.fields.items()}
        values |= {} if self.row else form.unasked
        values |= {name: value for name, value in given.items() if name in form.fields}
        return {
            name: form.fields[name].prepare_value(value)
            for name, value in values.items()
            if value is not None
        }

    def is_valid(self):
        return self.form.is_valid() and not self.strange

    def save(self, run=perform):
        """The row; None where it was refused, with the reasons in `errors`."""
        return self.form.save(run) if self.is_valid() else None

    @property
    def errors(self):
        """Column → texts; what is about no single one stands under the empty name."""
        return dict.fromkeys(self.strange, [no_such_field()]) | texts_of(self.form.errors.as_data())

    @property
    def codes(self):
        found = self.form.errors.as_data().values()
        return {error.code for errors in found for error in errors}


def no_such_field():
    return _("This cannot be set here.")


def texts_of(errors):
    """Column → texts, of errors as forms and services have them."""
    return {
        "" if name == NON_FIELD_ERRORS else name: [text for e in list_ for text in e.messages]
        for name, list_ in errors.items()
    }


# Many rows: all of them, or none


class RowsRefused(ValidationError):
    """Some rows of many were refused: number → what is wrong with it."""

    def __init__(self, errors, is_complete=True):
        super().__init__(_("Some rows were refused, so nothing was changed."))
        self.by_number, self.is_complete = errors, is_complete


def save_all(drafts, run=perform):
    """Rows of all drafts, in order, by one transaction."""
    drafts = valid_drafts(drafts)
    refuse_known(drafts)
    with ThreadPoolExecutor(HASHING) as pool:
        steps = list(pool.map(lambda draft: draft.form.step(), drafts))
    watched = [draft.form.watching() for draft in drafts]
    return run(drafts[0].actor, write_all, steps, seen=watched)


def valid_drafts(drafts):
    """All drafts, if none is refused; after some refusals the others are not looked at."""
    valid, refused = [], {}
    for number, draft in enumerate(drafts):
        if len(refused) == MOST_REFUSED:
            raise RowsRefused(refused, is_complete=False)
        if draft.is_valid():
            valid.append(draft)
        else:
            refused[number] = draft.errors
    if refused:
        raise RowsRefused(refused)
    return valid


def refuse_known(drafts):
    """New rows that are there already, before anything is spent on their passwords."""
    keys = {n: draft.form.new_key() for n, draft in enumerate(drafts) if not draft.row}
    for part in chunks(keys.values()):
        rows = drafts[0].crud.model._default_manager.filter(pk__in=part)
        there = {fold(key) for key in rows.values_list("pk", flat=True)}
        if taken := [number for number, key in keys.items() if fold(key) in there]:
            text = _("%(key)s exists already.")
            raise RowsRefused(
                {n: {"": [text % {"key": keys[n]}]} for n in taken[:MOST_REFUSED]},
                is_complete=len(taken) <= MOST_REFUSED,
            )


def write_all(changes, steps):
    """Take all steps; what refuses one of them is told with its number."""
    if len(steps) > 1:
        refuse_without_transactions()
    try:
        with changes.attempt():
            return take(changes, joined(steps))
    except ValidationError as error:
        raise RowsRefused(refused_ones(changes, steps) or {0: reasons(error)}) from error


def joined(steps):
    """New rows are one step: services take many."""
    service, *arguments = steps[0]
    if len(arguments) > 1:
        return steps
    return [(service, [row for _service, rows in steps for row in rows])]


def take(changes, steps):
    rows = []
    for service, *arguments in steps:
        done = service(changes, *arguments)
        rows += done if isinstance(done, list) else [done]
    return rows


def refused_ones(changes, steps):
    """One after the other, to tell which it was; nothing of it stays."""
    refused = {}
    for number, step in enumerate(steps):
        try:
            with changes.attempt():
                take(changes, [step])
        except ValidationError as error:
            refused[number] = reasons(error)
        if len(refused) == MOST_REFUSED:
            break
    return refused


def reasons(error):
    return texts_of({name: getattr(e, "error_list", e) for name, e in as_fields(error).items()})
