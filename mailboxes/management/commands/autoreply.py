"""`autoreply`, to list it and its help; `mailadmin.main` runs it without Django."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from mailboxes.mailserver import autoresponder


class Command(BaseCommand):
    help = "Send vacation replies to the message on standard input. Called by Postfix's pipe(8)."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        autoresponder.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        raise SystemExit(autoresponder.run_responder(argparse.Namespace(**options)))
