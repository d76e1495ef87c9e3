"""Errors as `application/problem+json` (RFC 9457): a status, a title, and errors by field."""

import logging
from collections.abc import Mapping, Sequence

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DatabaseError, IntegrityError, InterfaceError
from django.http import Http404, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailadmin.api.responses import json_response
from mailadmin.db.mysql.errors import is_duplicate_key
from mailadmin.outages import OUTAGES, RETRY_AFTER, get_outage_kind

logger = logging.getLogger("mailadmin.api")

PROBLEM_TYPE = "application/problem+json"
COMMIT_OUTCOME_UNKNOWN = gettext_lazy(
    "The connection to the database was lost while saving, so the outcome is unknown."
    " Repeat the request with the same Idempotency-Key, or check the row first."
)

Errors = Mapping[str, Sequence[str]]  # field → texts


class ApiProblem(Exception):
    """A refusal with its status, and what is wrong by field or by index of a row."""

    def __init__(
        self,
        status: int,
        title: str | Promise,
        errors: Errors | None = None,
        items: Sequence[Mapping[str, object]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(title)
        self.status, self.title, self.headers = status, str(title), dict(headers or {})
        self.errors, self.items = errors, items

    @property
    def body(self) -> dict[str, object]:
        """Return the members of the problem's JSON object."""
        body: dict[str, object] = {"status": self.status, "title": self.title}
        body |= {} if self.errors is None else {"errors": self.errors}
        return body | ({} if self.items is None else {"items": self.items})


# What a view answers with a problem; anything else is a fault of the panel.
HANDLED_ERRORS = (
    ApiProblem,
    Http404,
    PermissionDenied,
    RequestDataTooBig,
    DatabaseError,
    InterfaceError,
    OSError,
)


def build_validation_problem(errors: Errors, status: int = 422) -> ApiProblem:
    """Build the refusal of a form or a service; errors of no single field become the title."""
    by_field = {name: texts for name, texts in errors.items() if name}
    general = errors.get("") or [_("Some values are not valid.")]
    return ApiProblem(status, " ".join(map(str, general)), errors=by_field)


def build_rows_problem(
    errors_by_index: Mapping[int, Errors], is_complete: bool = True
) -> ApiProblem:
    """Build the refusal of a list of rows, with the errors of each row that has some."""
    items = [
        {"index": index, "errors": {name or "detail": texts for name, texts in errors.items()}}
        for index, errors in sorted(errors_by_index.items())
    ]
    title = _("Some rows were rejected, so nothing was changed.")
    if not is_complete:
        text = _(
            "Nothing was changed: %(count)s rows were rejected and the others were not checked."
        )
        title = text % {"count": len(items)}
    return ApiProblem(422, title, errors={}, items=items)


def handle_exception(error: Exception) -> HttpResponse | None:
    """Return the response to an exception of a view; None if it is a fault of the panel."""
    problem = find_problem(error)
    return None if problem is None else build_problem_response(problem)


def find_problem(error: Exception) -> ApiProblem | None:
    """Return the problem that an exception means to a program; None for a fault of the panel."""
    match error:
        case ApiProblem():
            return error
        case Http404():
            return ApiProblem(404, _("Not found."))
        case RequestDataTooBig():
            return ApiProblem(413, _("The request body is too large."))
        case PermissionDenied():
            return ApiProblem(403, _("You do not have permission to do this."))
        case IntegrityError() if is_duplicate_key(error):
            logger.warning("the database rejected a row that already exists")
            return ApiProblem(409, _("This was created by someone else in the meantime."))
    kind = get_outage_kind(error)
    return build_outage_problem(kind, error) if kind else None


def build_outage_problem(kind: str, error: Exception) -> ApiProblem:
    """Build the answer while the database or the disk does not work, and log why."""
    logger.error("%s: %s", OUTAGES[kind].title, error)
    title = COMMIT_OUTCOME_UNKNOWN if kind == "unknown" else OUTAGES[kind].detail
    return ApiProblem(503, title, headers={"Retry-After": RETRY_AFTER})


def build_problem_response(problem: ApiProblem) -> HttpResponse:
    """Build the response, which Django does not log: its line has the path, with addresses."""
    response = json_response(problem.body, problem.status, problem.headers, PROBLEM_TYPE)
    response._has_been_logged = True  # type: ignore[attr-defined]  # private
    return response


def build_overtaken_problem() -> ApiProblem:
    return ApiProblem(
        409, _("Other changes to this row keep conflicting. Nothing was saved; try again.")
    )


def build_precondition_problem() -> ApiProblem:
    text = _("Someone else changed this in the meantime. Nothing was saved.")
    return ApiProblem(412, text)
