"""The parts of an OpenAPI operation: parameters, bodies, responses, and those of every resource."""

from collections.abc import Iterable, Mapping
from typing import Any

from mailadmin.api.problems import PROBLEM_TYPE
from mailadmin.api.query_params import DEFAULT_PAGE_SIZE, MAX_ROWS
from mailadmin.api.responses import JSON_TYPE
from mailadmin.api.schemas import TEXT, WHOLE, component_ref

PROBLEM_DESCRIPTIONS = {
    400: "This is not JSON, or not a JSON object.",
    401: "No token, or one that is not valid here.",
    403: "The token, or whom it stands for, may not do this.",
    404: "It does not exist, or it is not yours.",
    409: "It exists already, or others keep changing it.",
    412: "The row is no longer as `If-Match` says.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    422: "Refused by a rule; `errors` tells which column.",
    429: "Too fast: `Retry-After` tells how many seconds to wait.",
    503: "The database does not answer, or it did not say whether it has saved.",
}
USUAL_PROBLEMS = {401, 403, 429, 503}
EXAMPLE_ERRORS = {"quota": ["The largest mailbox in this domain has 1,024 MB."]}
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
    "domain": query_parameter("domain", "Rows of this domain."),
    "active": query_parameter("active", "In force or not.", TEXT | {"enum": ["0", "1"]}),
    "q": query_parameter(
        "q", "Rows that contain all of these words; `bob*` is the beginning of an address."
    ),
    "admin": query_parameter("admin", "Lines of this admin."),
    "action": query_parameter("action", "Lines of this action, such as `create_mailbox`."),
    "from": query_parameter("from", "Lines since this day.", DATE),
    "until": query_parameter("until", "Lines up to this day.", DATE),
}
PAGE_PARAMETERS = [
    query_parameter("after", "The `next` of the page before."),
    query_parameter(
        "limit",
        "Rows on a page.",
        WHOLE | {"minimum": 1, "maximum": MAX_ROWS, "default": DEFAULT_PAGE_SIZE},
    ),
]
IF_NONE_MATCH_HEADER = header_parameter(
    "If-None-Match", "The row's `ETag`: answered 304 while it is still so."
)
IF_MATCH_HEADER = header_parameter(
    "If-Match", "The row's `ETag`: it is changed only if it is still so."
)
IDEMPOTENCY_KEY = header_parameter(
    "Idempotency-Key",
    "A text of your own. The same request, sent again with it within a day, is done once.",
)
ETAG_HEADER = {"ETag": build_header("Names these values.")}
LOCATION_HEADER = {"Location": build_header("Where it is.")}
REPLAYED = {
    "Idempotent-Replayed": build_header(
        "`true` where this is the answer to an earlier request of the same key."
    )
}
RETRY_AFTER = {"Retry-After": build_header("Seconds to wait.", WHOLE)}


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
