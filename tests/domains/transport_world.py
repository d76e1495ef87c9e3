"""Transports of tests."""

from domains.services.transports import (
    create_transports,
)
from mailadmin.changes.models import Change, Log
from mailadmin.changes.perform import Actor, perform
from tests.base import World

SECRET = "smtp:[10.0.0.1]:2525"


class TransportWorld(World):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        rows = [{"pattern": name, "transport": SECRET} for name in ("example.org", ".example.com")]
        perform(Actor.console(), create_transports, rows)
        Log.objects.all().delete()
        Change.objects.all().delete()

    def make(self, *pairs, **more):
        rows = [{"pattern": pattern, "transport": transport} | more for pattern, transport in pairs]
        self.perform(self.root, create_transports, rows)
