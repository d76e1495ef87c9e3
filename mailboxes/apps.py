"""Register the tables of domains, mailboxes and aliases, their jobs and their housekeeping."""

from django.apps import AppConfig


class MailboxesConfig(AppConfig):
    name = "mailboxes"

    def ready(self) -> None:
        self.register_tables()
        self.register_log_texts()
        self.register_rows_of_others()
        self.register_compared_columns()
        self.register_checks()
        self.register_jobs()
        self.register_hooks()
        self.register_mails()
        self.register_housekeeping()

    def register_tables(self) -> None:
        """Register the tables and the other entries of the menu."""
        from mailadmin import registry
        from mailboxes.app_passwords.tables import AppPasswordTable
        from mailboxes.domain_tables import AliasDomainTable, DomainTable
        from mailboxes.fetchmail.tables import FetchmailTable
        from mailboxes.maildirs.tables import LeftoverMaildirTable
        from mailboxes.menu import MENU_ENTRIES
        from mailboxes.models import Mailbox
        from mailboxes.sender_permission_tables import SenderPermissionTable
        from mailboxes.tables import AliasTable, MailboxTable
        from mailboxes.vacations.tables import VacationTable

        registry.register_menu_entries(*MENU_ENTRIES)
        for table in (
            DomainTable(),
            AliasDomainTable(),
            MailboxTable(),
            AliasTable(),
            SenderPermissionTable(),
            VacationTable(),
            AppPasswordTable(),
            FetchmailTable(),
            LeftoverMaildirTable(),
        ):
            registry.register_table(table)
        registry.register_completed_options(Mailbox, "mailbox", "field_mailbox")

    def register_log_texts(self) -> None:
        """Register what lines of the log and change records are called."""
        from mailadmin import registry
        from mailboxes import log_actions

        registry.register_log_actions(log_actions.ACTION_LABELS, log_actions.ACTION_TABLES)
        for labels in (log_actions.BROADCAST_LABELS, log_actions.MAILDIR_LABELS):
            registry.register_log_actions(labels, superadmin_only=labels)
        registry.register_change_titles(log_actions.CHANGE_TITLES)

    def register_rows_of_others(self) -> None:
        """Register the rows that follow from aliases, and those that a domain contains."""
        from domains.services.locks import register_contents_counter
        from mailadmin import registry
        from mailboxes.models import Alias
        from mailboxes.services.alias_targets import ALIAS_TARGETS
        from mailboxes.services.contents import count_contents

        registry.register_derived_rows(Alias, ALIAS_TARGETS)
        register_contents_counter(count_contents)

    def register_compared_columns(self) -> None:
        """Register the columns of own tables that are compared with those of PostfixAdmin."""
        from mailadmin.db.collations import register_compared_fields
        from mailboxes.models import (
            AliasTarget,
            CachedStat,
            DeviceLink,
            DomainMailLogin,
            LastLogin,
            MailboxMailLogin,
            SenderPermission,
            StandaloneAlias,
        )

        register_compared_fields(CachedStat, "domain")
        register_compared_fields(StandaloneAlias, "alias", "domain")
        register_compared_fields(AliasTarget, "name", "domain", "alias")
        register_compared_fields(DeviceLink, "mailbox")
        register_compared_fields(LastLogin, "mailbox")
        register_compared_fields(MailboxMailLogin, "mailbox")
        register_compared_fields(DomainMailLogin, "domain")
        register_compared_fields(SenderPermission, "address", "domain", "mailbox", "mailbox_domain")

    def register_checks(self) -> None:
        """Register Django's checks of the settings."""
        from django.core import checks

        from mailboxes.client_setup.checks import check_profile_key

        checks.register(check_profile_key)

    def register_jobs(self) -> None:
        """Register the steps of jobs that the worker runs."""
        from domains.services.locks import DELETION_JOB_KIND
        from mailadmin import registry
        from mailboxes.services import broadcasts
        from mailboxes.services.domain_deletion import get_next_deletion_step
        from mailboxes.transfer import job_steps
        from mailboxes.welcome_mail import run_welcome_step

        registry.register_job_step(DELETION_JOB_KIND, get_next_deletion_step)
        registry.register_job_step(broadcasts.JOB_KIND, broadcasts.get_next_broadcast_step)
        registry.register_job_step("import", job_steps.next_import_step)
        registry.register_job_step("import-return", job_steps.next_revert_step)
        registry.register_job_step("plan", job_steps.next_plan_step, max_held=3)
        registry.register_job_step("welcome", run_welcome_step)

    def register_mails(self) -> None:
        """Register the kinds of mail."""
        from mailadmin import registry
        from mailboxes.services.app_passwords import APP_PASSWORD_ADDED
        from mailboxes.services.broadcasts import BROADCAST
        from mailboxes.services.device_links import DEVICE_LINK
        from mailboxes.services.expiry_reminders import PASSWORD_EXPIRES
        from mailboxes.welcome_mail import WELCOME

        registry.register_mail_kinds(WELCOME, PASSWORD_EXPIRES, APP_PASSWORD_ADDED, DEVICE_LINK)
        registry.register_mail_kinds(BROADCAST)

    def register_hooks(self) -> None:
        """Register the tables whose changes scripts and webhooks hear of."""
        from mailadmin import registry
        from mailboxes.hooks import HOOKED_TABLES

        registry.register_hooked_tables(*HOOKED_TABLES)

    def register_housekeeping(self) -> None:
        """Register what the worker does from time to time."""
        from mailadmin import registry
        from mailboxes.services import (
            device_links,
            expiry_reminders,
            leftovers,
            login_purge,
            password_schemes,
        )
        from mailboxes.services.alias_targets import reindex_alias_targets
        from mailboxes.services.tallies import recount_tallies
        from mailboxes.transfer import job_steps
        from mailboxes.welcome_mail import purge_failed_welcome_jobs

        for task, interval in (
            (purge_failed_welcome_jobs, 0),
            (recount_tallies, 0),
            (expiry_reminders.remind_of_expiry, expiry_reminders.REMINDER_INTERVAL),
            (password_schemes.store_scheme_counts, password_schemes.COUNT_INTERVAL),
            (login_purge.purge_last_logins, login_purge.PURGE_INTERVAL),
            (device_links.purge_expired_links, device_links.PURGE_INTERVAL),
            (reindex_alias_targets, 0),
            (leftovers.purge_orphaned_permissions, leftovers.PURGE_INTERVAL),
            (leftovers.purge_orphaned_app_passwords, leftovers.PURGE_INTERVAL),
            (job_steps.purge_plans, 0),
        ):
            registry.register_housekeeping(task, interval)
