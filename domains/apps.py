"""Register the tables of domains and admins."""

from django.apps import AppConfig


class DomainsConfig(AppConfig):
    name = "domains"

    def ready(self) -> None:
        from domains.services.domains import next_deletion
        from domains.services.locks import DELETION
        from domains.tables import AdminTable, AliasDomainTable, DomainTable, TransportTable
        from mailadmin import registry

        registry.register_table(DomainTable())
        registry.register_table(AliasDomainTable())
        registry.register_table(TransportTable())
        registry.register_table(AdminTable())
        registry.register_job_step(DELETION, next_deletion)
