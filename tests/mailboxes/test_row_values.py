"""What lists show of mailboxes besides their own columns."""

import datetime

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from domains.models import Domain
from mailadmin.changes.models import Log
from mailboxes.models import Alias, Mailbox, Usage, Vacation
from mailboxes.owner.views import get_password_changed_at
from mailboxes.row_values import add_delivery, add_usage
from tests.base import World


class RowValueTests(World):
    def read(self, *keys):
        rows = add_usage(Mailbox.objects.filter(pk__in=keys).order_by("pk"))
        add_delivery(rows, self.root)
        return {row.pk: row for row in rows}

    def test_keys_of_other_programs_may_have_capital_letters(self):
        Domain.objects.create(domain="Up.Example", active=False)
        for name, domain in (("Zed", "example.org"), ("Una", "Up.Example")):
            key = f"{name}@{domain}"
            Mailbox.objects.create(
                username=key, local_part=name, domain_id=domain, maildir="x/", quota=0
            )
            Vacation.objects.create(pk=key, domain_id=domain, subject="x", body="x", active=True)
            Usage.objects.create(mailbox_id=key, bytes=5, messages=1)
        Alias.objects.create(
            address="Zed@example.org", domain_id="example.org", goto="Zed@example.org"
        )
        rows = self.read("Zed@example.org", "Una@Up.Example", "bob@example.org")
        zed, una, bob = (
            rows[key] for key in ("Zed@example.org", "Una@Up.Example", "bob@example.org")
        )
        self.assertEqual((zed.is_away, una.is_away, bob.is_away), (True, True, False))
        self.assertEqual((zed.used, una.used, bob.used), (5, 5, 0))
        self.assertEqual((zed.alias.pk, una.alias), ("Zed@example.org", None))
        states = (zed.is_domain_inactive, una.is_domain_inactive, bob.is_domain_inactive)
        self.assertEqual(states, (False, True, False))

    def test_rows_cost_no_query_each(self):
        rows = list(self.read(self.bob.pk, self.carol.pk).values())
        with CaptureQueriesContext(connection) as queries:
            for row in rows:
                self.assertTrue(row.alias.is_to_itself)
                self.assertEqual(row.alias.targets, [row.pk])
        self.assertEqual(len(queries), 0)


class PasswordChangeTests(World):
    def test_the_last_of_several_changes_counts(self):
        now = timezone.now().replace(microsecond=0)
        for days in (9, 3, 5):
            Log.objects.create(
                timestamp=now - datetime.timedelta(days=days),
                username="x",
                domain_id="example.org",
                action="edit_password",
                data=self.bob.pk,
            )
        changed = get_password_changed_at(self.bob)
        self.assertEqual(changed, now - datetime.timedelta(days=3))

    def test_without_a_change_it_is_as_old_as_the_mailbox(self):
        self.assertEqual(get_password_changed_at(self.bob), self.bob.created)
