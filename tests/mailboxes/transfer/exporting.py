"""Exports of tests."""

import json

from tests.mailboxes.transfer.base import TransferWorld

SEEDS = range(6)


class Exporting(TransferWorld):
    def export(self, *arguments):
        return self.command("export", *map(str, arguments))

    def exported(self, *arguments):
        """Return the JSON that the command prints."""
        said, trouble = self.export("--to", "json", *arguments)
        self.assertEqual(trouble, "")
        return json.loads(said)

    def back(self, source, format_name="json"):
        """Import it and assert that nothing is refused."""
        rejects = ("--rejects", str(self.folder / "rejects"))
        arguments = ("--from", format_name, "--source", str(source), "--apply", *rejects)
        self.assertEqual(self.command("import", *arguments)[1], "")

    def planned(self, source, format_name="json"):
        """Return table → verb → number of rows."""
        arguments = ("import", "--from", format_name, "--source", str(source), "--json")
        return json.loads(self.command(*arguments)[0])
