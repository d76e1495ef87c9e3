"""The components of the OpenAPI document: JSON Schemas of a table's rows, and of what all share."""

from collections.abc import Iterable, Mapping

from django import forms

from mailadmin.accounts.models import Role
from mailadmin.api.field_types import (
    FieldType,
    get_column_type,
    get_field_type,
    without_bounds,
)
from mailadmin.tables.forms import program_fields
from mailadmin.tables.table import Table

TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
INT32 = range(-(2**31), 2**31)
PLAIN_HELP = "Plain text; required unless `password_hash` is given. Only a hash is stored."
HASH_HELP = "The password hash as stored, in a scheme that Dovecot knows. Superadmins only."
NEW_PASSWORD = FieldType("string", PLAIN_HELP, max_length=1024)
PASSWORD_HASH = FieldType("string", HASH_HELP, max_length=255)
WARNINGS_HELP = "Warnings about the saved row, if any."
WARNINGS_FIELD = FieldType("array", WARNINGS_HELP)
NEXT_HELP = "Value of `after` for the next page; null on the last one."


# Of values


def build_schema(field: FieldType) -> dict[str, object]:
    """Return the JSON Schema of a value."""
    schema = {
        "type": [field.type, "null"] if field.is_nullable else field.type,
        "items": build_member_schema(field) if field.type == "array" else None,
        "format": field.format or get_integer_format(field),
        "maximum": field.maximum,
        "minimum": field.minimum,
        "description": str(field.description),
        "maxLength": field.max_length,
    }
    return {name: value for name, value in schema.items() if value not in (None, "")}


def build_member_schema(field: FieldType) -> dict[str, object]:
    """Return the JSON Schema of a member of an array."""
    return {**TEXT, "enum": list(field.choices)} if field.choices else {**TEXT}


def get_integer_format(field: FieldType) -> str:
    """Return what says that the bounds of an integer need more than 32 bits."""
    bounds = (int(field.minimum or 0), int(field.maximum or 0))
    return "" if field.type != "integer" or all(n in INT32 for n in bounds) else "int64"


def build_object(
    properties: Mapping[str, object], required: Iterable[str] = (), **options: object
) -> dict[str, object]:
    """Return the schema of an object."""
    schema: dict[str, object] = {"type": "object", **options, "properties": dict(properties)}
    return schema | ({"required": sorted(required)} if required else {})


def build_field_object(
    fields: Mapping[str, FieldType], required: Iterable[str] = ()
) -> dict[str, object]:
    """Return the schema of an object with these fields."""
    return build_object({name: build_schema(field) for name, field in fields.items()}, required)


def build_list(items: Mapping[str, object]) -> dict[str, object]:
    return {"type": "array", "items": items}


def component_ref(name: str) -> dict[str, str]:
    """Return a reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


# Of a table


def get_component_name(table: Table) -> str:
    """Return what the components of a table are called after."""
    return table.model.__name__


def get_key_type(table: Table) -> str:
    return "integer" if table.key_type is int else "string"


def build_table_schemas(table: Table) -> dict[str, dict]:
    """Return the components of a table: of its rows, and of what its screens take."""
    name = get_component_name(table)
    schemas = {name: build_row_schema(table), f"{name}Page": build_page_schema(table)}
    if "create" in table.api_roles or "edit" in table.api_roles:
        items = {"items": build_list(component_ref(name))}
        schemas[f"{name}List"] = build_object(items, ["items"])
    if "create" in table.api_roles:
        new = component_ref(f"New{name}")
        schemas[f"New{name}"] = build_new_schema(table)
        schemas[f"New{name}OrList"] = {"oneOf": [new, build_list(new)]}
        schemas[f"{name}OrList"] = {"oneOf": [component_ref(name), component_ref(f"{name}List")]}
    if "edit" in table.api_roles:
        changes = get_changes_types(table)
        key, key_type = table.key_column, FieldType(get_key_type(table))
        schemas[f"Patched{name}Changes"] = build_field_object(changes)
        schemas[f"{name}ChangesByKey"] = build_field_object({**changes, key: key_type}, [key])
    return schemas


def build_row_schema(table: Table) -> dict[str, object]:
    """Return the schema of a row in a response; required are the columns that all admins see."""
    types, seen_by_all = get_row_types(table), table.api_columns(Role.ADMIN)
    required = [name for name in types if name in seen_by_all]
    new = {n: FieldType("string", t, is_nullable=True) for n, t in table.new_value_texts.items()}
    return build_field_object({**types, **new, "warnings": WARNINGS_FIELD}, required)


def get_row_types(table: Table) -> dict[str, FieldType]:
    """Return the types of a row's columns: of the form where it has them, else of the model."""
    names = table.api_columns(Role.SUPERADMIN)
    return {name: get_shown_type(table, name) for name in names}


def get_shown_type(table: Table, name: str) -> FieldType:
    """Return the type of one column as it is shown."""
    columns = {**table.public_fields(), **table.computed_fields}
    column, field = columns.get(name), get_form_fields(table).get(name)
    if column is not None and (field is None or column.null):
        return get_column_type(column)
    if field is None:
        raise LookupError(f"{table.slug} has neither a column nor a field {name}")
    return without_bounds(get_field_type(field))


def get_form_fields(table: Table) -> dict[str, forms.Field]:
    """Return all fields that programs may give, of new rows and of old ones."""
    return program_fields(table.form_class, "edit") | program_fields(table.form_class, "create")


def build_new_schema(table: Table) -> dict[str, object]:
    """Return the schema of a new row."""
    form_fields = program_fields(table.form_class, "create")
    typed = {name: field for name, field in form_fields.items() if name != "password"}
    fields = {name: get_field_type(field) for name, field in typed.items()}
    fields |= {"password": NEW_PASSWORD} if "password" in form_fields else {}
    required = [name for name, field in typed.items() if is_required_on_create(field)]
    return build_field_object(add_password_hash(fields), required)


def is_required_on_create(field: forms.Field) -> bool:
    """Return whether a field has to be sent: it has no default and is no checkbox."""
    has_default = field.initial is not None or isinstance(field, forms.BooleanField)
    return field.required and not has_default


def get_changes_types(table: Table) -> dict[str, FieldType]:
    """Return the types of what may be changed of a row."""
    form_fields = program_fields(table.form_class, "edit")
    return add_password_hash({name: get_field_type(field) for name, field in form_fields.items()})


def add_password_hash(fields: dict[str, FieldType]) -> dict[str, FieldType]:
    """Add the other way to give a password, where there is one."""
    return fields | ({"password_hash": PASSWORD_HASH} if "password" in fields else {})


def build_page_schema(table: Table) -> dict[str, object]:
    """Return the schema of a page of rows."""
    properties = {
        "items": build_list(component_ref(get_component_name(table))),
        "next": build_schema(FieldType(get_key_type(table), NEXT_HELP, is_nullable=True)),
    }
    return build_object(properties, properties)


# Of all tables

ERRORS = {"type": "object", "additionalProperties": build_list(TEXT)}
JOB_STATE = {
    "id": WHOLE,
    "title": TEXT,
    "state": component_ref("StateEnum"),
    "done": WHOLE,
    "total": WHOLE,
    "message": TEXT,
    "created": {"type": "string", "format": "date-time"},
    "finished": {"type": ["string", "null"], "format": "date-time"},
}
SHARED_SCHEMAS = {
    "Problem": build_object(
        {
            "status": WHOLE,
            "title": TEXT | {"description": "What is wrong, in the requested language."},
            "errors": ERRORS | {"description": "Messages by column."},
            "items": build_list(component_ref("ErrorsOfRow")),
        },
        ["status", "title"],
        description="Problem details (RFC 9457).",
    ),
    "ErrorsOfRow": build_object(
        {
            "index": WHOLE | {"description": "Index of the row in the request, from 0."},
            "errors": ERRORS,
        },
        ["errors", "index"],
    ),
    "JobBegun": build_object(
        {"job": WHOLE | {"description": "URL of the job's progress: /api/v1/jobs/{job}"}}, ["job"]
    ),
    "JobState": build_object(JOB_STATE, JOB_STATE),
    "StateEnum": {"enum": ["draft", "waiting", "running", "done", "failed"], "type": "string"},
}
