"""Cells of CSV files that a spreadsheet would run (modoboa#4061)."""

import csv
import io
import re
import zipfile

from domains.models import Domain
from mailboxes.models import Alias, Mailbox
from tests.mailboxes.transfer.base import TransferWorld

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", " =", "\t=")
FORMULA = 'cmd|"/c calc"!A1'
RUN_RE = re.compile(r"\s*[=+\-@]|[\t\r]")


class CsvCellTests(TransferWorld):
    def assert_runs_nothing(self, text, expected=FORMULA):
        cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
        self.assertTrue(any(expected in cell for cell in cells), "the text is not in the file")
        for cell in cells:
            is_number = re.fullmatch(r"-?\d+(\.\d+)?", cell)
            self.assertTrue(is_number or not RUN_RE.match(cell), repr(cell))

    def write(self, start):
        """Write the text where other programs can: into every column that is a text for people."""
        Mailbox.objects.update(name=start + FORMULA)
        Alias.objects.update(description=start + FORMULA, goto=f"{start}{FORMULA}@x.example")
        Domain.objects.update(description=start + FORMULA)

    def test_lists_are_exported_without_formulas(self):
        self.sign_in(self.alice)
        for start in STARTS:
            self.write(start)
            for table in ("mailboxes", "aliases", "domains"):
                answer = b"".join(self.client.get(f"/{table}/export/")).decode()
                self.assert_runs_nothing(answer)

    def test_the_export_of_everything_has_none(self):
        self.sign_in(self.root)
        for start in STARTS:
            self.write(start)
            answer = self.client.post("/export/", {"format": "csv"})
            archive = zipfile.ZipFile(io.BytesIO(b"".join(answer)))
            for table in ("mailboxes", "aliases", "domains"):
                self.assert_runs_nothing(archive.read(f"{table}.csv").decode())

    def test_rejected_rows_have_none(self):
        """They come from a file of somebody else, and are opened to be corrected."""
        self.sign_in(self.alice)
        for start in STARTS[:4]:
            text = f'username,name\nx@nowhere.example,"{start}cmd|calc"\n{start}x@y.example,x\n'
            plan = self.plan(text, self.alice)
            answer = b"".join(self.client.get(f"/import/{plan.pk}/refused/")).decode()
            self.assert_runs_nothing(answer, "cmd|calc")
