"""The run control of fetchmail for one entry, which it reads from its standard input.

So the password is in no file and in no argument. Every text is quoted; no option of an entry can
name a program, a file or another destination.
"""

import ipaddress
import socket
from collections.abc import Iterable

from django.conf import settings

from mailboxes.models import Fetchmail

# PostfixAdmin's names of what fetchmail offers still; others are of servers that are long gone.
SUPPORTED_PROTOCOLS = ("IMAP", "POP3", "AUTO")
SUPPORTED_AUTHENTICATIONS = ("any", "password", "cram-md5", "ntlm", "otp", "gssapi")


class UnusableEntry(Exception):
    """An entry that fetchmail cannot be run for; the text says why, in English as in the log."""


def build_run_control(entry: Fetchmail, address: str, password: str) -> str:
    """Return the run control; the server is named by its address, which was checked."""
    check_entry(entry)
    host, port = settings.MAILADMIN_FETCHMAIL_SMTP
    server = [f"poll {quote(entry.src_server)} via {quote(address)}"]
    server.append(f"protocol {entry.protocol or 'AUTO'}")
    if entry.src_port:
        server.append(f"port {int(entry.src_port)}")
    if entry.src_auth and entry.src_auth != "any":
        server.append(f"auth {entry.src_auth}")
    user = [f"user {quote(entry.src_user)} there", f"with password {quote(password)}"]
    user += list(list_tls_options(entry))
    if entry.src_folder:
        user.append(f"folder {quote(entry.src_folder)}")
    user += ["keep" if entry.keep else "nokeep", "fetchall" if entry.fetchall else "no fetchall"]
    user += ["no rewrite", f"smtphost {quote(f'{host}/{port}')}"]
    user.append(f"smtpname {quote(entry.mailbox_id)}")
    lines = ["set no bouncemail", "set no spambounce", " ".join(server), *user]
    return "\n    ".join(lines) + "\n"


def check_entry(entry: Fetchmail) -> None:
    """Refuse what PostfixAdmin's table can hold and fetchmail does not do here."""
    if (entry.protocol or "AUTO") not in SUPPORTED_PROTOCOLS:
        raise UnusableEntry(f"the protocol {entry.protocol} is not supported")
    if (entry.src_auth or "any") not in SUPPORTED_AUTHENTICATIONS:
        raise UnusableEntry(f"the authentication {entry.src_auth} is not supported")


def list_tls_options(entry: Fetchmail) -> Iterable[str]:
    """Yield the options of TLS; without `ssl` the server is asked for STARTTLS."""
    yield "ssl" if entry.usessl else "no ssl"
    yield "sslcertck" if entry.sslcertck else "no sslcertck"
    yield f"sslcommonname {quote(entry.src_server)}"
    if entry.sslfingerprint:
        yield f"sslfingerprint {quote(entry.sslfingerprint)}"


def quote(text: str) -> str:
    """Return a text as fetchmail's run control has it."""
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in text):
        raise UnusableEntry("a value contains control characters")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def find_address(server: str) -> str:
    """Return an address of a server; refuse one that is in a private network.

    fetchmail is given the address itself, so that the name cannot have another one by then.
    """
    try:
        found = socket.getaddrinfo(server, None, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise UnusableEntry(f"the server {server} has no address") from None
    addresses = [str(each[4][0]).partition("%")[0] for each in found]
    allowed = [each for each in addresses if is_allowed(ipaddress.ip_address(each))]
    if not allowed:
        raise UnusableEntry(f"the server {server} is in a private network ({addresses[0]})")
    return allowed[0]


def is_allowed(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether mail may be fetched from this address."""
    ip = getattr(address, "ipv4_mapped", None) or address
    networks = settings.MAILADMIN_FETCHMAIL_NETWORKS
    return (ip.is_global and not ip.is_multicast) or any(ip in network for network in networks)
