"""Serve the OpenAPI document, which is stored with the program."""

from pathlib import Path

from django.contrib.auth.decorators import login_not_required
from django.http import FileResponse, HttpRequest
from django.utils.decorators import method_decorator
from django.views.generic import View

OPENAPI_PATH = Path(__file__).with_name("openapi.json")


@method_decorator(login_not_required, name="dispatch")
class OpenApiDocumentView(View):
    """The document for anybody: it says nothing of this installation."""

    roles = None

    def get(self, request: HttpRequest) -> FileResponse:
        return FileResponse(OPENAPI_PATH.open("rb"), content_type="application/json")
