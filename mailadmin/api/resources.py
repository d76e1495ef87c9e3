"""The resources of tables: rows as JSON, read and written as their pages do."""

import functools
import operator
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import quote_etag
from django.utils.translation import gettext as _

from mailadmin.accounts.models import Role
from mailadmin.api import creation_jobs
from mailadmin.api.base import ApiView
from mailadmin.api.created_rows import build_created_response, build_new_rows
from mailadmin.api.field_types import check_types
from mailadmin.api.idempotency import IdempotencyKey, ReplayedRequest
from mailadmin.api.jobs import build_job_response
from mailadmin.api.parsers import parse_json_body
from mailadmin.api.permissions import Access
from mailadmin.api.problems import (
    ApiProblem,
    build_overtaken_problem,
    build_precondition_problem,
    build_rows_problem,
    build_validation_problem,
)
from mailadmin.api.query_params import MAX_ROWS, check_filters, parse_limit
from mailadmin.api.responses import empty_response, json_response
from mailadmin.api.table_operations import row_list_operations, row_operations
from mailadmin.api.throttling import charge_rows
from mailadmin.api.tokens import TokenPrincipal
from mailadmin.changes.perform import AfterPerform, Changes, EditConflict, SeenVersion
from mailadmin.jobs.models import Job
from mailadmin.names import fold
from mailadmin.tables.actions import DELETE
from mailadmin.tables.forms import TableForm
from mailadmin.tables.pages import InvalidCursor
from mailadmin.tables.saving import EditOvertaken, RowsRefused, retry_on_conflict, save_forms
from mailadmin.tables.serialization import (
    add_warnings,
    compute_etag,
    error_codes,
    form_errors,
    seen_by_etag,
    serialize_row,
    serialize_rows,
    serialize_version,
    validation_texts,
)
from mailadmin.tables.table import Table

REPLAYED = {"Idempotent-Replayed": "true"}


class TableResourceView(ApiView):
    """The base class of a table's views in the API."""

    table: Table = Table()
    access_by_method: dict[str, tuple[str, str]] = {}  # method → (verb of tokens, screen)

    @property
    def roles(self) -> Role:  # type: ignore[override]  # of the table
        """Return the roles that open some screen of the table."""
        return functools.reduce(operator.or_, self.table.api_roles.values())

    def get_required_access(self) -> Access:
        verb, screen = self.access_by_method.get(str(self.request.method), ("read", "list"))
        return Access(self.table.slug, verb, screen)

    def allows_screen(self, screen: str, principal: TokenPrincipal) -> bool:
        return principal.role in self.table.api_roles_of(screen)

    def get_row(self) -> Model:
        """Return the row of exactly this key, else of the key as people write it."""
        key = self.kwargs["key"]
        for spelling in (key, self.table.parse_key(key)):
            if row := self.table.find(self.principal, spelling):
                return row
        raise Http404

    def serialize_row(self, row: Model) -> dict[str, object]:
        """Return the values of a row that the principal may see."""
        return serialize_row(self.table, row, self.principal)

    def serialize_saved_rows(self, rows: list[Model]) -> list[dict[str, object]]:
        """Return the values of rows that were saved, with their warnings."""
        values = serialize_rows(self.table, rows, self.principal)
        return add_warnings(self.table, rows, values, self.principal)

    def build_edit_form(
        self, row: Model, values: dict[str, object], seen: SeenVersion | None = None
    ) -> TableForm:
        current = serialize_version(self.table, row, self.principal)
        given = {n: value for n, value in values.items() if n not in self.table.live_columns}
        return self.table.form_class.from_values(given, self.actor, row, current, seen)

    def get_etag(self, row: Model) -> str:
        """Return the tag of the row's values, without quotes."""
        return compute_etag(self.table, row, self.principal)

    def read_body(self, screen: str, *types: type[dict] | type[list]) -> Any:
        """Return what was sent, an object or a list of some, after a check of all types."""
        sent = parse_json_body(self.request)
        if not isinstance(sent, types):
            raise ApiProblem(400, _("The body must be a JSON object or a list of objects."))
        count = len(sent) if isinstance(sent, list) else 1
        if not 0 < count <= MAX_ROWS:
            text = _("A list must have 1 to %(most)s rows.") % {"most": MAX_ROWS}
            raise ApiProblem(422, text, errors={})
        check_types(self.table, screen, sent)
        if count > 1:
            charge_rows(self.principal, count)
        return sent


class RowListResourceView(TableResourceView):
    """All rows of a table: a page of them, new ones, and changes of several at once."""

    access_by_method = {
        "GET": ("read", "list"),
        "POST": ("create", "create"),
        "PATCH": ("edit", "edit"),
    }

    def get_operations(self) -> dict[str, dict]:
        return row_list_operations(self.table)

    def get(self, request: HttpRequest) -> HttpResponse:
        check_filters(request.GET, self.table)
        filters, limit = self.table.filters(request.GET), parse_limit(request.GET)
        try:
            page = self.table.page(self.principal, filters, limit, after=request.GET.get("after"))
        except InvalidCursor as error:
            raise Http404 from error
        items = serialize_rows(self.table, page.rows, self.principal)
        return json_response({"items": items, "next": page.next_key})

    # New rows

    def post(self, request: HttpRequest) -> HttpResponse:
        key = self.get_idempotency_key()
        if key and (stored := key.get_stored_response()):
            return build_created_response(stored, REPLAYED)
        sent = self.read_body("create", dict, list)
        try:
            return build_created_response(self.create_rows(sent, key))
        except (ReplayedRequest, ApiProblem):
            # The same request, sent twice, may have stored a response.
            if key and (stored := key.get_stored_response()):
                return build_created_response(stored, REPLAYED)
            raise

    def get_idempotency_key(self) -> IdempotencyKey | None:
        key = self.request.headers.get("Idempotency-Key")
        if key is None:
            return None
        body = self.request.path.encode() + b"\n" + self.raw_body
        return IdempotencyKey(self.principal.token, key, body)

    def create_rows(self, sent: dict | list, key: IdempotencyKey | None) -> dict:
        """Make one row, or the rows of a list, and return the response."""

        def store_response(_changes: Changes, rows: list[Model]) -> None:
            if key:
                key.store(build_new_rows(self.table, self.principal, sent, rows, is_stored=True))

        form_class = self.table.form_class
        if isinstance(sent, list):
            forms = (form_class.from_values(values, self.actor) for values in sent)
            if creation_jobs.takes_too_long(sent):
                return self.start_job(list(forms), sent, key)
            rows = save_or_refuse(self.table, forms, store_response)
        else:
            form = form_class.from_values(sent, self.actor)
            rows = [save_form(self.table, form, store_response)]
        return build_new_rows(self.table, self.principal, sent, rows)

    def start_job(
        self, forms: list[TableForm], sent: list[dict], key: IdempotencyKey | None
    ) -> dict:
        """Leave it to a job to create the rows, and return the response that names it."""

        def store_response(_changes: Changes, job: Job) -> None:
            if key:
                key.store(build_job_response(job))

        try:
            job = creation_jobs.start_creation_job(self.table, forms, sent, store_response)
        except RowsRefused as error:
            raise build_rows_problem(error.errors_by_number, error.is_complete) from error
        except ValidationError as error:
            raise build_validation_problem(validation_texts(error)) from error
        return build_job_response(job)

    # Several at once

    def patch(self, request: HttpRequest) -> HttpResponse:
        if "If-Match" in request.headers:
            raise ApiProblem(400, _("If-Match can only be used with a single row."))
        sent = self.read_body("edit", list)
        try:
            retry_on_conflict(lambda: self.save_edits(sent))
        except EditOvertaken as error:
            raise build_overtaken_problem() from error
        rows = self.get_named_rows(sent)
        return json_response({"items": self.serialize_saved_rows(rows)})

    def save_edits(self, sent: list[dict]) -> None:
        rows = self.table.prefetch_forms(self.get_named_rows(sent))
        forms = (
            self.build_edit_form(row, drop_key(self.table, item))
            for row, item in zip(rows, sent, strict=True)
        )
        save_or_refuse(self.table, forms)

    def get_named_rows(self, sent: list[dict]) -> list[Model]:
        """Return the rows that the items name, in their order; a key stands in one item only."""
        name = self.table.key_column
        values = [item.get(name) for item in sent]
        keys = [fold(value) if self.table.is_possible_key(value) else None for value in values]
        found = self.table.queryset(self.principal).filter(pk__in=[key for key in keys if key])
        rows = {fold(row.pk): row for row in found}
        errors = {n: missing_row_errors(name) for n, key in enumerate(keys) if key not in rows}
        errors |= {
            n: duplicate_row_errors(name) for n, key in enumerate(keys) if key and key in keys[:n]
        }
        if errors:
            raise build_rows_problem(errors)
        return [rows[key] for key in keys]


def drop_key(table: Table, values: dict[str, object]) -> dict[str, object]:
    """Return the values without the key, which names the row and does not change."""
    return {name: value for name, value in values.items() if name != table.model._meta.pk.column}


def missing_row_errors(name: str) -> dict[str, list[str]]:
    return {name: [_("Not found.")]}


def duplicate_row_errors(name: str) -> dict[str, list[str]]:
    return {name: [_("Duplicate row.")]}


def save_form(table: Table, form: TableForm, after: AfterPerform | None = None) -> Model:
    """Save one row, or raise the problem that says why it was refused."""
    row = form.save(table.services, after) if form.is_valid() else None
    if row is None:
        raise build_refused_problem(form)
    return row


def save_or_refuse(
    table: Table, forms: Iterable[TableForm], after: AfterPerform | None = None
) -> list[Model]:
    """Save all rows, or raise the problem that names those that were refused."""
    try:
        return save_forms(table, forms, after)
    except RowsRefused as error:
        raise build_rows_problem(error.errors_by_number, error.is_complete) from error


class RowResourceView(TableResourceView):
    """One row of a table."""

    access_by_method = {
        "GET": ("read", "list"),
        "PATCH": ("edit", "edit"),
        "DELETE": ("delete", "delete"),
    }

    def get_operations(self) -> dict[str, dict]:
        return row_operations(self.table)

    def get(self, request: HttpRequest, key: str) -> HttpResponse:
        row = self.get_row()
        headers = {"ETag": quote_etag(self.get_etag(row))}
        if etag_matches(request.headers.get("If-None-Match"), headers["ETag"]):
            return empty_response(304, headers)
        return json_response(self.serialize_row(row), headers=headers)

    def patch(self, request: HttpRequest, key: str) -> HttpResponse:
        sent = self.read_body("edit", dict)
        try:
            retry_on_conflict(lambda: self.save_edit(sent))
        except EditOvertaken as error:
            raise build_overtaken_problem() from error
        row = self.get_row()
        (value,) = self.serialize_saved_rows([row])
        return json_response(value, headers={"ETag": quote_etag(self.get_etag(row))})

    def save_edit(self, sent: dict) -> None:
        row = self.get_row()
        save_form(self.table, self.build_edit_form(row, sent, self.get_seen_version(row)))

    def delete(self, request: HttpRequest, key: str) -> HttpResponse:
        row = self.get_row()
        try:
            job = self.table.run_action(self.actor, DELETE, [row.pk], self.get_seen_version(row))
        except EditConflict as error:
            raise build_precondition_problem() from error
        except ValidationError as error:
            raise build_validation_problem(validation_texts(error)) from error
        if job is None:
            return empty_response(204)
        return build_created_response(build_job_response(job))

    def get_seen_version(self, row: Model) -> SeenVersion | None:
        """Return the version that If-Match names; None without that header."""
        header = self.request.headers.get("If-Match")
        if header is None:
            return None
        tag = self.get_etag(row)
        if not etag_matches(header, quote_etag(tag)):
            raise build_precondition_problem()
        return seen_by_etag(self.table, row, self.principal, tag)


def build_refused_problem(form: TableForm) -> ApiProblem:
    """Build the problem of values that were refused: a key that is taken is a conflict."""
    status = 409 if "taken" in error_codes(form) else 422
    return build_validation_problem(form_errors(form), status)


def etag_matches(header: str | None, tag: str) -> bool:
    """Return whether If-Match or If-None-Match names this quoted tag, or any by `*`."""
    tags = [part.strip().removeprefix("W/") for part in (header or "").split(",")]
    return "*" in tags or tag in tags
