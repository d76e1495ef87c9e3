"""`api-document`: writes the OpenAPI document anew, after a form or a column has changed."""

from django.core.management.base import BaseCommand

from mailadmin.api.document import FILE, made


class Command(BaseCommand):
    help = "Write the API's OpenAPI document anew from the forms and columns as they are."

    def handle(self, *args, **options):
        FILE.write_text(made(), encoding="utf-8")
        self.stdout.write(str(FILE))
