"""Checks of delivery: locations of mail, users, transports."""

import re
from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from mailboxes.mailserver.checks import paths
from mailboxes.mailserver.checks.finding import (
    ERROR,
    WARNING,
    ConfigCheck,
    Configuration,
    Fault,
    Faults,
)
from mailboxes.mailserver.config_parser import sql
from mailboxes.mailserver.config_parser.defaults import RECIPIENT_LIMIT_SUFFIX
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles, SqlAuthDatabase
from mailboxes.mailserver.config_parser.lines import Line
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.config_parser.services import MasterService

UID_FIELDS = {"uid", "userdb_uid"}
TRANSPORT_PARAMETERS = [
    f"{name}_transport" for name in ("virtual", "local", "mailbox", "relay", "default", "fallback")
]
SWAPPED_PERCENT_RE = re.compile(r"(?:^|[/@:'])([dnu])%(?=[/'@\s]|$)")
PATH_SETTINGS = {
    "mail_location",
    "mail_home",
    "mail_path",
    "mail_inbox_path",
    "user_query",
    "password_query",
}


class UidBelowMinimum(ConfigCheck):
    code = "uid-below-minimum"
    severity = ERROR
    title = _("virtual_minimum_uid is above a user ID in virtual_uid_maps")
    reason = _("Postfix defers the mail: “bad uid … in virtual_uid_maps”.")
    fix = _("Lower virtual_minimum_uid to that user ID, or delete the line.")

    def find_faults(self, configuration: Configuration) -> Faults:
        postfix = configuration.postfix
        minimum = parse_number(postfix.value("virtual_minimum_uid"))
        if not configuration.delivers_with_virtual or minimum is None:
            return
        setting = postfix.settings.get("virtual_minimum_uid")
        for uid, line in iter_virtual_uids(postfix):
            if uid < minimum:
                yield Fault(setting.line if setting else line, str(uid))


def parse_number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\s*[0-9]{1,10}\s*", text) else None


def iter_virtual_uids(postfix: PostfixFiles) -> Iterator[tuple[int, Line]]:
    for reference in postfix.all_maps("virtual_uid_maps"):
        static = [("", reference.name, reference.line)] if reference.type == "static" else []
        for _key, value, line in [*static, *postfix.entries(reference)]:
            if (uid := parse_number(value)) is not None:
                yield uid, line


class PipeNeedsOneRecipient(ConfigCheck):
    code = "pipe-needs-one-recipient"
    severity = ERROR
    title = _("A pipe service with the flag D or O receives several recipients at once")
    reason = _(
        "Postfix defers each message with two recipients in the same domain: “mail system"
        " configuration error”."
    )
    fix = _("Add to main.cf: TRANSPORT_destination_recipient_limit = 1")

    def find_faults(self, configuration: Configuration) -> Faults:
        used = set(iter_transport_services(configuration))
        for service in configuration.postfix.services:
            limit = f"{service.name}{RECIPIENT_LIMIT_SUFFIX}"
            is_single = configuration.postfix.value(limit).strip() == "1"
            if service.name in used and needs_single_recipient(service) and not is_single:
                yield Fault(service.line, limit)


def needs_single_recipient(service: MasterService) -> bool:
    """Check whether a pipe writes the recipient into the message."""
    return service.command == "pipe" and bool(set("DO") & set(service.flags.get("flags", "")))


def iter_transport_services(configuration: Configuration) -> Iterator[str]:
    """Yield the services that deliver mail, by parameters, files and the database."""
    postfix = configuration.postfix
    named = [postfix.value(name) for name in TRANSPORT_PARAMETERS]
    for reference in postfix.all_maps("transport_maps"):
        named += [value for _key, value, _line in postfix.entries(reference)]
    yield from map(get_service_name, [*named, *configuration.rows.transports])


class UnknownTransportService(ConfigCheck):
    code = "unknown-transport-service"
    severity = ERROR
    title = _("A transport uses a service that is not in master.cf")
    reason = _(
        "Mail stays in the queue (“mail transport unavailable”) and bounces after some days."
    )
    fix = _("Add the service to master.cf, or change the transport.")

    def find_faults(self, configuration: Configuration) -> Faults:
        postfix = configuration.postfix
        known = {service.name for service in postfix.services if service.type == "unix"}
        if "cleanup" not in known:
            return  # an incomplete master.cf
        for name, line in self._iter_named_services(configuration):
            if name and name not in known:
                yield Fault(line, name)

    @staticmethod
    def _iter_named_services(configuration: Configuration) -> Iterator[tuple[str, Line]]:
        """Yield (service, line) of the transports in parameters, files and the database."""
        postfix = configuration.postfix
        for parameter in TRANSPORT_PARAMETERS:
            if postfix.is_set(parameter):
                yield get_service_name(postfix.value(parameter)), postfix.get_line(parameter)
        for reference in postfix.all_maps("transport_maps"):
            for _key, value, line in postfix.entries(reference):
                yield get_service_name(value), line
        line = postfix.get_line("transport_maps")
        for value in sorted(configuration.rows.transports):
            yield get_service_name(value), line


def get_service_name(transport: str) -> str:
    return transport.partition(":")[0].strip()


class PercentBehindLetter(ConfigCheck):
    code = "percent-behind-letter"
    severity = ERROR
    title = _("The percent sign of a variable is after its letter")
    reason = _(
        "Dovecot's delivery fails with “Failed to expand settings”, and no mail is delivered."
    )
    fix = _("Use %d, %n or %u (Dovecot 2.4: %{user | domain}, %{user | username}, %{user}).")
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        for setting in configuration.dovecot.settings():
            found = SWAPPED_PERCENT_RE.search(setting.value)
            if found and setting.name in PATH_SETTINGS:
                yield Fault(setting.find_line(f"{found[1]}%"), f"{setting.name}: {found[1]}%")


class TwoMailStores(ConfigCheck):
    code = "two-mail-stores"
    severity = ERROR
    title = _("Mail is written to one location and read from another")
    reason = _(
        "Postfix delivers below virtual_mailbox_base; mail programs read another location"
        " and show an empty mailbox."
    )
    fix = _(
        "Let Dovecot return the location from the column: CONCAT('maildir:BASE/',"
        " maildir) AS mail (Dovecot 2.4: CONCAT('BASE/', maildir) AS mail_path), or let"
        " Dovecot deliver (LMTP)."
    )
    requires = ("postfix", "dovecot")

    def find_faults(self, configuration: Configuration) -> Faults:
        if not configuration.delivers_with_virtual:
            return
        layouts = configuration.rows.maildir_layouts
        written = list(paths.iter_postfix_stores(configuration))
        read = paths.find_dovecot_stores(configuration.dovecot)
        if not layouts and len({"{" in store.path for store in [*written, *read]}) > 1:
            return  # a pattern cannot be compared with a column of unknown content
        targets = {
            path for store in written for path in paths.fill_maildir_layouts(store.path, layouts)
        }
        for store in read:
            if targets and not paths.fill_maildir_layouts(store.path, layouts) <= targets:
                yield Fault(store.line, f"{store.path} ≠ {', '.join(sorted(targets))}")


class TwoMaildirLayouts(ConfigCheck):
    code = "two-maildir-layouts"
    severity = WARNING
    title = _("Mailbox maps return folders in different layouts")
    reason = _("If a mailbox moves from one map to the other, its old mail is left behind.")
    fix = _("Choose one layout, such as DOMAIN/LOCAL/, and move the folders.")

    def find_faults(self, configuration: Configuration) -> Faults:
        if not configuration.delivers_with_virtual:
            return
        first: set[str] = set()
        for store in paths.iter_postfix_stores(configuration):
            patterns = paths.fill_maildir_layouts(store.path, configuration.rows.maildir_layouts)
            if any("{" in pattern for pattern in patterns):
                continue
            first = first or patterns
            if patterns != first:
                about = f"{', '.join(sorted(patterns))} ≠ {', '.join(sorted(first))}"
                yield Fault(store.line, about)


class MaildirColumnIgnored(ConfigCheck):
    code = "maildir-column-ignored"
    severity = WARNING
    title = _("Dovecot's paths differ from the column maildir")
    reason = _(
        "The folder in the database is not the one that contains the mail. Scripts that"
        " archive or delete mailboxes use the wrong folder."
    )
    fix = _("Return the location from the column, or set MAILADMIN_MAILDIR to the layout in use.")
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        if configuration.delivers_with_virtual:
            return  # reported by TwoMailStores
        for store in paths.find_dovecot_stores(configuration.dovecot):
            layouts = configuration.rows.maildir_layouts
            other_layouts = sorted(layout for layout in layouts if layout not in store.path)
            if "{maildir}" not in store.path and other_layouts:
                yield Fault(store.line, f"{store.path} ≠ {', '.join(other_layouts)}")


class UidBelowFirstValid(ConfigCheck):
    code = "uid-below-first-valid"
    severity = ERROR
    title = _("The owner of the mailboxes is below first_valid_uid")
    reason = _("Dovecot opens no mailbox: “Mail access for users with UID … not permitted”.")
    fix = _(
        "Set first_valid_uid to the owner's user ID, or give the mailboxes to a user with"
        " an ID of 500 or above."
    )
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        dovecot = configuration.dovecot
        first = parse_number(dovecot.value("first_valid_uid")) or 0
        for uid, line in iter_dovecot_uids(dovecot):
            if uid < first:
                yield Fault(line, str(uid))


def iter_dovecot_uids(dovecot: DovecotFiles) -> Iterator[tuple[int, Line]]:
    """Yield the numeric users of mail_uid, static userdbs and queries."""
    for setting in dovecot.settings():
        uid = parse_number(setting.value) if setting.name == "mail_uid" else None
        if uid is not None:
            yield uid, setting.line
    for _parents, block in dovecot.authentication("userdb"):
        found = re.search(r"\buid=(\d+)", block.value("args"))
        if found:
            yield int(found[1]), block.get_line("args")
        for fields in block.blocks("fields"):
            if (uid := parse_number(fields.value("uid"))) is not None:
                yield uid, fields.get_line("uid")
    for database in [*dovecot.userdbs(), *dovecot.passdbs()]:
        yield from _iter_query_uids(database)


def _iter_query_uids(database: SqlAuthDatabase) -> Iterator[tuple[int, Line]]:
    for name in ("user_query", "password_query"):
        for select in sql.parse_selects(database.value(name)):
            for expression, field in sql.parse_columns(select.columns):
                uid = parse_number(expression.strip("'"))
                if field in UID_FIELDS and uid is not None:
                    yield uid, database.get_line(name)


CONFIG_CHECKS = (
    UidBelowMinimum(),
    PipeNeedsOneRecipient(),
    UnknownTransportService(),
    PercentBehindLetter(),
    TwoMailStores(),
    TwoMaildirLayouts(),
    MaildirColumnIgnored(),
    UidBelowFirstValid(),
)
