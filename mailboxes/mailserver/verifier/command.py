"""`mailadmin mailserver verify`: compare the mail server's answers with the panel's rows."""

import datetime
import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from domains.models import Domain
from mailadmin.translation import encode_text, join_texts, ngettext, to_text
from mailadmin.translation import gettext as _
from mailboxes.mailserver.verifier.report import VerificationReport, verify_mail_servers
from mailboxes.models import Verification

help = (
    "Compare the answers of the running mail server with the panel's rows, and report differences."
)
RETENTION_DAYS = 30


def add_arguments(parser: ArgumentParser) -> None:
    scope = parser.add_mutually_exclusive_group(required=True)
    scope.add_argument("--all", action="store_true", help="check all domains")
    scope.add_argument("--domain", metavar="D", help="check one domain")
    parser.add_argument("--postfix", metavar="DIR", default="/etc/postfix")
    parser.add_argument("--dovecot", metavar="DIR", default="/etc/dovecot")
    parser.add_argument(
        "--mail-directory",
        metavar="DIR",
        help="mail directory (default: virtual_mailbox_base in main.cf)",
    )
    parser.add_argument(
        "--no-accounts",
        action="store_true",
        help="write nothing: do not create mailboxes to test sign-in with a correct password",
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    domain = options["domain"]
    if domain and not Domain.objects.filter(pk=domain.lower()).exists():
        raise CommandError(_("There is no domain %(name)s.") % {"name": domain})
    places = options["postfix"], options["dovecot"], options["mail_directory"] or ""
    names = [domain.lower()] if domain else None
    report = verify_mail_servers(names, *places, makes_accounts=not options["no_accounts"])
    store_report(report, domain or "")
    print_report(command, report, options["json"])
    if failures := " ".join(iter_failures(report)):
        raise CommandError(failures, returncode=1)


def iter_failures(report: VerificationReport) -> Iterator[str]:
    if report.differences:
        yield format_difference_count(len(report.differences))
    if report.failed:
        yield _("Could not query: %(servers)s.") % {"servers": ", ".join(report.failed)}


def store_report(report: VerificationReport, domain: str) -> None:
    """Store the result for the panel's pages, which may not query the servers themselves."""
    entries = [difference._asdict() for difference in report.differences]
    Verification.objects.create(
        domain=domain.lower(),
        rows=report.rows,
        differences=[
            {name: encode_text(to_text(value)) for name, value in entry.items()}
            for entry in entries[: Verification.MAX_STORED_DIFFERENCES]
        ],
        total=len(entries),
        trouble=join_texts(report.unavailable, "\n"),
    )
    old = timezone.now() - datetime.timedelta(days=RETENTION_DAYS)
    Verification.objects.filter(checked__lt=old).delete()


def print_report(command: BaseCommand, report: VerificationReport, as_json: bool) -> None:
    if as_json:
        data = {
            "rows": report.rows,
            "asked": report.counts,
            "differences": [difference._asdict() for difference in report.differences],
            "not_asked": [*report.unavailable, *report.skipped],
        }
        command.stdout.write(json.dumps(data, indent=2, ensure_ascii=False, default=str))
        return
    for missing in (*report.unavailable, *report.skipped):
        command.stdout.write(_("Not checked: %(server)s") % {"server": missing})
    for key, asked, expected, found in report.differences:
        command.stdout.write(
            _("%(key)s, %(asked)s: expected “%(expected)s”, found “%(found)s”")
            % {"key": key, "asked": asked, "expected": expected, "found": found}
        )
    command.stdout.write(_("Rows checked: %(number)d") % {"number": report.rows})
    if report.counts:
        counts = ", ".join(f"{name} ({number})" for name, number in report.counts.items())
        command.stdout.write(_("Checks: %(asked)s.") % {"asked": counts})
        command.stdout.write(format_difference_count(len(report.differences)))


def format_difference_count(number: int) -> str:
    text = ngettext("%(number)d difference found.", "%(number)d differences found.", number)
    return text % {"number": number}
