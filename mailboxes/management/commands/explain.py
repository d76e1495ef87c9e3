"""`explain ADDRESS`: what happens to mail for an address, and who may send as it."""

import json
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from mailadmin.changes.perform import Actor
from mailadmin.console import make_printable, report_database_errors
from mailboxes.mailserver.routing_config import load_routing_config
from mailboxes.postfix.explain import explain
from mailboxes.postfix.explain.alias_domains import format_handled_as
from mailboxes.postfix.explain.messages import format_delivery


class Command(BaseCommand):
    help = "Trace mail for an address step by step."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("address")
        parser.add_argument(
            "--sender", default="", help="check whether this login may send as the address"
        )
        parser.add_argument("--json", action="store_true", help="print everything as JSON")
        parser.add_argument(
            "--postfix",
            metavar="DIR",
            help="use the tables of this Postfix configuration instead of the panel's own",
        )

    def handle(
        self, *args: Any, address: str, sender: str, postfix: str | None, **options: Any
    ) -> None:
        try:
            with report_database_errors():
                routing_config = load_routing_config(postfix) if postfix else None
                explanation = explain(Actor.console().principal, address, sender, routing_config)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        if options["json"]:
            self.stdout.write(json.dumps(explanation, indent=2, ensure_ascii=False))
        else:
            self.stdout.write("\n".join(map(make_printable, render_explanation(explanation))))
        if explanation["trouble"]:
            raise CommandError(make_printable(explanation["trouble"]))


def render_explanation(explanation: dict[str, Any]) -> Iterator[str]:
    yield f"{explanation['address']}: {explanation['says']}"
    yield from filter(None, [format_handled_as(explanation)])
    if explanation["reply"]:
        yield _("Reply to the sender: %(reply)s") % explanation
    for step in explanation["steps"]:
        yield ""
        yield _("Recipient check") if step["what"] == "recipient" else step["address"]
        yield from render_lookups(step["lookups"])
        if step["targets"]:
            yield f"  ⇒ {', '.join(step['targets'])}"
    if explanation["more_steps"]:
        yield _("More steps (not shown): %(number)d") % {"number": explanation["more_steps"]}
    if explanation["deliveries"]:
        yield ""
    for delivery in explanation["deliveries"]:
        yield format_delivery(delivery)
        if path := delivery.get("path"):
            yield "  " + _("Folder: %(path)s") % {"path": path}
    if explanation["left_out"]:
        yield _("Not checked here: %(names)s") % {"names": ", ".join(explanation["left_out"])}
    yield from render_senders(explanation)


def render_lookups(lookups: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each lookup, and the inactive rows that would have answered."""
    for lookup in lookups:
        answer = "–" if lookup["answer"] is None else lookup["said"]
        yield f"  {lookup['table']:<30} {lookup['key']} → {answer}"
        for row in lookup["inactive"]:
            yield f"      {row['table']} {row['key']}: {row['reason']}"


def render_senders(explanation: dict[str, Any]) -> Iterator[str]:
    yield ""
    if explanation["sender_trouble"]:
        yield explanation["sender_trouble"]
        return
    logins = ", ".join(explanation["senders"]) or _("nobody")
    yield _("May send as %(address)s: %(who)s") % {"address": explanation["address"], "who": logins}
    for each in explanation["sender_reasons"]:
        yield f"  {each['login']}: {each['reason']}"
    if sender := explanation.get("sender"):
        yield sender["reply"] or _("%(login)s may send as this address.") % sender
        yield from (f"  {reason}" for reason in sender["reasons"])
