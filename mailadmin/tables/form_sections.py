"""The sections of a form page: headings with the fields below them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.forms import BoundField

from mailadmin.tables.actions import Text

if TYPE_CHECKING:
    from mailadmin.tables.forms import ValidatedTextForm


@dataclass(frozen=True)
class Section:
    """Fields that belong together; advanced ones are folded until somebody opens them."""

    title: Text
    fields: Sequence[str]
    help: Text = ""
    is_advanced: bool = False


@dataclass(frozen=True)
class BoundSection:
    """A section with the fields that one form has of it."""

    section: Section
    fields: Sequence[Any]  # bound fields; a list of them is one control

    @property
    def has_errors(self) -> bool:
        return any(field.errors for field in iter_bound_fields(self.fields))


def iter_bound_fields(fields: Sequence[Any]) -> Iterator[BoundField]:
    for field in fields:
        yield from field if isinstance(field, list) else [field]


def iter_shown_fields(form: "ValidatedTextForm") -> Iterator[BoundField]:
    """Yield the fields of a form that are not folded away, in their order on the page."""
    for part in build_sections(form):
        if not part.section.is_advanced:
            yield from iter_bound_fields(part.fields)


def build_sections(form: "ValidatedTextForm") -> list[BoundSection]:
    """Return the sections of a form that have fields; fields of no section are in the first."""
    names = [name for name, field in form.fields.items() if not field.widget.is_hidden]
    sections = form.get_sections() or [Section("", ())]
    listed = {name for section in sections for name in section.fields}
    first, *others = sections
    rest = [name for name in names if name not in listed]
    found = [
        BoundSection(section, bind_fields(form, [name for name in chosen if name in names]))
        for section, chosen in (
            (first, [*first.fields, *rest]),
            *((section, section.fields) for section in others),
        )
    ]
    return [section for section in found if section.fields]


def bind_fields(form: "ValidatedTextForm", names: Sequence[str]) -> list[Any]:
    """Return the bound fields of these names, local part and domain as one."""
    if form.address_fields and list(names[:2]) == list(form.address_fields):
        return [[form[name] for name in names[:2]], *(form[name] for name in names[2:])]
    return [form[name] for name in names]
