"""The OpenAPI operations of a table's resources."""

from collections.abc import Iterable

from mailadmin.api.operations import (
    ETAG_HEADER,
    FILTER_PARAMETERS,
    IDEMPOTENCY_KEY,
    IF_MATCH_HEADER,
    IF_NONE_MATCH_HEADER,
    LOCATION_HEADER,
    PAGE_PARAMETERS,
    REPLAYED,
    RETRY_AFTER,
    build_content,
    build_examples,
    build_operation,
    build_response,
    path_parameter,
    problem_responses,
    query_parameter,
)
from mailadmin.api.query_params import MAX_ROWS
from mailadmin.api.schemas import (
    FieldType,
    build_list,
    component_ref,
    get_component_name,
    get_key_type,
    get_row_types,
)
from mailadmin.tables.forms import program_fields
from mailadmin.tables.table import Table

EXAMPLE_FORMATS = {"date-time": "2026-01-31T12:00:00+01:00", "date": "2026-01-31"}
EXAMPLE_VALUES = {"boolean": True, "array": [], "integer": 0, "number": 0, "string": ""}


def row_list_operations(table: Table) -> dict[str, dict]:
    """Return the operations of all rows: method → operation."""
    operations = {"get": list_operation(table)}
    operations |= {"post": create_operation(table)} if "create" in table.api_roles else {}
    return operations | ({"patch": bulk_edit_operation(table)} if "edit" in table.api_roles else {})


def row_operations(table: Table) -> dict[str, dict]:
    """Return the operations of one row: method → operation."""
    operations = {"get": read_operation(table)}
    operations |= {"patch": edit_operation(table)} if "edit" in table.api_roles else {}
    return operations | ({"delete": delete_operation(table)} if "delete" in table.api_roles else {})


def build_operation_id(verb: str, table: Table, suffix: str = "") -> str:
    return f"{verb}_{table.slug.replace('-', '_')}{suffix}"


def build_title(table: Table) -> str:
    return table.slug.replace("-", " ")


def table_problems(*statuses: int) -> dict[str, dict]:
    """Return the refusals of a table's operation."""
    return problem_responses(*statuses, headers=RETRY_AFTER)


# All rows


def list_operation(table: Table) -> dict:
    filters = [FILTER_PARAMETERS[name] for name in table.filter_names if name in FILTER_PARAMETERS]
    filters += [
        query_parameter(name, f"Only rows with this value: {field.custom.label}.")
        for name, field in table.column_filters.items()
    ]
    page = component_ref(f"{get_component_name(table)}Page")
    example = {"items": [build_example_row(table)], "next": None}
    return build_operation(
        build_operation_id("list", table),
        tag=table.slug,
        summary=f"List {build_title(table)}",
        description="Ordered by key. `next` is the `after` of the next page; null on the last one.",
        parameters=[*filters, *PAGE_PARAMETERS],
        responses={
            "200": build_response(content=build_content(page, response_examples(table, example))),
            **table_problems(404, 422),
        },
    )


def create_operation(table: Table) -> dict:
    name = get_component_name(table)
    sent = build_content(component_ref(f"New{name}OrList"), request_examples(table))
    created = build_content(
        component_ref(f"{name}OrList"), response_examples(table, build_example_row(table))
    )
    return build_operation(
        build_operation_id("create", table),
        tag=table.slug,
        summary=f"Create one or up to {MAX_ROWS:,} {build_title(table)} (all or nothing)",
        description=(
            "Send an object to create one row, or a list of objects to create several."
            " Omitted values take the defaults of the panel's form."
        ),
        parameters=[IDEMPOTENCY_KEY],
        body={"content": sent},
        responses={
            "201": build_response(
                content=created, headers=ETAG_HEADER | LOCATION_HEADER | REPLAYED
            ),
            **creation_job_response(table),
            **table_problems(400, 409, 413, 415, 422),
        },
    )


def creation_job_response(table: Table) -> dict[str, dict]:
    """Return the response to new rows with many plain passwords, where a table has passwords."""
    if "password" not in table.form_class.base_fields:
        return {}
    text = "Many plain passwords: a background job hashes them and creates the rows."
    started = build_content(component_ref("JobBegun"))
    return {"202": build_response(text, started, LOCATION_HEADER)}


def bulk_edit_operation(table: Table) -> dict:
    name = get_component_name(table)
    changes = build_list(component_ref(f"{name}ChangesByKey"))
    return build_operation(
        build_operation_id("edit", table, "_list"),
        tag=table.slug,
        summary=f"Change up to {MAX_ROWS:,} {build_title(table)} (all or nothing)",
        description="Each object has the key of its row and the values to change.",
        body={"content": build_content(changes), "required": True},
        responses={
            "200": build_response(content=build_content(component_ref(f"{name}List"))),
            **table_problems(400, 409, 413, 415, 422),
        },
    )


# One row


def read_operation(table: Table) -> dict:
    return build_operation(
        build_operation_id("read", table, "_row"),
        tag=table.slug,
        summary=f"Read one row of {build_title(table)}",
        description=(
            "The `ETag` identifies this version of the row; sent in `If-None-Match`, it"
            " is answered with 304 until the row changes."
        ),
        parameters=[key_parameter(table), IF_NONE_MATCH_HEADER],
        responses={
            "200": row_response(table),
            "304": build_response("The row has not changed since `If-None-Match`."),
            **table_problems(404),
        },
    )


def edit_operation(table: Table) -> dict:
    changes = component_ref(f"Patched{get_component_name(table)}Changes")
    examples = request_examples(table, program_fields(table.form_class, "edit"))
    return build_operation(
        build_operation_id("edit", table, "_row"),
        tag=table.slug,
        summary=f"Change one row of {build_title(table)}",
        description=(
            "Omitted values stay as they are. A whole row may be sent back: columns that"
            " cannot be changed are accepted if their values are the current ones."
        ),
        parameters=[key_parameter(table), IF_MATCH_HEADER],
        body={"content": build_content(changes, examples)},
        responses={
            "200": row_response(table),
            **table_problems(400, 404, 409, 412, 413, 415, 422),
        },
    )


def delete_operation(table: Table) -> dict:
    started = build_content(component_ref("JobBegun"))
    return build_operation(
        build_operation_id("delete", table, "_row"),
        tag=table.slug,
        summary=f"Delete one row of {build_title(table)} and everything that depends on it",
        description="A large deletion is done by a background job; until then the row is inactive.",
        parameters=[key_parameter(table), IF_MATCH_HEADER],
        responses={
            "204": build_response("Deleted; no response body."),
            "202": build_response(
                "A background job that deletes the row was started.", started, LOCATION_HEADER
            ),
            **table_problems(404, 412, 422),
        },
    )


def key_parameter(table: Table) -> dict:
    return path_parameter("key", "The key of the row.", {"type": get_key_type(table)})


def row_response(table: Table) -> dict:
    examples = response_examples(table, build_example_row(table))
    content = build_content(component_ref(get_component_name(table)), examples)
    return build_response(content=content, headers=ETAG_HEADER)


# Examples


def request_examples(table: Table, names: Iterable[str] | None = None) -> dict[str, dict]:
    """Return an example of a new row, or of changes to a row's fields of these names."""
    value = {n: v for n, v in table.example_values.items() if names is None or n in names}
    name = get_component_name(table)
    return build_examples(f"Sent:{name}", f"request: {name}", value)


def response_examples(table: Table, value: object) -> dict[str, dict]:
    name = get_component_name(table)
    return build_examples(f"Answer:{name}", f"response: {name}", value)


def build_example_row(table: Table) -> dict[str, object]:
    """Return a row as it is shown: the table's example, and plausible values beside it."""
    row = {name: get_example_value(field) for name, field in get_row_types(table).items()}
    row |= {name: value for name, value in table.example_values.items() if name in row}
    if {"local_part", "domain"} <= set(row):
        row[table.key_column] = f"{row['local_part']}@{row['domain']}"
    return row


def get_example_value(field: FieldType) -> object:
    return EXAMPLE_FORMATS.get(field.format) or EXAMPLE_VALUES[field.type]
