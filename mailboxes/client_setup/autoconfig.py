"""The document of Mozilla's autoconfiguration, which Thunderbird, K-9 Mail and others read.

https://www.bucksch.org/1/projects/thunderbird/autoconfiguration/config-file-format.html
"""

from xml.etree.ElementTree import Element, SubElement, tostring

from mailadmin.names import domain_to_unicode
from mailboxes.client_setup.hosted_domains import HostedDomain
from mailboxes.client_setup.servers import ClientServer, ClientServers


def build_autoconfig(domain: HostedDomain, servers: ClientServers) -> bytes:
    """Return the document; it is the same for every address of the domain."""
    config = Element("clientConfig", version="1.1")
    provider = SubElement(config, "emailProvider", id=domain.name)
    SubElement(provider, "domain").text = domain.name
    for element in ("displayName", "displayShortName"):
        SubElement(provider, element).text = domain_to_unicode(domain.name)
    for server in servers.incoming:
        add_server(provider, "incomingServer", server, domain)
    for server in servers.outgoing:
        add_server(provider, "outgoingServer", server, domain)
    return tostring(config, encoding="utf-8", xml_declaration=True)


def add_server(provider: Element, tag: str, server: ClientServer, domain: HostedDomain) -> None:
    """Add a server; mail programs fill in the address, or what is before its @."""
    element = SubElement(provider, tag, type=server.protocol)
    values = {
        "hostname": server.host,
        "port": str(server.port),
        "socketType": "SSL" if server.is_tls else "STARTTLS",
        "username": (
            domain.get_login("%EMAILLOCALPART%@") if domain.is_alias_domain else "%EMAILADDRESS%"
        ),
        "authentication": "password-cleartext",
    }
    for name, text in values.items():
        SubElement(element, name).text = text
