"""The data of forms that programs fill: what they give, completed by what there is."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mailadmin.tables.forms import TableForm


def drop_unchanged(
    form: "TableForm", values: Mapping[str, Any], current: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the values without read-only ones that are sent back as they are."""
    return {
        name: value
        for name, value in values.items()
        if name in form.fields or name not in current or current[name] != value
    }


def merged_data(form: "TableForm", values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as form data, completed by those of the row or the defaults."""
    merged = {name: form.get_initial_for_field(f, name) for name, f in form.fields.items()}
    merged |= {} if form.is_edit else form.api_defaults
    merged |= {name: value for name, value in values.items() if name in form.fields}
    return {
        name: form.fields[name].prepare_value(value)
        for name, value in merged.items()
        if value is not None
    }
