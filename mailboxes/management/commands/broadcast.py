"""`broadcast --subject … --text-file FILE [--domain D …] [--mailbox M …] [--aliases] [--yes]`"""

from argparse import FileType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailadmin.changes.perform import Actor, perform
from mailadmin.console import make_printable
from mailboxes.broadcasts.forms import BroadcastForm
from mailboxes.broadcasts.recipients import count_recipients
from mailboxes.services.broadcasts import start_broadcast


class Command(BaseCommand):
    help = "Send a message to the mailboxes of domains, or to single ones."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--subject", required=True, help="subject of the message")
        parser.add_argument(
            "--text-file", required=True, type=FileType(), help="file with its text; -: input"
        )
        add = parser.add_argument
        add("--domain", action="append", default=[], help="default: all domains; repeatable")
        add("--mailbox", action="append", default=[], help="instead of domains; repeatable")
        add("--aliases", action="store_true", help="send to the aliases of the domains as well")
        add("--yes", action="store_true", help="do not ask for confirmation")

    def handle(self, *args: Any, **options: Any) -> None:
        """Queue the message; the worker sends it."""
        actor = Actor.console()
        sent = {
            "subject": options["subject"],
            "text": options["text_file"].read(),
            "domains": "\n".join(options["domain"]),
            "addresses": "\n".join(options["mailbox"]),
            "has_aliases": "on" if options["aliases"] else "",
        }
        form = BroadcastForm(sent, actor=actor)
        if not form.is_valid():
            texts = [str(text) for errors in form.errors.values() for text in errors]
            raise CommandError(make_printable("\n".join(texts)))
        broadcast = form.build_broadcast()
        count = count_recipients(broadcast, actor.principal)
        question = ngettext(
            "Send this message to %(n)s address? [y/N] ",
            "Send this message to %(n)s addresses? [y/N] ",
            count,
        )
        if not options["yes"] and input(question % {"n": count}).strip().lower() != "y":
            raise CommandError(_("Nothing was sent."))
        perform(actor, start_broadcast, broadcast)
        self.stdout.write(_("The message is being sent. Recipients: %(n)s") % {"n": count})
