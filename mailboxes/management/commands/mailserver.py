"""`mailserver`: subcommands for the configuration of Postfix and Dovecot."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from mailadmin.console import report_database_errors
from mailboxes.mailserver.checks import command as check
from mailboxes.mailserver.converter import command as upgrade
from mailboxes.mailserver.generator import command as config
from mailboxes.mailserver.verifier import command as verify

# Each is a module with `help`, `add_arguments(parser)` and `run(command, options)`.
SUBCOMMANDS = {
    "config": config,
    "check": check,
    "verify": verify,
    "upgrade": upgrade,
}


class Command(BaseCommand):
    help = "Generate, check, verify or upgrade the configuration of Postfix and Dovecot."

    def add_arguments(self, parser: CommandParser) -> None:
        subcommands = parser.add_subparsers(dest="subcommand", required=True)
        for name, module in SUBCOMMANDS.items():
            module.add_arguments(subcommands.add_parser(name, help=module.help))

    def handle(self, *args: Any, subcommand: str, **options: Any) -> None:
        with report_database_errors():
            SUBCOMMANDS[subcommand].run(self, options)
