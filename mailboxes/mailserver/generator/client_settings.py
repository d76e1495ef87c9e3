"""What the panel's settings have to say of a generated configuration, for mail programs."""

from collections.abc import Iterator

from django.conf import settings
from django.utils.translation import gettext as _

from mailadmin.conf.client_servers import STARTTLS, TLS, ServicePort
from mailboxes.client_setup.servers import PROTOCOL_SETTINGS, SIEVE, get_offered_ports
from mailboxes.mailserver.generator.choices import MailServerOptions

# Protocol → the ports of a generated configuration
GENERATED_PORTS = {
    "imap": (ServicePort(993, TLS), ServicePort(143, STARTTLS)),
    "pop3": (ServicePort(995, TLS), ServicePort(110, STARTTLS)),
    "smtp": (ServicePort(465, TLS), ServicePort(587, STARTTLS)),
    "sieve": (ServicePort(4190, STARTTLS),),
}


def iter_client_steps(choices: MailServerOptions) -> Iterator[str]:
    """Yield the settings that are missing, or that name what the configuration does not offer."""
    lines = list(iter_client_settings(choices))
    if lines:
        yield _("In the panel’s settings, so that mail programs find these servers:")
        yield from (f"  {line}" for line in lines)


def iter_client_settings(choices: MailServerOptions) -> Iterator[str]:
    if not settings.MAILADMIN_MAIL_HOST:
        yield f"MAILADMIN_MAIL_HOST={choices.hostname}"
    for protocol, named in get_offered_ports().items():
        offered = GENERATED_PORTS[protocol] if choices.sieve or protocol != SIEVE else ()
        kept = [port for port in named if port in offered]
        if len(kept) < len(named) or (choices.sieve and protocol == SIEVE and not named):
            ports = kept or offered
            text = ",".join(f"{port.port}/{port.security}" for port in ports)
            yield f"{PROTOCOL_SETTINGS[protocol]}={text}"
