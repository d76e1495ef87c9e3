"""Microsoft's Autodiscover for IMAP, POP3 and SMTP: its requests and responses, in XML and JSON.

MS-OXDSCLI describes them: plain old XML (POX) by POST, and a document in JSON that says where.
"""

import datetime
from collections.abc import Mapping
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring
from xml.parsers import expat

from mailboxes.client_setup.hosted_domains import HostedDomain
from mailboxes.client_setup.servers import SMTP, ClientServer, ClientServers

SCHEMAS = "http://schemas.microsoft.com/exchange/autodiscover"
RESPONSE_SCHEMA = f"{SCHEMAS}/responseschema/2006"
OUTLOOK_SCHEMA = f"{SCHEMAS}/outlook/responseschema/2006a"
INVALID_REQUEST, UNKNOWN_PROVIDER = (600, "Invalid Request"), (601, "Provider is not available")
JSON_PROTOCOL = "AutodiscoverV1"  # the document in XML, as JSON names it


class AutodiscoverRequest(NamedTuple):
    """A request: the address as it was sent, and the schema that the client understands."""

    address: str
    schema: str


class RequestParser:
    """Collect the texts of elements; a document type, which could define entities, is refused."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.open_elements: list[str] = []

    def parse(self, body: bytes) -> AutodiscoverRequest:
        """Return the request, or raise ValueError."""
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self.refuse_document_type
        parser.StartElementHandler = self.start_element
        parser.EndElementHandler = self.end_element
        parser.CharacterDataHandler = self.add_text
        try:
            parser.Parse(body, True)
        except (expat.ExpatError, LookupError) as error:  # LookupError: of an unknown encoding
            raise ValueError(str(error)) from None
        address = self.texts.get("EMailAddress", "").strip()
        return AutodiscoverRequest(address, self.texts.get("AcceptableResponseSchema", "").strip())

    def refuse_document_type(self, *_arguments: object) -> None:
        raise ValueError("a document type is not allowed")

    def start_element(self, name: str, _attributes: Mapping[str, str]) -> None:
        self.open_elements.append(name.rpartition(":")[2])

    def end_element(self, _name: str) -> None:
        self.open_elements.pop()

    def add_text(self, text: str) -> None:
        name = self.open_elements[-1]
        self.texts[name] = self.texts.get(name, "") + text


def build_response(domain: HostedDomain, servers: ClientServers, address: str) -> bytes:
    """Return the settings for an address, whether there is a mailbox or not."""
    root = Element("Autodiscover", xmlns=RESPONSE_SCHEMA)
    response = SubElement(root, "Response", xmlns=OUTLOOK_SCHEMA)
    SubElement(SubElement(response, "User"), "DisplayName").text = address
    account = SubElement(response, "Account")
    SubElement(account, "AccountType").text = "email"
    SubElement(account, "Action").text = "settings"
    for server in (*servers.incoming, *servers.outgoing):
        add_protocol(account, server, domain.get_login(address))
    return tostring(root, encoding="utf-8", xml_declaration=True)


def add_protocol(account: Element, server: ClientServer, login: str) -> None:
    """Add a server; `Encryption` counts for Outlook since 2010, `SSL` for older ones."""
    protocol = SubElement(account, "Protocol")
    values = {
        "Type": server.protocol.upper(),
        "Server": server.host,
        "Port": str(server.port),
        "LoginName": login,
        "DomainRequired": "off",
        "SPA": "off",
        "SSL": "on",
        "Encryption": "SSL" if server.is_tls else "TLS",
        "AuthRequired": "on",
    }
    if server.protocol == SMTP:
        values |= {"UsePOPAuth": "on", "SMTPLast": "off"}
    for name, text in values.items():
        SubElement(protocol, name).text = text


def build_error(error: tuple[int, str]) -> bytes:
    """Return the document that says why there are no settings."""
    code, message = error
    now = datetime.datetime.now(datetime.UTC)
    root = Element("Autodiscover", xmlns=RESPONSE_SCHEMA)
    response = SubElement(root, "Response")
    element = SubElement(response, "Error", Time=f"{now:%H:%M:%S.%f}", Id="0")
    SubElement(element, "ErrorCode").text = str(code)
    SubElement(element, "Message").text = message
    SubElement(element, "DebugData")
    return tostring(root, encoding="utf-8", xml_declaration=True)


def build_json(protocol: str, url: str) -> tuple[dict[str, str], int]:
    """Return the answer to a request for a protocol, and its status."""
    if protocol.lower() == JSON_PROTOCOL.lower():
        return {"Protocol": JSON_PROTOCOL, "Url": url}, 200
    if not protocol:
        text = "A valid value must be provided for the query parameter 'Protocol'"
        return {"ErrorCode": "MandatoryParameterMissing", "ErrorMessage": text}, 400
    text = f"The given protocol value is invalid. Supported values are '{JSON_PROTOCOL}'"
    return {"ErrorCode": "InvalidProtocol", "ErrorMessage": text}, 400
