"""`apply FILE`: makes a description of domains, mailboxes and aliases true."""

import json
import sys
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailadmin.changes.perform import Actor, perform
from mailadmin.console import printable, told_plainly
from mailadmin.tables.csv_cells import cell_text
from mailboxes.transfer.entries import UnfitSource
from mailboxes.transfer.manifest.parse import described
from mailboxes.transfer.manifest.reconcile import OnlyAsked, hash_passwords, make_true

SIGNS = {"create": "+", "edit": "~", "delete": "-"}
PLANNED = gettext_lazy("Nothing was changed: %(new)s new, %(changed)s changed, %(gone)s to delete.")
DONE = gettext_lazy("%(new)s made, %(changed)s changed, %(gone)s deleted.")


class Command(BaseCommand):
    help = "Make what is in the domains of a YAML file as the file describes it."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("file", metavar="FILE", help="YAML or JSON; - is standard input")
        parser.add_argument("--plan", action="store_true", help="only say what would happen")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args, file, plan, **options):
        with told_plainly():
            try:
                steps = self.steps(file, plan)
            except (UnfitSource, ValidationError) as error:
                texts = getattr(error, "messages", [str(error)])
                raise CommandError(printable(" ".join(texts))) from error
        if options["json"]:
            self.stdout.write(json.dumps([step._asdict() for step in steps], ensure_ascii=False))
        else:
            self.tell(steps, plan)

    def steps(self, file, plan):
        description = described(text_of(file), file)
        hash_passwords(description)
        try:
            return perform(Actor.console(), make_true, description, plan)
        except OnlyAsked as asked:
            return asked.steps

    def tell(self, steps, plan):
        for step in steps:
            self.stdout.write(printable(f"{SIGNS[step.verb]} {step.kind} {step.key}"))
            for name, old, new in step.differences:
                change = f": {cell_text(old)} → {cell_text(new)}" if (old, new) != ("", "") else ""
                self.stdout.write(printable(f"    {name}{change}"))
        verbs = [step.verb for step in steps]
        numbers = {"new": "create", "changed": "edit", "gone": "delete"}
        counts = {name: verbs.count(verb) for name, verb in numbers.items()}
        self.stdout.write(str((PLANNED if plan else DONE) % counts))


def text_of(file):
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        text = _("%(file)s cannot be read: %(error)s.")
        raise CommandError(text % {"file": file, "error": error.strerror}) from error
    except UnicodeDecodeError as error:
        raise CommandError(_("%(file)s is not UTF-8.") % {"file": file}) from error
