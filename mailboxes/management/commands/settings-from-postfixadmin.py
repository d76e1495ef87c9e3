"""`settings-from-postfixadmin`, to list it; `mailadmin.main` runs it without Django."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from mailboxes.postfixadmin import settings_command


class Command(BaseCommand):
    help = settings_command.HELP
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        settings_command.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        raise SystemExit(settings_command.run(argparse.Namespace(**options)))
