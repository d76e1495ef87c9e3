"""`completion SHELL`: the script that sets up completion in a shell."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from mailadmin.completion import SHELL_SCRIPTS


class Command(BaseCommand):
    help = 'Print a shell completion script. Use: eval "$(mailadmin completion bash)"'
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("shell", choices=SHELL_SCRIPTS)

    def handle(self, *args: Any, shell: str, **options: Any) -> None:
        self.stdout.write(SHELL_SCRIPTS[shell])
