"""Reverting an import, except for rows changed since."""

import datetime
from unittest import mock

from django.core.exceptions import ValidationError
from django.db.models import F
from django.utils import timezone

from domains.models import AliasDomain, Domain, Transport
from mailadmin import passwords
from mailadmin.changes.models import Change
from mailadmin.changes.perform import Actor, perform
from mailboxes.models import Alias, Mailbox, Plan, Vacation
from mailboxes.services import mailboxes
from mailboxes.services.forwardings import set_forwarding
from mailboxes.services.vacations import set_vacation
from mailboxes.transfer.plan import workflow
from tests.base import PASSWORD
from tests.mailboxes.transfer.base import TransferWorld

EVERYTHING = {
    "domains": [{"domain": "example.net"}, {"domain": "example.org", "description": "Changed"}],
    "admins": [
        {"username": "dan@example.net", "password_hash": "{PLAIN}x", "domains": ["example.net"]}
    ],
    "mailboxes": [
        {"username": "ann@example.net", "quota": 5},
        {
            "username": "bob@example.org",
            "password_hash": "{PLAIN}x",
            "quota": 7.5,
            "name": "Robert",
        },
    ],
    "aliases": [
        {"address": "ann@example.net", "goto": ["far@example.com"]},
        {"address": "bob@example.org", "goto": ["far@example.com", "bob@example.org"]},
        {"address": "@example.net", "goto": ["ann@example.net"]},
        {"address": "info@example.org", "goto": ["far@example.com"], "description": "Changed"},
    ],
    "alias-domains": [],
    "vacations": [{"email": "ann@example.net", "subject": "Away", "body": "Later."}],
    "transports": [{"pattern": ".example.net", "transport": "smtp:far.example"}],
    "fetchmail": [{"mailbox": "bob@example.org", "src_server": "far.example", "src_user": "bob"}],
    "app-passwords": [
        {"mailbox": "bob@example.org", "description": "phone", "password_hash": "{PLAIN}x"}
    ],
    "dkim-keys": [{"domain_name": "example.net", "selector": "s", "private_key": "-----BEGIN"}],
    "dkim-signings": [{"author": "example.net", "domain_name": "example.net", "selector": "s"}],
    "totp-exceptions": [{"ip": "192.0.2.1", "username": "bob@example.org"}],
}


class RevertTests(TransferWorld):
    def snapshot(self):
        """Return every row except dates."""
        from mailboxes.transfer.row_types import ROW_TYPES

        return {
            kind.name: [
                kind.values_from_row(row) for row in kind.model._default_manager.order_by("pk")
            ]
            for kind in ROW_TYPES.values()
        }

    def test_a_reverted_import_restores_everything(self):
        before = self.snapshot()
        plan = self.apply(self.json_plan(EVERYTHING))
        self.assertEqual(self.reasons(plan), {})
        self.assertNotEqual(self.snapshot(), before)
        self.revert_plan(plan)
        self.assertEqual(self.reasons(plan), {})
        self.assertEqual(plan.state, Plan.State.RETURNED)
        self.assertEqual(self.snapshot(), before)

    def test_later_steps_of_the_import_do_not_prevent_reverting(self):
        before = self.snapshot()
        plan = self.json_plan(EVERYTHING)
        perform(Actor.console(), workflow.enter_state, plan.pk, Plan.State.APPLYING)
        self.steps(plan, Plan.State.APPLYING)
        perform(Actor.console(), workflow.enter_state, plan.pk, Plan.State.RETURNING)
        self.steps(plan, Plan.State.RETURNING)
        self.assertEqual(self.reasons(plan), {})
        self.assertEqual(self.snapshot(), before)

    def steps(self, plan, state):
        """Run the steps with a second between any two."""
        now = timezone.now()
        while step := workflow.next_operation_step(plan.pk, state):
            now += datetime.timedelta(seconds=1)
            with mock.patch.object(timezone, "now", return_value=now):
                perform(Actor.console(), step[0], *step[1])

    def test_the_old_password_is_restored(self):
        plan = self.imported("username,password\nbob@example.org,another-horse-43\n")
        self.assertFalse(passwords.verify(PASSWORD, self.mailbox("bob@example.org").password))
        self.revert_plan(plan)
        self.assertTrue(passwords.verify(PASSWORD, self.mailbox("bob@example.org").password))

    def test_old_hashes_are_deleted_after_reverting(self):
        plan = self.revert_plan(
            self.imported("username,password\nbob@example.org,another-horse-43\n")
        )
        self.assertEqual([row.values for row in plan.rows.all()], [{}])

    def test_rows_changed_since_are_kept_and_listed(self):
        plan = self.imported(
            "username,name\nann@example.org,Ann\nben@example.org,Ben\nbob@example.org,Robert\n"
        )
        self.age(plan)
        self.perform(self.root, mailboxes.edit_mailbox, "ann@example.org", {"name": "Anna"})
        self.perform(self.root, mailboxes.edit_mailbox, "bob@example.org", {"name": "Bobby"})
        self.revert_plan(plan)
        self.assertEqual(self.mailbox("ann@example.org").name, "Anna")
        self.assertEqual(self.mailbox("bob@example.org").name, "Bobby")
        self.assertFalse(Mailbox.objects.filter(pk="ben@example.org").exists())
        self.assertEqual(set(self.reasons(plan)), {"ann@example.org", "bob@example.org"})

    def age(self, plan):
        """Let a second pass after applying: dates have a precision of one second."""
        second = datetime.timedelta(seconds=1)
        plan.rows.filter(done__isnull=False).update(done=F("done") - second)
        for model in (Mailbox, Alias, Domain):
            model._base_manager.update(modified=F("modified") - second)

    def test_a_mailbox_in_use_is_kept(self):
        plan = self.imported("username,name\nann@example.org,Ann\nben@example.org,Ben\n")
        self.perform(self.root, set_forwarding, "ann@example.org", ["x@example.net"], True)
        values = {"subject": "Away", "body": "Later.", "active": True}
        self.perform(self.root, set_vacation, "ben@example.org", values)
        self.revert_plan(plan)
        self.assertEqual(
            Mailbox.objects.filter(pk__in=["ann@example.org", "ben@example.org"]).count(), 2
        )
        self.assertEqual(set(self.reasons(plan)), {"ann@example.org", "ben@example.org"})

    def test_a_domain_with_other_rows_is_kept(self):
        plan = self.json_plan({"domains": [{"domain": "example.net"}]})
        self.apply(plan)
        row = {"local_part": "eve", "domain": self.domain("example.net"), "password": "x"}
        self.perform(self.root, mailboxes.create_mailboxes, [row])
        self.revert_plan(plan)
        self.assertTrue(Mailbox.objects.filter(pk="eve@example.net").exists())
        self.assertIn("depend", self.reasons(plan)["example.net"])

    def test_rows_deleted_meanwhile_do_not_prevent_reverting(self):
        plan = self.imported("username\nann@example.org\nben@example.org\n")
        self.perform(self.root, mailboxes.delete_mailboxes, ["ann@example.org"])
        self.revert_plan(plan)
        self.assertFalse(Mailbox.objects.filter(pk="ben@example.org").exists())

    def test_reverting_respects_the_scope_of_its_user(self):
        plan = self.imported("username\nann@example.org\neve@example.com\n")
        Plan.objects.filter(pk=plan.pk).update(
            owner_model="domains.Admin", owner_key=self.alice.pk, of_superadmin=False
        )
        self.revert_plan(plan, self.alice)
        self.assertFalse(Mailbox.objects.filter(pk="ann@example.org").exists())
        self.assertTrue(Mailbox.objects.filter(pk="eve@example.com").exists())
        self.assertIn("eve@example.com", self.reasons(plan))

    def test_reverting_is_logged_and_recorded(self):
        plan = self.imported("username\nann@example.org\n")
        self.revert_plan(plan)
        self.assertIn(("delete_mailbox", "example.org", "ann@example.org"), self.logged())
        self.assertFalse(Change.objects.filter(batch=plan.batch, verb="delete").exists())
        self.assertTrue(Change.objects.filter(verb="delete", key="ann@example.org").exists())

    def test_another_users_import_cannot_be_reverted(self):
        plan = self.imported("username\nann@example.org\n")
        with self.assertRaisesMessage(ValidationError, "no such import"):
            perform(self.actor(self.alice), workflow.start_operation, plan.pk, Plan.State.RETURNING)

    def test_an_import_is_reverted_once(self):
        plan = self.revert_plan(self.imported("username\nann@example.org\n"))
        with self.assertRaisesMessage(ValidationError, "undone"):
            self.revert_plan(plan)

    def test_an_alias_domain_and_its_transport_are_reverted(self):
        plan = self.json_plan(
            {
                "domains": [{"domain": "example.net"}],
                "alias-domains": [{"alias_domain": "example.net", "target_domain": "example.org"}],
                "transports": [{"pattern": "example.net", "transport": ":"}],
            }
        )
        self.revert_plan(self.apply(plan))
        self.assertFalse(AliasDomain.objects.exists() or Transport.objects.exists())
        self.assertFalse(Domain.objects.filter(pk="example.net").exists())

    def test_an_earlier_vacation_is_restored_with_its_text(self):
        values = {"subject": "Old", "body": "Old words.", "active": True}
        self.perform(self.root, set_vacation, "bob@example.org", values)
        plan = self.json_plan(
            {"vacations": [{"email": "bob@example.org", "body": "New words.", "active": False}]}
        )
        self.revert_plan(self.apply(plan))
        vacation = Vacation.objects.get(pk="bob@example.org")
        self.assertEqual((vacation.body, vacation.active), ("Old words.", True))


class InterruptionTests(TransferWorld):
    def test_an_import_can_be_stopped_and_resumed(self):
        self.limit(mailboxes=0)
        names = [f"user{n}@example.org" for n in range(1200)]
        plan = self.plan("username,password_hash\n" + "".join(f"{name},x\n" for name in names))
        actor = self.actor(self.root)
        perform(actor, workflow.enter_state, plan.pk, Plan.State.APPLYING)
        service, arguments, _rows = workflow.next_operation_step(plan.pk, Plan.State.APPLYING)
        perform(actor, service, *arguments)
        perform(actor, workflow.stop_plan, plan.pk)
        self.assertIsNone(workflow.next_operation_step(plan.pk, Plan.State.APPLYING))
        self.assertEqual(Mailbox.objects.filter(pk__in=names).count(), 500)
        self.apply(plan, self.root)
        self.assertEqual(Mailbox.objects.filter(pk__in=names).count(), 1200)
        self.assertEqual(Change.objects.filter(verb="create", table="mailbox").count(), 1200)

    def test_two_workers_on_one_plan_do_not_conflict(self):
        plan = self.plan("username,password_hash\nann@example.org,x\nben@example.org,x\n")
        perform(self.actor(self.root), workflow.enter_state, plan.pk, Plan.State.APPLYING)
        steps = [workflow.next_operation_step(plan.pk, Plan.State.APPLYING) for _both in range(2)]
        for service, arguments, _rows in steps:
            perform(self.actor(self.root), service, *arguments)
        self.assertEqual(self.verbs(plan), {"ann@example.org": "new", "ben@example.org": "new"})
        self.assertEqual(Change.objects.filter(verb="create", table="mailbox").count(), 2)

    def test_a_stopped_import_can_be_reverted(self):
        self.limit(mailboxes=0)
        names = [f"user{n}@example.org" for n in range(700)]
        plan = self.plan("username,password_hash\n" + "".join(f"{name},x\n" for name in names))
        perform(self.actor(self.root), workflow.enter_state, plan.pk, Plan.State.APPLYING)
        service, arguments, _rows = workflow.next_operation_step(plan.pk, Plan.State.APPLYING)
        perform(self.actor(self.root), service, *arguments)
        perform(self.actor(self.root), workflow.stop_plan, plan.pk)
        self.revert_plan(plan)
        self.assertFalse(Mailbox.objects.filter(pk__in=names).exists())
