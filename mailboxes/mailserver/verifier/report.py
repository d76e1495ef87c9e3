"""Verify every mail server on this machine, and report what was skipped."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

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
Server = TypeVar("Server", LivePostfix, LiveDovecot)


@dataclass
class VerificationReport:
    """The differences found, how much was compared, and what was not."""

    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)  # of lookups, by parameter or kind
    differences: list[Difference] = field(default_factory=list)
    unavailable: list[str] = field(default_factory=list)  # servers, each with the reason
    failed: list[str] = field(default_factory=list)  # those of them that are on this machine
    skipped: list[str] = field(default_factory=list)  # by the other servers

    def fail(self, server: str, error: ServerUnavailable) -> None:
        if server not in self.failed:
            self.failed.append(server)
        self.unavailable.append(f"{server}: {error}")


class MailServers(NamedTuple):
    """The servers of this machine."""

    postfix: LivePostfix | None
    dovecot: LiveDovecot | None


class ParameterProbe:
    """Compare main.cf and master.cf."""

    def __init__(self, live: LivePostfix) -> None:
        self.live = live

    def differences(self, domains: list[str] | None, counts: Counter[str]) -> Iterator[Difference]:
        yield from parameters.find_parameter_differences(self.live, domains, counts)

    @property
    def skipped(self) -> list[str]:
        if is_panel_config(self.live.files):
            return []
        return [_("restriction lists, as this main.cf is not the panel’s; only relaying was")]


Comparison = PostfixComparison | DovecotComparison
Probe = ParameterProbe | SmtpProbe | LmtpProbe | LoginProbe


def verify_mail_servers(
    domains: list[str] | None,
    postfix: str,
    dovecot: str,
    mail_directory: str = "",
    makes_accounts: bool = True,
) -> VerificationReport:
    """Query each server on this machine; without any, only run the panel's own SQL."""
    report = VerificationReport()
    servers = detect_servers(report, postfix, dovecot)
    comparisons = [*build_comparisons(servers, mail_directory.rstrip("/"))]
    compare_rows(report, comparisons, domains)
    report.skipped += [text for each in comparisons for text in describe_skipped_rows(each)]
    for name, probe in build_probes(servers, makes_accounts):
        run_probe(report, name, probe, domains)
    if not comparisons:
        check_panel_queries()
    report.differences = list(dict.fromkeys(report.differences))
    return report


def run_probe(
    report: VerificationReport, name: str, probe: Probe, domains: list[str] | None
) -> None:
    """Add the differences that a probe finds, and what it skipped."""
    if report.failed and isinstance(probe, LoginProbe):
        probe.postfix = None  # a second wait for a server that does not answer
    try:
        report.differences += probe.differences(domains, report.counts)
    except ServerUnavailable as error:
        report.fail(name, error)
    report.skipped += [f"{name}: {text}" for text in format_skipped(probe)]


def compare_rows(
    report: VerificationReport, comparisons: list[Comparison], domains: list[str] | None
) -> None:
    """Look up every row in every server, until it does not answer."""
    answering = list(comparisons)
    for batch in iter_row_batches(domains) if answering else ():
        if answering and batch.kind != "everything":
            report.rows += len(batch.keys)
        for server in list(answering):
            try:
                report.differences += server.differences(batch, report.counts)
            except ServerUnavailable as error:
                answering.remove(server)
                report.fail(server.name, error)


def detect_servers(report: VerificationReport, postfix: str, dovecot: str) -> MailServers:
    """Return the servers whose configuration and tools are on this machine."""
    return MailServers(
        open_server(report, "Postfix", Path(postfix, "main.cf"), open_postfix),
        open_server(report, "Dovecot", Path(dovecot, "dovecot.conf"), LiveDovecot),
    )


def open_server(
    report: VerificationReport, name: str, file: Path, open_folder: Callable[[str], Server]
) -> Server | None:
    """Return the server with this configuration, or None and report why not."""
    try:
        if not file.is_file():
            raise ServerUnavailable(_("there is no %(path)s") % {"path": file})
        return open_folder(str(file.parent))
    except ServerUnavailable as error:
        report.unavailable.append(f"{name}: {error}")
    return None


def open_postfix(folder: str) -> LivePostfix:
    return LivePostfix(PostfixFiles(Path(folder)))


def build_comparisons(servers: MailServers, mail_directory: str) -> Iterator[Comparison]:
    """Yield the comparisons of every row."""
    if servers.postfix:
        mail_directory = mail_directory or get_mail_directory(servers.postfix)
        yield PostfixComparison(servers.postfix)
    if servers.dovecot:
        yield DovecotComparison(servers.dovecot, mail_directory)


def get_mail_directory(postfix: LivePostfix) -> str:
    return postfix.files.value("virtual_mailbox_base").rstrip("/")


def build_probes(servers: MailServers, makes_accounts: bool) -> Iterator[tuple[str, Probe]]:
    """Yield the probes that run once, with a sample of rows."""
    files = servers.postfix.files if servers.postfix else None
    if servers.postfix and files:
        yield "Postfix", ParameterProbe(servers.postfix)
        yield "SMTP", SmtpProbe(files)
        yield "LMTP", LmtpProbe(files)
    if servers.dovecot:
        yield "Dovecot", LoginProbe(servers.dovecot, files, makes_accounts)


def describe_skipped_rows(server: Comparison) -> Iterator[str]:
    if isinstance(server, PostfixComparison):
        if not server.live.owner:
            yield _("Postfix: the maps’ files, as its own user (only root may become that)")
        return
    if server.skipped:
        text = _("Dovecot: home, mail and quota of %(number)d addresses with “*” or “?”")
        yield text % {"number": server.skipped}
    if not server.is_base_known:
        yield _("Dovecot: in which folder the mail lies (--mail-directory says it)")


def format_skipped(probe: Probe) -> list[str]:
    """Return what a probe skipped; of many, the first few and the number of others."""
    skipped = list(probe.skipped)
    shown, more = skipped[:MAX_SHOWN_SKIPPED], len(skipped) - MAX_SHOWN_SKIPPED
    return shown if more <= 0 else [*shown, _("… and %(number)d more") % {"number": more}]
