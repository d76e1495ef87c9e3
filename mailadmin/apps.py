"""Register what the platform itself adds to the panel."""

from django.apps import AppConfig


class MailadminConfig(AppConfig):
    name = "mailadmin"

    def ready(self) -> None:
        from django.core import checks

        from mailadmin import registry
        from mailadmin.accounts import password_requests
        from mailadmin.accounts.factors import log_actions
        from mailadmin.accounts.factors.housekeeping import purge_ownerless_factors
        from mailadmin.accounts.factors.models import Passkey
        from mailadmin.accounts.recovery.mail_kinds import LOG_LABELS, RECOVERY_KINDS
        from mailadmin.accounts.recovery.requests import answer_next_request, purge_requests
        from mailadmin.api.job_steps import CREATION_JOB_KIND, get_next_creation_step
        from mailadmin.changes.log_page import TOKEN_ACTION_LABELS, LogTable
        from mailadmin.db.collations import register_compared_fields
        from mailadmin.db.custom_checks import check_custom_columns
        from mailadmin.db.lookups import register_ascii_lookups
        from mailadmin.hooks.events import queue_deliveries
        from mailadmin.hooks.runner import run_next_delivery
        from mailadmin.housekeeping import purge_expired
        from mailadmin.mails.checks import check_mail_templates
        from mailadmin.mails.models import OutgoingMail
        from mailadmin.mails.notices import NOTICE_KINDS
        from mailadmin.menu import PLATFORM_ENTRIES
        from mailadmin.tables.bulk_jobs import get_next_bulk_step
        from mailadmin.tables.table import BULK_JOB_KIND

        register_ascii_lookups()
        checks.register(check_mail_templates)
        checks.register(check_custom_columns, checks.Tags.database)
        register_compared_fields(OutgoingMail, "domain")
        register_compared_fields(Passkey, "owner_key")
        registry.register_table(LogTable())
        registry.register_menu_entries(*PLATFORM_ENTRIES)
        registry.register_log_actions(TOKEN_ACTION_LABELS, superadmin_only=TOKEN_ACTION_LABELS)
        registry.register_log_actions(
            log_actions.ACTION_LABELS, superadmin_only=log_actions.SUPERADMIN_ACTIONS
        )
        registry.register_job_step(BULK_JOB_KIND, get_next_bulk_step)
        registry.register_job_step(CREATION_JOB_KIND, get_next_creation_step, max_held=1)
        registry.register_mail_kinds(*NOTICE_KINDS, *RECOVERY_KINDS)
        registry.register_mail_kinds(password_requests.PASSWORD_REQUESTED)
        registry.register_log_actions(password_requests.LOG_LABELS)
        registry.register_housekeeping(purge_expired)
        registry.register_log_actions(LOG_LABELS)
        registry.register_worker_task(answer_next_request)
        registry.register_change_listener(queue_deliveries)
        registry.register_worker_task(run_next_delivery)
        registry.register_housekeeping(purge_requests)
        registry.register_housekeeping(purge_ownerless_factors)
