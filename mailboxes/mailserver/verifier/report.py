"""A verification: every server that is here is asked, and what was not asked is named."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.translation import gettext as _

from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.verifier import parameters
from mailboxes.mailserver.verifier.comparing import (
    Difference,
    DovecotComparison,
    PostfixComparison,
    check_panel_queries,
    is_panel_config,
    iter_row_batches,
)
from mailboxes.mailserver.verifier.logins import LoginProbe
from mailboxes.mailserver.verifier.programs import LiveDovecot, LivePostfix, ServerUnavailable
from mailboxes.mailserver.verifier.smtp import LmtpProbe, SmtpProbe

MAX_SHOWN_SKIPPED = 5


@dataclass
class VerificationReport:
    """What was asked, what came of it, and what could not be asked."""

    rows: int = 0
    asked: dict[str, int] = field(default_factory=dict)  # what → how many
    differences: list[Difference] = field(default_factory=list)
    unavailable: list[str] = field(default_factory=list)  # servers that were not asked, and why
    failed: list[str] = field(default_factory=list)  # those of them that are here
    unasked: list[str] = field(default_factory=list)  # of the others, what was left out

    def fail(self, server: str, error: ServerUnavailable) -> None:
        if server not in self.failed:
            self.failed.append(server)
        self.unavailable.append(f"{server}: {error}")


@dataclass
class MailServers:
    """The servers of this machine; what is not here is None."""

    postfix: LivePostfix | None = None
    dovecot: LiveDovecot | None = None
    mail_directory: str = ""
    makes_accounts: bool = True

    def __post_init__(self):
        if self.postfix and not self.mail_directory:
            self.mail_directory = self.postfix.files.value("virtual_mailbox_base").rstrip("/")

    @property
    def files(self) -> PostfixFiles | None:
        return self.postfix.files if self.postfix else None


class ParameterProbe:
    """What main.cf and master.cf say."""

    def __init__(self, live: LivePostfix):
        self.live = live

    def differences(self, domains: list[str] | None, asked: dict) -> Iterator[Difference]:
        yield from parameters.find_parameter_differences(self.live, domains, asked)

    @property
    def unasked(self) -> list[str]:
        if is_panel_config(self.live.files):
            return []
        return [_("restriction lists, as this main.cf is not the panel’s; only relaying was")]


Probe = ParameterProbe | SmtpProbe | LmtpProbe | LoginProbe


def verify_mail_servers(
    domains: list[str] | None,
    postfix: str,
    dovecot: str,
    mail_directory: str = "",
    makes_accounts: bool = True,
) -> VerificationReport:
    """Ask each server that is here; without any, at least the panel's own SQL is tried."""
    report = VerificationReport()
    servers = detect_servers(report, postfix, dovecot)
    servers.mail_directory = mail_directory.rstrip("/") or servers.mail_directory
    servers.makes_accounts = makes_accounts
    compared = [*build_comparisons(servers)]
    compare_rows(report, compared, domains)
    report.unasked += [text for each in compared for text in describe_skipped_rows(each)]
    for name, probe in build_probes(servers):
        run_probe(report, name, probe, domains)
    if not compared:
        check_panel_queries()
    report.differences = list(dict.fromkeys(report.differences))
    return report


def run_probe(
    report: VerificationReport, name: str, probe: Probe, domains: list[str] | None
) -> None:
    """Ask what is asked with a sample, and note what that leaves out."""
    if report.failed and isinstance(probe, LoginProbe):
        probe.postfix = None  # a second wait for a server that does not answer
    try:
        report.differences += probe.differences(domains, report.asked)
    except ServerUnavailable as error:
        report.fail(name, error)
    report.unasked += [f"{name}: {text}" for text in format_skipped(probe)]


def compare_rows(report: VerificationReport, compared: list, domains: list[str] | None) -> None:
    """Put every row to every server that answers."""
    answering = list(compared)
    for batch in iter_row_batches(domains) if answering else ():
        if answering and batch.kind != "everything":
            report.rows += len(batch.keys)
        for server in list(answering):
            try:
                report.differences += server.differences(batch, report.asked)
            except ServerUnavailable as error:
                answering.remove(server)
                report.fail(server.name, error)


def detect_servers(report: VerificationReport, postfix: str, dovecot: str) -> MailServers:
    """The servers whose configuration and tools are on this machine."""
    found = {}
    for name, folder, file, live in (
        ("Postfix", postfix, "main.cf", open_postfix),
        ("Dovecot", dovecot, "dovecot.conf", LiveDovecot),
    ):
        try:
            if not Path(folder, file).is_file():
                raise ServerUnavailable(_("there is no %(path)s") % {"path": Path(folder, file)})
            found[name.lower()] = live(folder)
        except ServerUnavailable as error:
            report.unavailable.append(f"{name}: {error}")
    return MailServers(**found)


def open_postfix(folder: str) -> LivePostfix:
    return LivePostfix(PostfixFiles(Path(folder)))


def build_comparisons(servers: MailServers) -> Iterator[PostfixComparison | DovecotComparison]:
    """What every row is put to."""
    if servers.postfix:
        yield PostfixComparison(servers.postfix)
    if servers.dovecot:
        yield DovecotComparison(servers.dovecot, servers.mail_directory)


def build_probes(servers: MailServers) -> Iterator[tuple[str, Probe]]:
    """What is asked once, with a sample of rows."""
    if servers.postfix:
        yield "Postfix", ParameterProbe(servers.postfix)
        yield "SMTP", SmtpProbe(servers.files)
        yield "LMTP", LmtpProbe(servers.files)
    if servers.dovecot:
        yield "Dovecot", LoginProbe(servers.dovecot, servers.files, servers.makes_accounts)


def describe_skipped_rows(server: PostfixComparison | DovecotComparison) -> Iterator[str]:
    """What of the rows a server could not be asked."""
    if isinstance(server, PostfixComparison):
        if not server.live.owner:
            yield _("Postfix: the maps’ files, as its own user (only root may become that)")
        return
    if server.unasked:
        text = _("Dovecot: home, mail and quota of %(number)d addresses with “*” or “?”")
        yield text % {"number": server.unasked}
    if not server.is_base_known:
        yield _("Dovecot: in which folder the mail lies (--mail-directory says it)")


def format_skipped(probe: Probe) -> list[str]:
    """What a probe left out; of many, the first few and their number."""
    found = list(probe.unasked)
    if len(found) <= MAX_SHOWN_SKIPPED:
        return found
    return [
        *found[:MAX_SHOWN_SKIPPED],
        _("… and %(number)d more") % {"number": len(found) - MAX_SHOWN_SKIPPED},
    ]
