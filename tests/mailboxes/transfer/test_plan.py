"""Plans: contents, confirmation and ownership."""

import contextlib
import json
from unittest import mock

from django.core.exceptions import ValidationError
from django.test import override_settings

from domains.models import Domain
from mailadmin import passwords
from mailadmin.changes.models import Change, Log
from mailboxes.models import Alias, Mailbox, Plan
from mailboxes.services import mailboxes
from mailboxes.services.aliases import create_aliases
from mailboxes.transfer.plan import apply as plan_apply
from mailboxes.transfer.plan import build as plan_build
from tests.mailboxes.transfer.base import TransferWorld

THREE = """\
username;password;name;quota;active
dora@example.org;correct-horse-43;Dora;10.24;1
bob@example.org;;Robert;100;0
carol@example.com;;Carol;100;1
eve@nowhere.example;correct-horse-43;Eve;1;1
"""


class PlanTests(TransferWorld):
    def test_a_plan_lists_the_action_for_every_row(self):
        plan = self.plan(THREE)
        self.assertEqual(
            self.verbs(plan),
            {
                "dora@example.org": "new",
                "bob@example.org": "changed",
                "carol@example.com": "same",
                "eve@nowhere.example": "refused",
            },
        )
        bob = plan.rows.get(key="bob@example.org")
        self.assertEqual(bob.differences, [["name", "Bob", "Robert"], ["active", True, False]])
        eve = plan.rows.get(key="eve@nowhere.example")
        self.assertIn("nowhere.example does not exist", eve.reason)
        self.assertEqual(eve.place, "rows.csv, line 5")

    def test_every_quota_of_a_domain_is_checked(self):
        self.limit(maxquota=10, mailboxes=0)
        text = "username,quota\n" + "".join(
            f"m{number}@example.org,{quota}\n" for number, quota in enumerate((5, 5, 11, 11, 5))
        )
        self.assertEqual(
            self.verbs(self.plan(text, self.alice)),
            {f"m{n}@example.org": "refused" if n in (2, 3) else "new" for n in range(5)},
        )

    def test_nothing_is_written_before_confirmation(self):
        self.plan(THREE)
        self.assertFalse(Mailbox.objects.filter(pk="dora@example.org").exists())
        self.assertEqual(self.mailbox("bob@example.org").name, "Bob")
        self.assertEqual((Log.objects.count(), Change.objects.count()), (0, 0))

    def test_a_plan_is_applied_as_shown(self):
        plan = self.imported(THREE)
        self.assertEqual(plan.state, Plan.State.APPLIED)
        dora = self.mailbox("dora@example.org")
        self.assertEqual((dora.name, dora.quota), ("Dora", 10485760))
        self.assertTrue(passwords.verify("correct-horse-43", dora.password, dora.pk))
        self.assertEqual(Alias.objects.get(pk="dora@example.org").goto, "dora@example.org")
        self.assertFalse(self.mailbox("bob@example.org").active)
        self.assertFalse(Alias.objects.get(pk="bob@example.org").active)

    def test_every_row_has_its_log_line_and_a_record_marked_with_the_batch(self):
        plan = self.imported(THREE)
        self.assertEqual(
            sorted(self.logged()),
            [
                ("create_mailbox", "example.org", "dora@example.org"),
                ("edit_mailbox", "example.org", "bob@example.org"),
            ],
        )
        changed = Change.objects.filter(batch=plan.batch, table="mailbox")
        self.assertEqual(
            {(c.verb, c.key) for c in changed},
            {("create", "dora@example.org"), ("edit", "bob@example.org")},
        )

    def test_a_second_time_changes_nothing(self):
        without_passwords = THREE.replace("correct-horse-43", "")
        self.imported(THREE)
        Change.objects.all().delete()
        plan = self.plan(without_passwords)
        self.assertEqual(set(self.verbs(plan).values()), {"same", "refused"})
        self.apply(plan)
        self.assertFalse(Change.objects.exists())

    def test_a_row_changed_since_the_plan_is_not_overwritten(self):
        plan = self.plan(THREE)
        self.perform(self.root, mailboxes.edit_mailbox, "bob@example.org", {"name": "Bobby"})
        self.apply(plan)
        self.assertEqual(self.mailbox("bob@example.org").name, "Bobby")
        self.assertIn("changed after the preview", self.reasons(plan)["bob@example.org"])
        self.assertTrue(Mailbox.objects.filter(pk="dora@example.org").exists())

    def test_a_row_created_since_the_plan_is_not_overwritten(self):
        plan = self.plan(THREE)
        row = {"local_part": "dora", "domain": self.domain(), "password": "x", "name": "Other"}
        self.perform(self.root, mailboxes.create_mailboxes, [row])
        self.apply(plan)
        self.assertEqual(self.mailbox("dora@example.org").name, "Other")
        self.assertIn("already exists", self.reasons(plan)["dora@example.org"])

    def test_one_refused_row_does_not_stop_the_others(self):
        names = [f"user{number}@example.org" for number in range(20)]
        plan = self.plan("username,password_hash\n" + "".join(f"{n},x\n" for n in names))
        self.perform(
            self.root,
            create_aliases,
            [{"local_part": "user7", "domain": self.domain(), "goto": ["bob@example.org"]}],
        )
        self.apply(plan)
        self.assertEqual(list(self.reasons(plan)), ["user7@example.org"])
        self.assertEqual(Mailbox.objects.filter(pk__in=names).count(), 19)
        lines = Log.objects.filter(action="create_mailbox").count()
        self.assertEqual(lines, 19)

    def test_a_row_refused_midway_is_rolled_back(self):
        def service(changes):
            with contextlib.suppress(ValidationError), changes.savepoint():
                mailboxes.create_mailboxes(changes, [self.row("ann")])
                raise ValidationError("no")
            mailboxes.create_mailboxes(changes, [self.row("ben")])

        self.perform(self.root, service)
        self.assertEqual(self.logged(), [("create_mailbox", "example.org", "ben@example.org")])
        self.assertEqual(set(Change.objects.values_list("key", flat=True)), {"ben@example.org"})
        self.assertFalse(Mailbox.objects.filter(pk="ann@example.org").exists())

    def row(self, name):
        return {"local_part": name, "domain": self.domain(), "password": "x"}

    def test_a_failed_step_is_rolled_back(self):
        plan = self.plan("username,password_hash\nann@example.org,x\nben@example.org,y\n")
        with (
            mock.patch.object(plan_apply, "mark_refused", side_effect=RuntimeError),
            mock.patch.object(mailboxes, "adjust_tallies_of_domains", side_effect=RuntimeError),
            self.assertRaises(RuntimeError),
        ):
            self.apply(plan)
        self.assertFalse(Mailbox.objects.filter(pk="ann@example.org").exists())
        plan.refresh_from_db()
        self.apply(plan)
        self.assertEqual(
            Mailbox.objects.filter(pk__in=["ann@example.org", "ben@example.org"]).count(), 2
        )

    def test_the_same_address_twice_is_refused_also_by_case(self):
        plan = self.plan("username,password_hash\nann@example.org,x\nANN@Example.org,y\n")
        self.assertEqual(
            list(plan.rows.order_by("pk").values_list("verb", flat=True)), ["new", "refused"]
        )
        self.assertIn("rows.csv, line 2", self.reasons(plan)["ann@example.org"])

    def test_duplicates_are_found_far_apart(self):
        lines = [f"user{number}@example.org,x\n" for number in range(plan_build.ROWS_PER_STEP * 6)]
        lines.append("USER3@example.org,y\n")
        self.limit(mailboxes=0)
        plan = self.plan("username,password_hash\n" + "".join(lines))
        self.assertEqual(plan.rows.filter(verb="refused").count(), 1)

    def test_mailboxes_without_a_password_cannot_log_in_and_are_reported(self):
        plan = self.imported("username,name\nann@example.org,Ann\n")
        stored = self.mailbox("ann@example.org").password
        for scheme in ("BLF-CRYPT", "PLAIN", "PLAIN-MD5"):
            with override_settings(MAILADMIN_PASSWORD_SCHEME=scheme):
                for typed in ("", "!", "*", "{CRYPT}!", stored):
                    self.assertFalse(passwords.verify(typed, stored, "ann@example.org"))
        self.assertEqual(plan.losses[0]["places"], ["ann@example.org"])

    def test_limits_of_an_existing_domain_apply(self):
        self.limit(mailboxes=2, aliases=1, quota=0, maxquota=50)
        plan = self.json_plan(
            {
                "mailboxes": [
                    {"username": "ann@example.org", "quota": 50},
                    {"username": "ben@example.org", "quota": 10},
                    {"username": "cid@example.org", "quota": 51},
                ],
                "aliases": [{"address": "x@example.org", "goto": ["bob@example.org"]}],
            }
        )
        self.assertEqual(
            {key: text.partition(".")[0] for key, text in self.reasons(plan).items()},
            {
                "ben@example.org": "example",
                "cid@example.org": "example",
                "x@example.org": "example",
            },
        )
        self.apply(plan)
        self.assertEqual(Mailbox.objects.filter(domain="example.org").count(), 2)

    def test_limits_of_a_new_domain_are_raised_to_fit_its_rows(self):
        plan = self.json_plan(
            {
                "domains": [{"domain": "example.net", "mailboxes": 1, "maxquota": 10, "quota": 15}],
                "mailboxes": [
                    {"username": "ann@example.net", "quota": 10},
                    {"username": "ben@example.net", "quota": 20},
                ],
            }
        )
        self.assertIn("example.net", plan.losses[-1]["places"])
        self.apply(plan)
        domain = Domain.objects.get(pk="example.net")
        self.assertEqual((domain.mailboxes, domain.maxquota, domain.quota), (2, 20, 30))
        self.assertEqual(Mailbox.objects.filter(domain="example.net").count(), 2)

    def test_raised_limits_are_unchanged_the_second_time(self):
        tables = {
            "domains": [{"domain": "example.net", "mailboxes": 1, "maxquota": 10, "quota": -1}],
            "mailboxes": [{"username": f"{n}@example.net", "quota": 20} for n in ("ann", "ben")],
        }
        self.apply(self.json_plan(tables))
        self.assertEqual(set(self.verbs(self.json_plan(tables)).values()), {"same"})

    def test_a_mailbox_is_imported_with_its_forwarding(self):
        self.imported(
            json.dumps(
                {
                    "mailboxes": [{"username": f"{n}@example.org"} for n in ("ann", "ben", "cid")],
                    "aliases": [
                        {
                            "address": "ann@example.org",
                            "goto": ["x@example.net", "ann@example.org"],
                        },
                        {"address": "ben@example.org", "goto": "x@example.net, y@example.net"},
                        {"address": "cid@example.org", "goto": ["cid@example.org"]},
                    ],
                }
            ),
            name="rows.json",
        )
        goto = dict(Alias.objects.values_list("pk", "goto"))
        self.assertEqual(goto["ann@example.org"], "x@example.net,ann@example.org")
        self.assertEqual(goto["ben@example.org"], "x@example.net,y@example.net")
        self.assertEqual(goto["cid@example.org"], "cid@example.org")

    def test_the_position_of_the_own_copy_is_not_a_difference(self):
        text = json.dumps(
            {"aliases": [{"address": "bob@example.org", "goto": "bob@example.org,x@y.example"}]}
        )
        self.imported(text, name="rows.json")
        again = self.plan(text, name="rows.json")
        self.assertEqual(self.verbs(again), {"bob@example.org": "same"})

    def test_the_path_of_existing_mail_is_kept(self):
        self.imported(
            "username,maildir\nann@example.org,old/place/ann/\nben@example.org,spool/ben\n"
        )
        self.assertEqual(self.mailbox("ann@example.org").maildir, "old/place/ann/")
        self.assertEqual(self.mailbox("ben@example.org").maildir, "spool/ben")

    def test_a_path_cannot_escape_the_mail_folder(self):
        plan = self.plan("username,maildir\nann@example.org,../../etc/\n")
        self.assertIn("inside the mail directory", self.reasons(plan)["ann@example.org"])

    def test_an_empty_cell_keeps_the_current_value(self):
        before = self.mailbox("bob@example.org")
        plan = self.plan(
            "username,password,password_hash,quota,active,maildir\nbob@example.org,,,,,\n"
        )
        self.assertEqual(self.verbs(plan), {"bob@example.org": "same"})
        self.apply(plan)
        self.assertEqual(self.mailbox("bob@example.org").password, before.password)

    def test_a_plan_does_not_reveal_whether_a_password_is_right(self):
        for guess in ("correct-horse-42", "wrong-horse-42"):
            plan = self.plan(f"username,password\nbob@example.org,{guess}\n")
            self.assertEqual(self.verbs(plan), {"bob@example.org": "changed"})
            row = plan.rows.get()
            self.assertEqual(row.differences, [["password", "", ""]])

    def test_a_hash_in_the_column_of_passwords_is_refused(self):
        for stored in (
            "{BLF-CRYPT}$2y$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
            "$2y$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
            "$6$rounds=5000$salt$" + "a" * 86,
            "{SHA512-CRYPT}$6$salt$" + "a" * 86,
            "{SSHA}" + "A" * 32,
        ):
            plan = self.plan(f"username,password\nbob@example.org,{stored}\n")
            self.assertEqual(self.verbs(plan), {"bob@example.org": "refused"}, stored)
            self.assertIn("password_hash", plan.rows.get().reason)
        for password in ("{curly}-horse-42", "$dollar$-horse-42"):
            plan = self.plan(f"username,password\nbob@example.org,{password}\n")
            self.assertEqual(self.verbs(plan), {"bob@example.org": "changed"}, password)


class SecretTests(TransferWorld):
    def test_a_typed_password_is_in_no_plan(self):
        plan = self.plan(THREE + "BOB@example.org;correct-horse-43;;;\nx;correct-horse-43;;;\n")
        for row in plan.rows.all():
            self.assertNotIn("correct-horse", json.dumps([row.values, row.differences, row.reason]))

    def test_hashes_are_deleted_once_applied(self):
        plan = self.imported(THREE)
        self.assertEqual(plan.rows.get(key="dora@example.org").values, {})

    def test_a_displayed_plan_contains_no_hash(self):
        self.sign_in(self.root)
        plan = self.json_plan(
            {
                "mailboxes": [
                    {"username": "ann@example.org", "password_hash": "{PLAIN}very-secret"},
                    {"username": "bob@example.org", "password_hash": "{PLAIN}very-secret"},
                ]
            }
        )
        for url in (f"/import/{plan.pk}/", f"/import/{plan.pk}/plan.json"):
            response = self.client.get(url)
            text = b"".join(response).decode() if response.streaming else response.content.decode()
            self.assertIn("ann@example.org", text)
            self.assertNotIn("very-secret", text)
            self.assertNotIn(self.bob.password, text)
