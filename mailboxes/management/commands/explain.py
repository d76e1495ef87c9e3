"""`explain ADDRESS`: what happens to its mail, and who may send as it."""

import json

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from mailadmin.changes.perform import Actor
from mailadmin.console import make_printable, report_database_errors
from mailboxes.mailserver.external_maps import load_routing_config
from mailboxes.postfix.explain import explain
from mailboxes.postfix.explain.messages import format_delivery


class Command(BaseCommand):
    help = "Say what Postfix does with mail for an address, step by step."

    def add_arguments(self, parser):
        parser.add_argument("address")
        parser.add_argument("--sender", default="", help="may this login send as the address?")
        parser.add_argument("--json", action="store_true", help="print everything as JSON")
        parser.add_argument(
            "--postfix",
            metavar="DIR",
            help="ask by the tables of this configuration, not by the panel's own",
        )

    def handle(self, *args, address, sender, postfix, **options):
        try:
            with report_database_errors():
                setup = load_routing_config(postfix) if postfix else None
                told = explain(Actor.console().principal, address, sender, setup)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        if options["json"]:
            self.stdout.write(json.dumps(told, indent=2, ensure_ascii=False))
        else:
            self.stdout.write("\n".join(map(make_printable, render_explanation(told))))
        if told["trouble"]:
            raise CommandError(make_printable(told["trouble"]))


def render_explanation(told):
    yield f"{told['address']}: {told['says']}"
    if told["reply"]:
        yield _("What the sender reads: %(reply)s") % told
    for step in told["steps"]:
        yield ""
        yield _("Is it accepted?") if step["what"] == "recipient" else step["address"]
        yield from render_lookups(step["lookups"])
        if step["targets"]:
            yield f"  ⇒ {', '.join(step['targets'])}"
    if told["more_steps"]:
        yield _("More steps, not shown: %(number)d") % {"number": told["more_steps"]}
    if told["deliveries"]:
        yield ""
    yield from (format_delivery(each) for each in told["deliveries"])
    if told["left_out"]:
        yield _("Not asked here: %(names)s") % {"names": ", ".join(told["left_out"])}
    yield from render_senders(told)


def render_lookups(lookups):
    """One line for a question; what no row answers says less."""
    for lookup in lookups:
        answer = "–" if lookup["answer"] is None else lookup["said"]
        yield f"  {lookup['table']:<30} {lookup['key']} → {answer}"
        for row in lookup["inactive"]:
            yield f"      {row['table']} {row['key']}: {row['reason']}"


def render_senders(told):
    yield ""
    if told["sender_trouble"]:
        yield told["sender_trouble"]
        return
    who = ", ".join(told["senders"]) or _("nobody")
    yield _("May send as %(address)s: %(who)s") % {"address": told["address"], "who": who}
    if asked_for := told.get("sender"):
        yield asked_for["reply"] or _("%(login)s may.") % asked_for
