"""Serve the OpenAPI document, which is stored with the program; admins see custom columns in it."""

import functools
import json
from pathlib import Path
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.generic import View

from mailadmin.accounts.models import Role
from mailadmin.api.authentication import authenticate
from mailadmin.api.openapi import build_openapi_document, render_document
from mailadmin.api.problems import ApiProblem, build_problem_response
from mailadmin.db.custom_columns import find_superadmin_columns, has_any_custom_column

OPENAPI_PATH = Path(__file__).with_name("openapi.json")


@method_decorator(login_not_required, name="dispatch")
class OpenApiDocumentView(View):
    """The document for anybody says nothing of this installation; that for admins does."""

    roles = None

    def get(self, request: HttpRequest) -> HttpResponseBase:
        try:
            role = find_role(request)
        except ApiProblem as problem:
            return build_problem_response(problem)
        if not (role & Role.ADMINS and has_any_custom_column()):
            return FileResponse(OPENAPI_PATH.open("rb"), content_type="application/json")
        return HttpResponse(render_document(load_document(role)), content_type="application/json")


def find_role(request: HttpRequest) -> Role:
    """Return the role of the token or the session of a request; none of a stranger."""
    person = authenticate(request) if "Authorization" in request.headers else request.user
    return getattr(person, "role", Role(0))


@functools.cache
def load_document(role: Role) -> dict[str, Any]:
    """Return the document for admins of this role."""
    if not has_any_custom_column():
        stored: dict[str, Any] = json.loads(OPENAPI_PATH.read_text())
        return stored
    hidden = [] if role is Role.SUPERADMIN else find_superadmin_columns()
    return without_names(build_openapi_document(), hidden)


def without_names(value: Any, names: list[str]) -> Any:
    """Return a part of the document without what it says of columns of these names."""
    match value:
        case dict():
            return {n: without_names(each, names) for n, each in value.items() if n not in names}
        case list():
            return [without_names(each, names) for each in value if each not in names]
    return value
