"""Register the tables of this app, and what the platform asks of it."""

from django.apps import AppConfig


class DomainsConfig(AppConfig):
    name = "domains"

    def ready(self) -> None:
        from domains import log_actions
        from domains.dkim.tables import DkimKeyTable, DkimSigningTable
        from domains.hooks import HOOKED_TABLES
        from domains.managers import AdminManager
        from domains.models import Domain, DomainFactorPolicy, DomainState, Transport
        from domains.services.admins import create_superuser
        from domains.services.totp_exceptions import is_excepted
        from domains.tables import AdminTable, TotpExceptionTable
        from domains.transports.tables import TransportTable
        from mailadmin import registry
        from mailadmin.db.collations import register_compared_fields

        registry.register_table(TransportTable())
        registry.register_table(AdminTable())
        registry.register_table(TotpExceptionTable())
        registry.register_table(DkimKeyTable())
        registry.register_table(DkimSigningTable())
        registry.register_second_factor_exception(is_excepted)
        registry.register_log_actions(
            log_actions.ACTION_LABELS, log_actions.ACTION_TABLES, log_actions.SUPERADMIN_ACTIONS
        )
        registry.register_completed_options(Domain, "domain", "field_domain", "field_target_domain")
        registry.register_filter_tabs("domain", "domains/tabs.html")
        registry.register_hooked_tables(*HOOKED_TABLES)
        register_compared_fields(DomainFactorPolicy, "domain")
        register_compared_fields(DomainState, "domain", "at_domain")
        register_compared_fields(Transport, "pattern")
        AdminManager.register_superuser_service(create_superuser)
