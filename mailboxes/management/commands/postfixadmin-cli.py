"""`postfixadmin-cli MODULE TASK …`: PostfixAdmin's command, for scripts that call it."""

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import translation

from mailboxes.postfixadmin.cli import PostfixAdminCli


class Command(BaseCommand):
    help = "View, add, update and delete rows with the words and options of PostfixAdmin's command."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "words",
            nargs=argparse.REMAINDER,
            metavar="MODULE TASK [KEY] [--option value …]",
            help="see: postfixadmin-cli help",
        )

    def handle(self, *args: Any, words: list[str], **options: Any) -> None:
        self.stderr.style_func = str  # scripts read it
        with translation.override("en"):
            status = PostfixAdminCli(self.stdout, self.stderr).run(words)
        if status:
            sys.exit(status)
