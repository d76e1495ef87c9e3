"""Register the tables of domains, mailboxes and aliases, their jobs and their housekeeping."""

from django.apps import AppConfig


class MailboxesConfig(AppConfig):
    name = "mailboxes"

    def ready(self) -> None:
        from django.core import checks

        from domains.services.locks import register_contents_counter
        from mailadmin import registry
        from mailadmin.db.collations import register_compared_fields
        from mailboxes import log_actions
        from mailboxes.app_passwords.tables import AppPasswordTable
        from mailboxes.client_setup.checks import check_profile_key
        from mailboxes.domain_tables import AliasDomainTable, DomainTable
        from mailboxes.menu import MENU_ENTRIES
        from mailboxes.models import (
            Alias,
            AliasTarget,
            CachedStat,
            DeviceLink,
            DomainMailLogin,
            LastLogin,
            Mailbox,
            MailboxMailLogin,
            SenderPermission,
            StandaloneAlias,
        )
        from mailboxes.sender_permission_tables import SenderPermissionTable
        from mailboxes.services.alias_targets import ALIAS_TARGETS
        from mailboxes.services.contents import count_contents
        from mailboxes.tables import AliasTable, MailboxTable

        registry.register_menu_entries(*MENU_ENTRIES)
        for table in (
            DomainTable(),
            AliasDomainTable(),
            MailboxTable(),
            AliasTable(),
            SenderPermissionTable(),
            AppPasswordTable(),
        ):
            registry.register_table(table)
        registry.register_log_actions(log_actions.ACTION_LABELS, log_actions.ACTION_TABLES)
        registry.register_change_titles(log_actions.CHANGE_TITLES)
        registry.register_completed_options(Mailbox, "mailbox", "field_mailbox")
        registry.register_derived_rows(Alias, ALIAS_TARGETS)
        checks.register(check_profile_key)
        register_contents_counter(count_contents)
        register_compared_fields(CachedStat, "domain")
        register_compared_fields(StandaloneAlias, "alias", "domain")
        register_compared_fields(AliasTarget, "name", "domain", "alias")
        register_compared_fields(DeviceLink, "mailbox")
        register_compared_fields(LastLogin, "mailbox")
        register_compared_fields(MailboxMailLogin, "mailbox")
        register_compared_fields(DomainMailLogin, "domain")
        register_compared_fields(SenderPermission, "address", "domain", "mailbox", "mailbox_domain")
        self.register_background_work()

    def register_background_work(self) -> None:
        """Register what the worker does: the steps of jobs, and housekeeping."""
        from domains.services.locks import DELETION_JOB_KIND
        from mailadmin import registry
        from mailboxes.services import (
            device_links,
            expiry_reminders,
            leftovers,
            login_purge,
            password_schemes,
        )
        from mailboxes.services.alias_targets import reindex_alias_targets
        from mailboxes.services.app_passwords import APP_PASSWORD_ADDED
        from mailboxes.services.domain_deletion import get_next_deletion_step
        from mailboxes.services.tallies import recount_tallies
        from mailboxes.transfer import job_steps
        from mailboxes.welcome_mail import WELCOME, purge_failed_welcome_jobs, run_welcome_step

        registry.register_job_step(DELETION_JOB_KIND, get_next_deletion_step)
        registry.register_job_step("import", job_steps.next_import_step)
        registry.register_job_step("import-return", job_steps.next_revert_step)
        registry.register_job_step("plan", job_steps.next_plan_step, max_held=3)
        registry.register_mail_kinds(WELCOME, expiry_reminders.PASSWORD_EXPIRES)
        registry.register_mail_kinds(APP_PASSWORD_ADDED, device_links.DEVICE_LINK)
        registry.register_job_step("welcome", run_welcome_step)
        registry.register_housekeeping(purge_failed_welcome_jobs)
        registry.register_housekeeping(recount_tallies)
        registry.register_housekeeping(
            expiry_reminders.remind_of_expiry, expiry_reminders.REMINDER_INTERVAL
        )
        registry.register_housekeeping(
            password_schemes.store_scheme_counts, password_schemes.COUNT_INTERVAL
        )
        registry.register_housekeeping(login_purge.purge_last_logins, login_purge.PURGE_INTERVAL)
        registry.register_housekeeping(
            device_links.purge_expired_links, device_links.PURGE_INTERVAL
        )
        registry.register_housekeeping(reindex_alias_targets)
        registry.register_housekeeping(
            leftovers.purge_orphaned_permissions, leftovers.PURGE_INTERVAL
        )
        registry.register_housekeeping(
            leftovers.purge_orphaned_app_passwords, leftovers.PURGE_INTERVAL
        )
        registry.register_housekeeping(job_steps.purge_plans)
