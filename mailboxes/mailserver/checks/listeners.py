"""Checks that the servers listen where mail programs connect by the settings."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from mailadmin.conf.client_servers import STARTTLS, TLS, ServicePort
from mailboxes.mailserver.checks.finding import WARNING, ConfigCheck, Configuration, Fault, Faults
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.lines import Line
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.config_parser.tree import is_yes, split_list_value

# Names of ports in master.cf, as /etc/services has them.
PORT_NUMBERS = {"smtp": "25", "smtps": "465", "submissions": "465", "submission": "587"}
# Protocol in `protocols` → service, and its listeners by default: name → (port, TLS at once)
DOVECOT_LISTENERS = {
    "imap": ("imap-login", {"imap": ("143", False), "imaps": ("993", True)}),
    "pop3": ("pop3-login", {"pop3": ("110", False), "pop3s": ("995", True)}),
    "sieve": ("managesieve-login", {"sieve": ("4190", False)}),
    "submission": (
        "submission-login",
        {"submission": ("587", False), "submissions": ("465", True)},
    ),
}
REASON = _("Pages, DNS records and the documents for mail programs name this port.")


class PostfixPortNotOffered(ConfigCheck):
    code = "submission-port-not-offered"
    severity = WARNING
    title = _("A port that mail programs use for sending is not offered")
    reason = REASON
    fix = _(
        "Add a service for it to master.cf, with smtpd_sasl_auth_enable=yes (and, for TLS from the"
        " first byte, smtpd_tls_wrappermode=yes), or correct MAILADMIN_MAIL_SMTP."
    )

    def find_faults(self, configuration: Configuration) -> Faults:
        offered = set(iter_postfix_ports(configuration.postfix))
        if configuration.dovecot_files:
            offered |= get_dovecot_ports(configuration.dovecot, "submission")
        for port in configuration.client_ports.get("smtp", ()):
            if port not in offered:
                yield Fault(
                    Line(str(configuration.postfix.directory / "master.cf"), 0, ""),
                    format_port(port),
                )


class DovecotPortNotOffered(ConfigCheck):
    code = "client-port-not-offered"
    severity = WARNING
    title = _("A port that mail programs connect to is not offered")
    reason = REASON
    fix = _(
        "Add the protocol to protocols, or the port to its inet_listener, or correct"
        " MAILADMIN_MAIL_IMAP, MAILADMIN_MAIL_POP3 or MAILADMIN_MAIL_SIEVE."
    )
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        dovecot = configuration.dovecot
        if not dovecot.value("protocols"):  # they are in files of the package that are not here
            return
        for protocol in ("imap", "pop3", "sieve"):
            offered = get_dovecot_ports(dovecot, protocol)
            for port in configuration.client_ports.get(protocol, ()):
                if port not in offered:
                    yield Fault(dovecot.get_line("protocols"), f"{protocol} {format_port(port)}")


def iter_postfix_ports(postfix: PostfixFiles) -> Iterator[ServicePort]:
    """Yield the ports of Postfix at which people can sign in by an encrypted connection."""
    for service in postfix.services:
        if service.type != "inet" or service.command != "smtpd":
            continue
        own = postfix.for_service(service)
        name = service.name.rpartition(":")[2]
        number = PORT_NUMBERS.get(name, name)
        if number.isdigit() and own.is_yes("smtpd_sasl_auth_enable"):
            yield ServicePort(int(number), TLS if own.is_yes("smtpd_tls_wrappermode") else STARTTLS)


def get_dovecot_ports(dovecot: DovecotFiles, protocol: str) -> set[ServicePort]:
    """Return the ports of Dovecot for a protocol, at which connections can be encrypted."""
    if protocol not in split_list_value(dovecot.value("protocols")) or dovecot.value("ssl") == "no":
        return set()
    service, defaults = DOVECOT_LISTENERS[protocol]
    listeners = dict(defaults)
    for block in dovecot.blocks("service"):
        for listener in block.blocks("inet_listener") if block.name == service else ():
            number, is_tls = listeners.get(listener.name, ("0", False))
            has_tls = listener.setting("ssl") is not None
            listeners[listener.name] = (
                listener.value("port", number),
                is_yes(listener.value("ssl")) if has_tls else is_tls,
            )
    return {
        ServicePort(int(number), TLS if is_tls else STARTTLS)
        for number, is_tls in listeners.values()
        if number.isdigit() and int(number)
    }


def format_port(port: ServicePort) -> str:
    return f"{port.port}/{port.security}"


CONFIG_CHECKS = (PostfixPortNotOffered(), DovecotPortNotOffered())
