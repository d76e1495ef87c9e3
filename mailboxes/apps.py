"""Register the tables of mailboxes and aliases, their jobs and their housekeeping."""

from django.apps import AppConfig


class MailboxesConfig(AppConfig):
    name = "mailboxes"

    def ready(self) -> None:
        from mailadmin import registry
        from mailboxes.services.tallies import recount
        from mailboxes.tables import AliasTable, MailboxTable
        from mailboxes.transfer import job_steps
        from mailboxes.welcome_mail import forget_welcomes, next_welcome

        registry.register_table(MailboxTable())
        registry.register_table(AliasTable())
        registry.register_job_step("import", job_steps.next_import_step)
        registry.register_job_step("import-return", job_steps.next_revert_step)
        registry.register_job_step("plan", job_steps.next_plan_step)
        registry.register_job_step("welcome", next_welcome)
        registry.register_housekeeping(forget_welcomes)
        registry.register_housekeeping(recount)
        registry.register_housekeeping(job_steps.purge_plans)
