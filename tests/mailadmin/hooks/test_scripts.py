"""Scripts after changes: their arguments and input, their limits, and what is kept of them."""

import json
import stat
import sys
import tempfile
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from domains.services.domains import edit_domain
from domains.services.totp_exceptions import create_totp_exceptions, delete_totp_exceptions
from mailadmin.accounts.factors.services import enable_totp
from mailadmin.hooks.models import HookDelivery
from mailadmin.hooks.runner import run_next_delivery
from mailboxes.models import Mailbox
from mailboxes.services.app_passwords import create_app_passwords
from mailboxes.services.domains import create_domains, delete_domains
from mailboxes.services.mailboxes import (
    create_mailboxes,
    delete_mailboxes,
    edit_mailbox,
    set_mailboxes,
)
from tests.base import PASSWORD, World

# Writes its arguments, input and environment to a file beside it.
RECORDER = f"""#!{sys.executable} -I
import json, os, sys
from pathlib import Path
call = {{"arguments": sys.argv[1:], "input": sys.stdin.read(), "names": sorted(os.environ)}}
with open(Path(__file__).parent / "calls", "a") as file:
    file.write(json.dumps(call) + "\\n")
print("done with", call["input"])
"""
BOB, NEW = "bob@example.org", "correct-horse-43"


class ScriptWorld(World):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.recorder = self.write("recorder", RECORDER)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(stat.S_IRWXU)
        return str(path)

    def set_script(self, name, *command):
        changed = override_settings(**{f"MAILADMIN_{name}_SCRIPT": command or (self.recorder,)})
        changed.enable()
        self.addCleanup(changed.disable)

    def run_all(self):
        with self.assertLogs("mailadmin.hooks", "INFO"):
            while run_next_delivery():
                pass
        return list(HookDelivery.objects.order_by("pk"))

    def calls(self):
        self.run_all()
        lines = (self.folder / "calls").read_text().splitlines()
        found = [json.loads(line) for line in lines]
        return [(call["arguments"], call["input"]) for call in found]


class ArgumentTests(ScriptWorld):
    def test_a_mailbox_is_created_changed_and_deleted(self):
        for name in ("MAILBOX_POSTCREATION", "MAILBOX_POSTEDIT", "MAILBOX_POSTDELETION"):
            self.set_script(name, self.recorder, name)
        dan = "dan@example.org"
        row = {"local_part": "dan", "domain": self.bob.domain, "password": "x", "quota": 5}
        self.perform(self.alice, create_mailboxes, [row])
        self.perform(self.alice, edit_mailbox, dan, {"name": "Dan"})
        self.perform(self.alice, set_mailboxes, [dan], "active", False)
        self.perform(self.alice, delete_mailboxes, [dan])
        place = [dan, "example.org", "example.org/dan/", "5120000"]
        self.assertEqual(
            self.calls(),
            [
                (["MAILBOX_POSTCREATION", *place], ""),
                (["MAILBOX_POSTEDIT", *place], ""),
                (["MAILBOX_POSTEDIT", *place], ""),
                (["MAILBOX_POSTDELETION", dan, "example.org"], ""),
            ],
        )

    def test_a_domain_is_created_changed_and_deleted(self):
        for name in ("DOMAIN_POSTCREATION", "DOMAIN_POSTEDIT", "DOMAIN_POSTDELETION"):
            self.set_script(name, self.recorder, name)
        self.perform(self.root, create_domains, [{"domain": "new.example"}])
        self.perform(self.root, edit_domain, "new.example", {"description": "x"})
        self.perform(self.root, delete_domains, ["new.example"])
        names = ["DOMAIN_POSTCREATION", "DOMAIN_POSTEDIT", "DOMAIN_POSTDELETION"]
        self.assertEqual(self.calls(), [([name, "new.example"], "") for name in names])

    def test_an_owner_changes_their_password(self):
        self.set_script("MAILBOX_POSTPASSWORD")
        self.set_script("MAILBOX_POSTEDIT", "/bin/false")
        self.sign_in(self.bob)
        data = {"old_password": PASSWORD, "password": NEW, "password2": NEW}
        self.client.post("/account/password/", data)
        self.assertEqual(self.calls(), [([BOB, "example.org"], f"{PASSWORD}\0{NEW}\0")])
        self.assert_erased(PASSWORD, NEW)

    def test_an_admin_sets_passwords(self):
        self.set_script("MAILBOX_POSTPASSWORD")
        api = self.api(self.alice)
        new = {"local_part": "dan", "domain": "example.org", "password": PASSWORD}
        self.assertEqual(api.post("mailboxes", new).status_code, 201)
        self.assertEqual(api.patch(f"mailboxes/{BOB}", {"password": NEW}).status_code, 200)
        inputs = [given for _arguments, given in self.calls()]
        self.assertEqual(inputs, [f"\0{PASSWORD}\0", f"\0{NEW}\0"])

    def assert_erased(self, *secrets):
        for row in HookDelivery.objects.values():
            self.assertEqual(row["sealed_input"], "")
            for secret in secrets:
                self.assertNotIn(secret, str(row))

    def test_secrets_are_encrypted_until_then(self):
        self.set_script("MAILBOX_POSTPASSWORD")
        self.api(self.alice).patch(f"mailboxes/{BOB}", {"password": NEW})
        row = HookDelivery.objects.get()
        self.assertTrue(row.sealed_input)
        self.assertNotIn(NEW, str(vars(row)))

    def test_an_authenticator_app_an_app_password_and_an_exception(self):
        for name in (
            *("MAILBOX_POST_TOTP_CHANGE_SECRET", "MAILBOX_POSTAPPPASSWORD"),
            *("MAILBOX_POST_TOTP_EXCEPTION_ADD", "MAILBOX_POST_TOTP_EXCEPTION_DELETE"),
        ):
            self.set_script(name, self.recorder, name)
        self.perform(self.bob, enable_totp, Mailbox, BOB, "JBSWY3DPEHPK3PXP")
        row = {"mailbox": BOB, "description": "Phone", "limits": {}, "text": "abcd"}
        [app_password] = self.perform(self.alice, create_app_passwords, [row], False)
        row = {"ip": "192.0.2.7", "username": BOB, "description": "office"}
        [exception] = self.perform(self.root, create_totp_exceptions, [row])
        self.perform(self.root, delete_totp_exceptions, [exception.pk])
        self.assertEqual(
            self.calls(),
            [
                (
                    ["MAILBOX_POST_TOTP_CHANGE_SECRET", BOB, "example.org"],
                    "JBSWY3DPEHPK3PXP\0",
                ),
                (
                    ["MAILBOX_POSTAPPPASSWORD", BOB, "Phone"],
                    f"{app_password.password_hash}\0",
                ),
                (["MAILBOX_POST_TOTP_EXCEPTION_ADD", BOB, "192.0.2.7"], ""),
                (["MAILBOX_POST_TOTP_EXCEPTION_DELETE", BOB, "192.0.2.7"], ""),
            ],
        )


class RunTests(ScriptWorld):
    def run_once(self, script="", **values):
        command = [self.write("script", f"#!/bin/sh\n{script}\n")] if script else [self.recorder]
        self.set_script("MAILBOX_POSTEDIT", *values.get("command", command))
        self.perform(self.alice, edit_mailbox, BOB, {"name": f"Bob {script}"[:40]})
        return self.run_all()[-1]

    def test_what_it_prints_is_kept(self):
        row = self.run_once("echo first; echo second >&2; exit 3")
        self.assertEqual((row.state, row.code, row.output), ("failed", 3, "first\nsecond"))
        row = self.run_once("printf 'x%.0s' $(seq 9000)")
        self.assertEqual((row.state, row.code, len(row.output)), ("done", 0, 4000))

    def test_the_change_stays_where_it_fails(self):
        self.run_once("exit 1")
        self.assertEqual(Mailbox.objects.get(pk=BOB).name, "Bob exit 1")

    @override_settings(MAILADMIN_SCRIPT_SECONDS=1)
    def test_a_script_that_takes_too_long_is_ended_with_its_children(self):
        row = self.run_once(f"echo begun; (sleep 30; touch {self.folder}/late) & sleep 30")
        self.assertEqual(row.state, "failed")
        self.assertIn("begun\nIt took longer than 1 s", row.output)

    def test_a_missing_program_says_so(self):
        row = self.run_once(command=["/nothing/here"])
        self.assertEqual((row.state, row.code), ("failed", None))
        self.assertIn("/nothing/here cannot be started", row.output)

    def test_no_shell_reads_the_arguments(self):
        self.set_script("MAILBOX_POSTAPPPASSWORD")
        text = f"$(touch {self.folder}/harm); `id` | -x"
        row = {"mailbox": BOB, "description": text, "limits": {}, "text": "abcd"}
        self.perform(self.alice, create_app_passwords, [row], False)
        self.assertEqual(self.calls()[0][0], [BOB, text])
        self.assertFalse((self.folder / "harm").exists())

    def test_it_gets_none_of_the_panels_settings(self):
        with override_settings():
            self.run_once()
        names = json.loads((self.folder / "calls").read_text())["names"]
        self.assertFalse([name for name in names if "MAILADMIN" in name or "TOKEN" in name])

    def test_input_is_not_kept_in_the_output(self):
        self.set_script("MAILBOX_POSTPASSWORD")
        self.api(self.alice).patch(f"mailboxes/{BOB}", {"password": NEW})
        [row] = self.run_all()
        self.assertIn("done with", row.output)
        self.assertNotIn(NEW, row.output)

    def test_the_worker_runs_them(self):
        self.set_script("MAILBOX_POSTEDIT")
        self.perform(self.alice, edit_mailbox, BOB, {"name": "B"})
        call_command("worker", once=True)
        self.assertEqual(HookDelivery.objects.get().state, "done")

    def test_a_refused_change_runs_nothing(self):
        self.set_script("MAILBOX_POSTCREATION")
        self.api(self.alice).post("mailboxes", {"local_part": "bob", "domain": "example.org"})
        self.assertFalse(HookDelivery.objects.exists())

    def test_nothing_is_queued_without_scripts(self):
        self.assertFalse(settings.MAILADMIN_WEBHOOKS)
        self.perform(self.alice, edit_mailbox, BOB, {"name": "B"})
        self.assertFalse(HookDelivery.objects.exists())
