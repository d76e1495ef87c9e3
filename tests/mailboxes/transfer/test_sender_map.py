"""The map file of sender logins: how many queries it takes, and its lines."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from domains.models import Domain
from mailboxes.models import Alias, Mailbox, SenderPermission
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export.batches import MAX_KEYS
from mailboxes.transfer.export.senders import iter_sender_lines
from tests.base import World


class SenderMapTests(World):
    """carol may send as all addresses of example.org."""

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        SenderPermission.objects.create(
            address="@example.org",
            domain_id="example.org",
            mailbox=cls.carol,
            mailbox_domain_id="example.com",
        )

    def add_mailboxes(self, count):
        domain = Domain.objects.get(pk="example.org")
        names = [f"m{number}@example.org" for number in range(count)]
        Mailbox.objects.bulk_create(
            Mailbox(username=name, local_part=name.partition("@")[0], domain=domain)
            for name in names
        )
        Alias.objects.bulk_create(Alias(address=name, goto=name, domain=domain) for name in names)

    def write(self):
        with CaptureQueriesContext(connection) as captured:
            lines = list(iter_sender_lines(Losses(), ""))[1:]
        return len(captured), dict(line.rstrip("\n").split("\t") for line in lines)

    def test_many_addresses_take_no_more_queries_than_few(self):
        self.add_mailboxes(10)
        few, lines = self.write()
        self.assertEqual(lines["m9@example.org"], "m9@example.org,carol@example.com")
        self.assertEqual(lines["@example.org"], "carol@example.com")
        self.assertEqual(lines["carol@example.com"], "carol@example.com")
        Mailbox.objects.filter(username__startswith="m").delete()
        Alias.objects.filter(address__startswith="m").delete()
        self.add_mailboxes(MAX_KEYS - 50)
        self.assertEqual(self.write()[0], few)

    def test_no_address_is_left_out_between_two_batches(self):
        self.add_mailboxes(MAX_KEYS * 2 + 1)
        lines = self.write()[1]
        for number in range(MAX_KEYS * 2 + 1):
            name = f"m{number}@example.org"
            self.assertEqual(lines[name], f"{name},carol@example.com")
