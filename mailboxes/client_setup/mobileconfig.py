"""Configuration profiles for the mail programs of Apple's devices, signed if there is a key."""

import plistlib
import uuid
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from mailadmin.names import address_to_unicode, domain_to_unicode
from mailboxes.client_setup.servers import IMAP, ClientServer, ClientServers, get_client_servers

CONTENT_TYPE = "application/x-apple-aspen-config"
# Profiles of one account have the same names on every panel: installing another replaces it.
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "mobileconfig.mailadmin.invalid")


def build_mobileconfig(
    address: str, name: str, domain: str, password: str | None = None, login: str = ""
) -> bytes | None:
    """Return the profile for the owner of an address; None if the settings name no mail server.

    `domain` is the one whose servers are used, `login` the name to sign in with if it is another
    than the address. With a password the profile is a secret; without one the device asks for it.
    """
    servers = get_client_servers(domain)
    if servers is None:
        return None
    profile = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": build_identifier("profile", address),
        "PayloadUUID": build_uuid("profile", address),
        "PayloadDisplayName": _("Mail for %(address)s") % {"address": address_to_unicode(address)},
        "PayloadOrganization": domain_to_unicode(domain),
        "PayloadDescription": _("Sets up the mail program of this device."),
        "PayloadContent": [build_account(address, name, servers, password, login or address)],
    }
    return sign_profile(plistlib.dumps(profile, sort_keys=False))


def build_account(
    address: str, name: str, servers: ClientServers, password: str | None, login: str
) -> dict[str, Any]:
    """Return the payload of the account, with the preferred servers."""
    incoming, outgoing = servers.incoming[0], servers.outgoing[0]
    account: dict[str, Any] = {
        "PayloadType": "com.apple.mail.managed",
        "PayloadVersion": 1,
        "PayloadIdentifier": build_identifier("account", address),
        "PayloadUUID": build_uuid("account", address),
        "PayloadDisplayName": address_to_unicode(address),
        "EmailAccountDescription": address_to_unicode(address),
        "EmailAccountName": name,
        "EmailAccountType": "EmailTypeIMAP" if incoming.protocol == IMAP else "EmailTypePOP",
        "EmailAddress": address,
        **build_server("Incoming", incoming, login),
        **build_server("Outgoing", outgoing, login),
        "OutgoingPasswordSameAsIncomingPassword": True,
    }
    if password is not None:
        account |= {"IncomingPassword": password, "OutgoingPassword": password}
    return account


def build_server(prefix: str, server: ClientServer, login: str) -> dict[str, Any]:
    """Return the keys of one server; devices know by its port whether TLS is by STARTTLS."""
    return {
        f"{prefix}MailServerAuthentication": "EmailAuthPassword",
        f"{prefix}MailServerHostName": server.host,
        f"{prefix}MailServerPortNumber": server.port,
        f"{prefix}MailServerUseSSL": True,
        f"{prefix}MailServerUsername": login,
    }


def build_identifier(kind: str, address: str) -> str:
    """Return the name of a payload, in reverse order as Apple has them: org.example.bob.profile."""
    local_part, _at, domain = address.lower().rpartition("@")
    return ".".join([*reversed(domain.split(".")), local_part, "mailadmin", kind])


def build_uuid(kind: str, address: str) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{kind}:{address.lower()}")).upper()


def sign_profile(profile: bytes) -> bytes:
    """Return the profile inside its signature, or unchanged if there is no certificate."""
    certificate = settings.MAILADMIN_PROFILE_CERTIFICATE_FILE
    if not certificate:
        return profile
    from mailboxes.client_setup import signature

    return signature.sign(profile, certificate, settings.MAILADMIN_PROFILE_KEY_FILE)
