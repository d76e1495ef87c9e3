"""Helpers for tests of imports."""

import io
import json
import tempfile
from pathlib import Path

from django.core.management import CommandError, call_command

from domains.models import Domain
from mailadmin.changes.perform import Actor, perform
from mailboxes.models import Mailbox, Plan
from mailboxes.transfer.plan import workflow
from tests.base import World


class TransferWorld(World):
    """Base class with the four users and files to import."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def file(self, text, name="rows.csv"):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def plan(self, text, person=None, name="rows.csv", **options):
        """Create a plan from a file, as a user or at the console."""
        actor = self.actor(person) if person else Actor.console()
        format_name = name.rpartition(".")[2]
        path = self.file(text, name)
        plan = perform(actor, workflow.create_plan, format_name, path.name, options)
        workflow.read_in_foreground(actor, plan, str(path))
        plan.refresh_from_db()
        return plan

    def json_plan(self, tables, person=None):
        return self.plan(json.dumps(tables), person, "rows.json")

    def apply(self, plan, person=None):
        return self.run_plan(plan, Plan.State.APPLYING, person)

    def revert_plan(self, plan, person=None):
        return self.run_plan(plan, Plan.State.RETURNING, person)

    def run_plan(self, plan, state, person):
        actor = self.actor(person) if person else Actor.console()
        workflow.run_in_foreground(actor, plan.pk, state)
        plan.refresh_from_db()
        return plan

    def imported(self, text, person=None, name="rows.csv"):
        return self.apply(self.plan(text, person, name), person)

    def verbs(self, plan):
        """Return key → verb of every row."""
        return dict(plan.rows.values_list("key", "verb"))

    def reasons(self, plan):
        rows = plan.rows.exclude(reason="").order_by("pk")
        return dict(rows.values_list("key", "reason"))

    def mailbox(self, name):
        return Mailbox.objects.get(pk=name)

    def domain(self, name="example.org"):
        return Domain.objects.get(pk=name)

    def limit(self, name="example.org", **limits):
        Domain.objects.filter(pk=name).update(**limits)

    def command(self, *arguments):
        """Run the command and return its output and error."""
        out = io.StringIO()
        try:
            call_command(*arguments, stdout=out, stderr=io.StringIO())
        except CommandError as error:
            return out.getvalue(), str(error)
        return out.getvalue(), ""

    def work(self):
        call_command("worker", once=True)
