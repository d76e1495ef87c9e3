"""`complete -- WORDS`: completions of a command line, for shells."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from mailadmin.completion import find_completions
from mailadmin.console import make_printable


class Command(BaseCommand):
    help = "Print completions for the last of these words (called by shells)."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("words", nargs="*")

    def handle(self, *args: Any, words: list[str], **options: Any) -> None:
        for name in find_completions(words):
            self.stdout.write(make_printable(name))
