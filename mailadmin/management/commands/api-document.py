"""`api-document`: write the OpenAPI document after a form or a column has changed."""

from typing import Any

from django.core.management.base import BaseCommand

from mailadmin.api.document import OPENAPI_PATH
from mailadmin.api.openapi import render_openapi_document


class Command(BaseCommand):
    help = "Write the OpenAPI document of the API."

    def handle(self, *args: Any, **options: Any) -> None:
        OPENAPI_PATH.write_text(render_openapi_document(), encoding="utf-8")
        self.stdout.write(str(OPENAPI_PATH))
