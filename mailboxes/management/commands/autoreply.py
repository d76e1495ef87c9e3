"""`autoreply`, so that it is listed and helped with; `mailadmin.main` runs it without Django."""

import argparse

from django.core.management.base import BaseCommand

from mailboxes.mailserver import autoresponder


class Command(BaseCommand):
    help = "Answer the mail on standard input for those who are away. Postfix's pipe(8) runs it."
    requires_system_checks = []

    def add_arguments(self, parser):
        autoresponder.add_arguments(parser)

    def handle(self, *args, **options):
        raise SystemExit(autoresponder.run_responder(argparse.Namespace(**options)))
