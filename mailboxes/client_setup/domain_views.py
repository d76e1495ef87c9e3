"""The page of a domain with the DNS records for mail programs."""

from typing import Any

from mailadmin.tables.views.detail import RowOverviewView
from mailboxes.client_setup.dns_records import format_zone, get_document_host, iter_dns_records
from mailboxes.client_setup.hosted_domains import find_hosted_domains
from mailboxes.client_setup.servers import get_client_servers
from mailboxes.domain_tables import DomainTable


class DomainRecordsView(RowOverviewView):
    """The records to copy into the zone of the domain."""

    table = DomainTable()
    template_name = "domains/dns_records.html"

    def get_template_names(self) -> list[str]:
        return [self.template_name]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        name = self.object.pk
        servers = get_client_servers(name)
        host, has_https, _port = get_document_host()
        return super().get_context_data(
            mail_servers=servers,
            records=list(iter_dns_records(servers)) if servers else [],
            zone=format_zone(name, servers) if servers else "",
            is_hosted=name.lower() in find_hosted_domains([name]),
            document_host=host,
            has_https=has_https,
            **kwargs,
        )
