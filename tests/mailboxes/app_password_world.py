"""App passwords of two mailboxes, for the tests of their table."""

from mailadmin import passwords
from mailadmin.changes.models import Change, Log
from mailadmin.changes.perform import Actor, perform
from mailadmin.mails.models import OutgoingMail
from mailboxes.models import AppPassword
from mailboxes.services.app_passwords import create_app_password, generate_app_password
from tests.base import World

BOB, CAROL = "bob@example.org", "carol@example.com"
PHONE = {"mailbox": BOB, "description": "Phone"}
ALL = ["imap", "pop3", "smtp", "sieve"]


class AppPasswordWorld(World):
    """bob has a generated app password and one of PostfixAdmin, carol a generated one."""

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.own, cls.own_text = cls.generate(BOB, networks="192.0.2.0/24", pop3=False)
        cls.foreign, _text = cls.generate(CAROL)
        stored = passwords.make_hash("typed-12345", BOB)
        cls.typed = AppPassword.objects.create(
            mailbox_id=BOB, description="Typed", password_hash=stored
        )
        for model in (Log, Change, OutgoingMail):
            model.objects.all().delete()

    @classmethod
    def generate(cls, key, name="Laptop", **limits):
        text = generate_app_password()
        return perform(Actor.console(), create_app_password, key, name, limits, text), text
