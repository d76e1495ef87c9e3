"""Requests as mail programs make them, and their schemas."""

from pathlib import Path
from xml.etree import ElementTree

import xmlschema

HERE = Path(__file__).parent
AUTOCONFIG_SCHEMA = xmlschema.XMLSchema(HERE / "autoconfig.xsd")
AUTODISCOVER_SCHEMA = xmlschema.XMLSchema(HERE / "autodiscover.xsd")
AUTOCONFIG_URLS = ("/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml")
OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
MOBILE_SYNC = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
# As Outlook sends it.
REQUEST = """<?xml version="1.0" encoding="utf-8"?>\
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">\
<Request><EMailAddress>{address}</EMailAddress>\
<AcceptableResponseSchema>{schema}</AcceptableResponseSchema></Request></Autodiscover>"""


def read_autoconfig(document):
    """Check a document by the schema; return its servers as they are set up."""
    AUTOCONFIG_SCHEMA.validate(document.decode())
    provider = ElementTree.fromstring(document).find("emailProvider")  # noqa: S314 (our own)
    return [
        {"type": server.get("type")} | {each.tag: each.text for each in server}
        for server in provider
        if server.tag.endswith("Server")
    ]


def read_autodiscover(document):
    """Check a document by the schema; return its servers, or the code of an error."""
    AUTODISCOVER_SCHEMA.validate(document.decode())
    root = ElementTree.fromstring(document)  # noqa: S314 (our own)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if code := root.findtext("Response/Error/ErrorCode"):
        return code
    return [{each.tag: each.text for each in part} for part in root.iter("Protocol")]


def ask_autodiscover(
    client, address, schema=OUTLOOK, path="/autodiscover/autodiscover.xml", **more
):
    body = REQUEST.format(address=address, schema=schema)
    return client.post(path, body, content_type="text/xml", **more)
