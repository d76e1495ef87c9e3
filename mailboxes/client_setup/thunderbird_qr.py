"""The QR code by which Thunderbird for Android and K-9 Mail take over an account.

Thunderbird on a computer draws the same one to export accounts; its format, version 1, is described
in the sources of Thunderbird for Android (feature/migration/qrcode/qr-code-format.md).
"""

import json

from mailboxes.client_setup.servers import IMAP, ClientServer, ClientServers

FORMAT_VERSION, FIRST_AND_ONLY = 1, [1, 1]
IMAP_SERVER, POP3_SERVER, SMTP_SERVER = 0, 1, 0
STARTTLS, TLS = 2, 3
PASSWORD = 1  # the kind of authentication: over a connection that is encrypted


def build_account_text(address: str, name: str, servers: ClientServers, password: str) -> str:
    """Return the text of the QR code, with the preferred servers and the password."""
    incoming, outgoing = servers.incoming[0], servers.outgoing[0]
    kind = IMAP_SERVER if incoming.protocol == IMAP else POP3_SERVER
    account_name = ""  # the reader takes the address
    account = [
        FORMAT_VERSION,
        FIRST_AND_ONLY,
        [kind, *describe_connection(incoming, address), account_name, password],
        [[[SMTP_SERVER, *describe_connection(outgoing, address), password], [address, name]]],
    ]
    return json.dumps(account, ensure_ascii=False, separators=(",", ":"))


def describe_connection(server: ClientServer, login: str) -> list[str | int]:
    """Return host, port, encryption, authentication and user name."""
    security = TLS if server.is_tls else STARTTLS
    return [server.host, server.port, security, PASSWORD, login]
