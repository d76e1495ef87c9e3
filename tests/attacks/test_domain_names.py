"""Names of domains and files that a shell, a path or a header would take for more than a name.

Classes: a domain's name reaches a shell (CVE-2026-27602), options reach a command line
(CVE-2026-100714), a map is written to a path out of the folder (GHSA-4m8r-87gc-3vvp).
"""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from unittest import mock

from django.core.management import CommandError, call_command

from domains.models import AliasDomain, DkimKey, Domain
from mailboxes.models import Alias, Mailbox, Plan
from mailboxes.transfer import uploads
from mailboxes.transfer.entries import SourceError
from tests.mailboxes.transfer.base import TransferWorld

MARK = "attacked"
NAMES = [
    f"$(touch {MARK}).example",
    f"$(touch${{IFS}}{MARK}).example",
    f"`touch {MARK}`.example",
    f"x;touch {MARK};.example",
    f"x|touch {MARK}.example",
    f"x\ntouch {MARK}\n.example",
    f"x\r\ntouch {MARK}.example",
    f"'$(touch {MARK})'.example",
    f'"$(touch {MARK})".example',
    f"../{MARK}.example",
    f"../../{MARK}",
    f"/{MARK}.example",
    f"..\\{MARK}.example",
    f"-o{MARK}.example",
    "--config=x.example",
    "a.example/../b.example",
    "x\x00.example",
    "%2e%2e%2fx.example",
    "..",
    ".",
]
PROGRAMS = ("postmap", "postconf")


class TypedNameTests(TransferWorld):
    """No interface creates a domain of such a name."""

    def setUp(self):
        super().setUp()
        self.before = set(Domain.objects.values_list("pk", flat=True))
        self.sign_in(self.root)

    def assert_none_created(self, name):
        self.assertEqual(set(Domain.objects.values_list("pk", flat=True)), self.before, name)
        self.assertFalse(AliasDomain.objects.exists(), name)

    def test_forms_refuse_them(self):
        for name in NAMES:
            limits = {"aliases": 1, "mailboxes": 1, "maxquota": 1, "quota": 1}
            self.client.post("/domains/create/", {"domain": name, **limits})
            row = {"alias_domain": name, "target_domain": "example.org"}
            self.client.post("/alias-domains/create/", row)
            row = {"local_part": "x", "domain": name, "goto": "bob@example.org"}
            self.client.post("/aliases/create/", row)
            self.client.post("/mailboxes/create/", row)
            self.assert_none_created(name)

    def test_the_api_refuses_them(self):
        program = self.api(self.root)
        for name in NAMES:
            answer = program.post("domains", {"domain": name})
            self.assertEqual(answer.status_code, 422, name)
            row = {"alias_domain": name, "target_domain": "example.org"}
            self.assertEqual(program.post("alias-domains", row).status_code, 422, name)
            self.assert_none_created(name)

    def test_the_command_line_refuses_them(self):
        for name in NAMES:
            for command in ("domain", "alias-domain"):
                more = ["--target-domain", "example.org"] if command == "alias-domain" else []
                with self.assertRaises(CommandError, msg=(command, name)):
                    call_command(command, "add", *more, "--", name, stdout=io.StringIO())
            self.assert_none_created(name)

    def test_imports_refuse_them(self):
        """Lines of CSV files, rows of JSON, and manifests."""
        for name in NAMES:
            quoted = '"{}"'.format(name.replace('"', '""'))
            for text, file in (
                (f"domain\n{quoted}\n", "rows.csv"),
                (json.dumps({"domains": [{"domain": name}]}), "rows.json"),
            ):
                with contextlib.suppress(SourceError):
                    self.imported(text, name=file)
            manifest = {"domains": [{"domain": name}]}
            stdin = mock.Mock(buffer=io.BytesIO(json.dumps(manifest).encode()))
            with mock.patch.object(sys, "stdin", stdin), self.assertRaises(CommandError):
                call_command("apply", "-", stdout=io.StringIO())
            self.assert_none_created(name)


class AdoptedNameTests(TransferWorld):
    """An adopted database has them: nothing generated from it takes them for more than names."""

    def setUp(self):
        super().setUp()
        for name in NAMES[:-3]:
            domain = Domain.objects.create(domain=name, active=True)
            address = {"domain": domain, "active": True}
            Mailbox.objects.create(
                username=f"bob@{name}", local_part="bob", maildir=f"{name}/bob/", **address
            )
            Alias.objects.create(address=f"info@{name}", goto=f"bob@{name}", **address)
            DkimKey.objects.create(domain_name=domain, selector=name[:63], private_key="x")

    def run_script(self, script, folder):
        """Run a shell script in its folder, where the programs that it calls do nothing."""
        programs = folder / "programs"
        programs.mkdir()
        for name in PROGRAMS:
            (programs / name).write_text("#!/bin/sh\nexit 0\n")
            (programs / name).chmod(0o755)
        search_path = f"{programs}:{os.environ['PATH']}"
        subprocess.run(["sh", script], cwd=folder, env={"PATH": search_path}, check=True)
        shutil.rmtree(programs)

    def assert_not_attacked(self, folder):
        """Nothing was run, and each name of a file is a plain one within the folder."""
        self.assertEqual(list(folder.rglob(f"*{MARK}*")), [])
        self.assertFalse((folder.parent / MARK).exists())
        for path in folder.rglob("*"):
            self.assertRegex(path.name, r"\A[.\w-]+\Z")

    def test_exported_maps_and_their_script_run_nothing(self):
        folder = self.folder / "out"
        call_command("export", "--to", "hashfiles", "--output", str(folder))
        self.run_script("postmap.sh", folder)
        self.assert_not_attacked(folder)

    def test_an_export_of_one_such_domain_runs_nothing(self):
        for number, name in enumerate(NAMES[:-3]):
            folder = self.folder / f"out{number}"
            try:
                call_command(
                    "export", "--to", "hashfiles", "--output", str(folder), f"--domain={name}"
                )
            except CommandError:
                continue
            self.run_script("postmap.sh", folder)
            self.assert_not_attacked(folder)

    def test_the_configuration_of_the_mail_server_names_no_domain(self):
        """Names stay in the database: no file is generated from them, and its script runs none."""
        folder = self.folder / "out"
        places = [f"--{name}={folder / name}" for name in ("postfix", "dovecot")]
        options = ("--hostname=mail.example.net", *places)
        call_command("mailserver", "config", *options, stdout=io.StringIO())
        files = [path for path in folder.rglob("*") if path.is_file()]
        self.assertGreater(len(files), 10)
        for path in files:
            self.assertNotIn(MARK, path.read_text(), path.name)
        self.run_script("postfix/mailadmin/postconf.sh", folder)
        self.assert_not_attacked(folder)

    def test_downloads_have_plain_names(self):
        self.sign_in(self.root)
        for name in NAMES[:-3]:
            response = self.client.post("/export/", {"format": "csv", "domain": name})
            place = response.get("Content-Disposition", 'filename="refused"')
            self.assertRegex(place, r'filename="[\w. -]+"\Z', name)
            self.assertNotIn("..", place)
            for member in self.members_of(response):
                self.assertRegex(member, r"\A[\w-]+\.csv\Z")

    def members_of(self, response):
        if not response.streaming:
            return []
        return zipfile.ZipFile(io.BytesIO(b"".join(response))).namelist()


class UploadedNameTests(TransferWorld):
    """No file is written under a name that came with an upload."""

    FILES = (
        *(f"../../../tmp/{MARK}", f"/tmp/{MARK}", "..", f"$(touch {MARK}).csv"),
        *(f"`touch {MARK}`.csv", f"-o{MARK}", f"..\\{MARK}.csv", "x\x00.csv", "a" * 300 + ".csv"),
    )

    def test_uploads_stay_in_a_temporary_folder(self):
        self.sign_in(self.alice)
        for name in self.FILES:
            with self.subTest(name=name):
                self.check_upload(name)

    def check_upload(self, name):
        plan = self.upload(name)
        if plan is None:
            return
        with uploads.decrypt_upload(plan) as path:
            self.assertEqual(path.parent.parent, Path(tempfile.gettempdir()))
            self.assertEqual(path.resolve().parent, path.parent.resolve())
            self.assertTrue(path.is_file())
        self.work()
        place = self.client.get(f"/import/{plan.pk}/refused/")["Content-Disposition"]
        self.assertRegex(place, r'filename="[\w. -]+"\Z')
        self.assertFalse(Path(tempfile.gettempdir(), MARK).exists())

    def upload(self, name):
        """Send a file of this name as no browser would; return the import, if it was taken."""
        rows = "username,password\nann@nowhere.example,correct-horse-43\n"
        body = (
            '--x\r\nContent-Disposition: form-data; name="format"\r\n\r\ncsv\r\n--x\r\n'
            f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
            f"{rows}\r\n--x--\r\n"
        )
        self.client.post("/import/", body.encode(), content_type="multipart/form-data; boundary=x")
        return Plan.objects.order_by("-pk").first()

    def test_a_path_that_was_stored_is_not_followed(self):
        self.sign_in(self.alice)
        plan = self.upload("rows.csv")
        for name in (f"../../{MARK}", f"/tmp/{MARK}", f"x/../../{MARK}"):
            plan.source = name
            with uploads.decrypt_upload(plan) as path:
                self.assertEqual(path.resolve().parent, path.parent.resolve())
                self.assertTrue(path.parent.name.startswith(uploads.TEMP_FOLDER_PREFIX))

    def test_the_command_line_writes_rejected_rows_under_a_plain_name(self):
        self.sign_in(self.root)
        for name in self.FILES:
            Plan.objects.all().delete()
            if plan := self.upload(name):
                self.work()
                with contextlib.chdir(self.folder), self.assertRaises(CommandError):
                    call_command("import", apply=plan.pk, stdout=io.StringIO())
        names = [path.name for path in self.folder.iterdir()]
        self.assertGreater(len(names), 5)
        for name in names:
            self.assertRegex(name, r"\A[\w.][\w. -]*\.refused(-\d+)?\.csv\Z")
