"""The OpenAPI document, as it was made and is kept with the program."""

import json
from pathlib import Path

from django.contrib.auth.decorators import login_not_required
from django.http import FileResponse
from django.utils.decorators import method_decorator
from django.utils.translation import override
from django.views.generic import View
from drf_spectacular.generators import SchemaGenerator

FILE = Path(__file__).with_name("openapi.json")


def made():
    """The document as the forms and columns are now."""
    with override("en"):
        document = SchemaGenerator().get_schema(public=True)
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


@method_decorator(login_not_required, name="dispatch")
class Document(View):
    """It says nothing of this installation, so anybody may read it."""

    roles = None

    def get(self, request):
        return FileResponse(FILE.open("rb"), content_type="application/json")
