"""The parts of an OpenAPI operation: parameters, bodies, responses, and those of every resource."""

from collections.abc import Iterable, Mapping
from typing import Any

from mailadmin.api.problems import PROBLEM_TYPE
from mailadmin.api.query_params import DEFAULT_PAGE_SIZE, MAX_ROWS
from mailadmin.api.responses import JSON_TYPE
from mailadmin.api.schemas import TEXT, WHOLE, component_ref

PROBLEM_DESCRIPTIONS = {
    400: "The body is not valid JSON, or not a JSON object.",
    401: "The token is missing or invalid.",
    403: "The token or its owner lacks the permission.",
    404: "Not found.",
    409: "The row already exists, or concurrent changes conflict.",
    412: "The row does not match `If-Match` any more.",
    413: "The request body is too large.",
    415: "The request body is not `application/json`.",
    422: "Validation failed; `errors` names the columns.",
    429: "Too many requests; `Retry-After` gives the number of seconds to wait.",
    503: "The database is unavailable, or did not confirm that the change was saved.",
}
USUAL_PROBLEMS = {401, 403, 429, 503}
EXAMPLE_ERRORS = {"quota": ["The maximum quota per mailbox in this domain is 1,024 MB."]}
DATE = {"type": "string", "format": "date"}


def build_operation(
    operation_id: str,
    *,
    tag: str,
    summary: str,
    description: str,
    responses: Mapping[str, dict],
    parameters: Iterable[dict] = (),
    body: dict | None = None,
) -> dict:
    """Return an operation that needs a token; its parameters are listed by name."""
    listed = sorted(parameters, key=lambda parameter: parameter["name"])
    return {
        "operationId": operation_id,
        "description": description,
        "summary": summary,
        **({"parameters": listed} if listed else {}),
        "tags": [tag],
        **({"requestBody": body} if body else {}),
        "security": [{"token": []}],
        "responses": dict(responses),
    }


# Parameters and headers


def build_parameter(
    location: str, name: str, description: str, schema: dict, **options: Any
) -> dict:
    parameter = {"in": location, "name": name, "schema": schema, "description": description}
    return parameter | options


def query_parameter(name: str, description: str, schema: dict = TEXT, **options: Any) -> dict:
    return build_parameter("query", name, description, schema, **options)


def header_parameter(name: str, description: str) -> dict:
    return build_parameter("header", name, description, TEXT)


def path_parameter(name: str, description: str, schema: dict) -> dict:
    return build_parameter("path", name, description, schema, required=True)


def build_header(description: str, schema: dict = TEXT) -> dict:
    return {"schema": schema, "description": description}


FILTER_PARAMETERS = {
    "domain": query_parameter("domain", "Only rows of this domain."),
    "active": query_parameter(
        "active", "Only active (`1`) or inactive (`0`) rows.", TEXT | {"enum": ["0", "1"]}
    ),
    "q": query_parameter(
        "q",
        "Only rows that contain all of these words; `bob*` matches addresses that"
        ' start with "bob".',
    ),
    "scheme": query_parameter(
        "scheme",
        "Only people whose password is stored in this scheme, such as `MD5-CRYPT`; `weak` and"
        " `rejected` (by Dovecot 2.4) are groups of schemes, `none` is no password.",
    ),
    "unused": query_parameter(
        "unused", "Only mailboxes whose mail nobody has read for this number of days.", WHOLE
    ),
    "state": query_parameter("state", "Only rows in this state."),
    "mailbox": query_parameter("mailbox", "Only rows of this mailbox."),
    "admin": query_parameter("admin", "Only entries by this admin."),
    "action": query_parameter("action", "Only entries with this action, such as `create_mailbox`."),
    "from": query_parameter("from", "Only entries from this day on.", DATE),
    "until": query_parameter("until", "Only entries up to and including this day.", DATE),
}
PAGE_PARAMETERS = [
    query_parameter("after", "The `next` of the previous page."),
    query_parameter(
        "limit",
        "Number of rows per page.",
        WHOLE | {"minimum": 1, "maximum": MAX_ROWS, "default": DEFAULT_PAGE_SIZE},
    ),
]
IF_NONE_MATCH_HEADER = header_parameter(
    "If-None-Match", "The `ETag` of the row; the response is 304 if the row has not changed."
)
IF_MATCH_HEADER = header_parameter(
    "If-Match", "The `ETag` of the row; the request fails with 412 if the row has changed."
)
IDEMPOTENCY_KEY = header_parameter(
    "Idempotency-Key",
    "A text of your choice. A request repeated with the same key within a day is"
    " performed only once.",
)
ETAG_HEADER = {"ETag": build_header("Identifies this version of the row.")}
LOCATION_HEADER = {"Location": build_header("URL of the new row or job.")}
REPLAYED = {
    "Idempotent-Replayed": build_header(
        "`true` if this is the stored response to an earlier request with the same key."
    )
}
RETRY_AFTER = {"Retry-After": build_header("Seconds to wait before the next request.", WHOLE)}


# Bodies and responses


def build_content(
    schema: dict, examples: dict | None = None, media_type: str = JSON_TYPE
) -> dict[str, dict]:
    content = {"schema": schema}
    return {media_type: content | ({"examples": examples} if examples else {})}


def build_examples(name: str, summary: str, value: object) -> dict[str, dict]:
    return {name: {"value": value, "summary": summary}}


def build_response(
    description: str = "", content: dict | None = None, headers: dict | None = None
) -> dict:
    return {
        **({"headers": headers} if headers else {}),
        **({"content": content} if content else {}),
        "description": description,
    }


def problem_responses(*statuses: int, headers: dict | None = None) -> dict[str, dict]:
    """Return the refusals of an operation; the headers are those of "try again later"."""
    return {
        str(status): build_response(
            PROBLEM_DESCRIPTIONS[status],
            build_content(component_ref("Problem"), problem_examples(status), PROBLEM_TYPE),
            headers if status in (429, 503) else None,
        )
        for status in sorted(USUAL_PROBLEMS.union(statuses))
    }


def problem_examples(status: int) -> dict[str, dict]:
    value: dict[str, object] = {"status": status, "title": PROBLEM_DESCRIPTIONS[status]}
    if status == 422:
        value["errors"] = EXAMPLE_ERRORS
    return build_examples(f"Problem{status}", f"problem {status}", value)
