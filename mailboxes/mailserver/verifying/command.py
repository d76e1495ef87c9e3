"""`mailadmin mailserver verify`: does the mail server see what the panel wrote?"""

import datetime
import json
from dataclasses import dataclass, field
from pathlib import Path

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from domains.models import Domain
from mailboxes.mailserver.reading.postfix import PostfixFiles
from mailboxes.mailserver.verifying.comparing import Dovecot, Postfix, batches, own_maps_work
from mailboxes.mailserver.verifying.programs import LiveDovecot, LivePostfix, Unavailable
from mailboxes.models import Verification

help = "Ask the running mail server about rows of the panel, and report what it sees otherwise."
KEPT_DAYS = 30


def add_arguments(parser):
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--all", action="store_true", help="every domain")
    what.add_argument("--domain", metavar="D", help="one domain")
    parser.add_argument("--postfix", metavar="DIR", default="/etc/postfix")
    parser.add_argument("--dovecot", metavar="DIR", default="/etc/dovecot")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(command, options):
    domain = options["domain"]
    if domain and not Domain.objects.filter(pk=domain.lower()).exists():
        raise CommandError(_("There is no domain %(name)s.") % {"name": domain})
    report = verify([domain.lower()] if domain else None, options["postfix"], options["dovecot"])
    keep(report, domain or "")
    show(command, report, options["json"])
    if report.differences:
        raise CommandError(
            _("%(number)d differences.") % {"number": len(report.differences)}, returncode=1
        )
    if report.failed:
        raise CommandError(
            _("%(servers)s could not be asked.") % {"servers": ", ".join(report.failed)},
            returncode=1,
        )


@dataclass
class Report:
    rows: int = 0
    differences: list = field(default_factory=list)
    missing: list = field(default_factory=list)  # servers that were not asked, and why
    failed: list = field(default_factory=list)  # those of them that are here


def verify(domains, postfix, dovecot):
    """Ask each server that is here; the panel's own SQL is tried in any case."""
    report = Report()
    servers = list(present(report, postfix, dovecot))
    for batch in batches(domains):
        report.rows += len(batch.keys)
        for server in list(servers):
            try:
                report.differences += server.differences(batch)
            except Unavailable as error:
                servers.remove(server)
                report.failed.append(type(server).__name__)
                report.missing.append(f"{type(server).__name__}: {error}")
    if not servers:
        own_maps_work()
    return report


def present(report, postfix, dovecot):
    """The servers whose configuration and tools are on this machine."""
    for kind, live, folder, file in (
        (Postfix, lambda: LivePostfix(PostfixFiles(Path(postfix))), postfix, "main.cf"),
        (Dovecot, lambda: LiveDovecot(dovecot), dovecot, "dovecot.conf"),
    ):
        try:
            if not Path(folder, file).is_file():
                raise Unavailable(_("there is no %(path)s") % {"path": Path(folder, file)})
            yield kind(live())
        except Unavailable as error:
            report.missing.append(f"{kind.__name__}: {error}")


def keep(report, domain):
    """The panel's pages show the last result; they have no right to ask for it themselves."""
    entries = [difference._asdict() for difference in report.differences]
    Verification.objects.create(
        domain=domain.lower(),
        rows=report.rows,
        differences=[
            {name: str(value) for name, value in entry.items()}
            for entry in entries[: Verification.KEPT]
        ],
        total=len(entries),
        trouble="\n".join(report.missing),
    )
    old = timezone.now() - datetime.timedelta(days=KEPT_DAYS)
    Verification.objects.filter(checked__lt=old).delete()


def show(command, report, as_json):
    if as_json:
        told = {
            "rows": report.rows,
            "differences": [difference._asdict() for difference in report.differences],
            "not_asked": report.missing,
        }
        command.stdout.write(json.dumps(told, indent=2, ensure_ascii=False, default=str))
        return
    for missing in report.missing:
        command.stdout.write(_("Not asked: %(server)s") % {"server": missing})
    for key, asked, expected, found in report.differences:
        command.stdout.write(
            _("%(key)s, %(asked)s: expected “%(expected)s”, found “%(found)s”")
            % {"key": key, "asked": asked, "expected": expected, "found": found}
        )
    command.stdout.write(_("%(number)d rows asked about.") % {"number": report.rows})
