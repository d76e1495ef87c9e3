"""Whether mail programs may use the main password of mailboxes, or need app passwords."""

from django.core.exceptions import ValidationError

from domains.models import Domain
from mailadmin.accounts.models import Role
from mailadmin.changes.perform import Changes
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import DomainMailLogin, Mailbox, MailboxMailLogin


def needs_app_passwords(domain: Domain) -> bool:
    """Return whether mail programs in a domain need app passwords, from what was loaded with it."""
    row = getattr(domain, "mail_login", None)  # missing in most domains
    return bool(row and row.app_passwords_only)


def does_domain_need_app_passwords(name: str) -> bool:
    """Return whether mail programs in the domain of this name need app passwords."""
    return DomainMailLogin.objects.filter(pk=name, app_passwords_only=True).exists()


def set_domain_mail_login(changes: Changes, domain: str, app_passwords_only: bool) -> bool:
    """Set whether mail programs in a domain need app passwords; tell whether that changed."""
    row = DomainMailLogin.objects.filter(pk=domain).first()
    if app_passwords_only == bool(row and row.app_passwords_only):
        return False
    if row is None:
        changes.create([DomainMailLogin(domain_id=domain, app_passwords_only=True)])
    else:
        changes.update([row], app_passwords_only=app_passwords_only)
    return True


def get_mailbox_mail_login(mailbox: Mailbox) -> bool | None:
    """Return whether the mail programs of a mailbox need app passwords; None: as in its domain."""
    rows = MailboxMailLogin.objects.filter(pk=mailbox.pk)
    return rows.values_list("app_passwords_only", flat=True).first()


def is_app_passwords_only(mailbox: Mailbox) -> bool:
    """Return whether the mail programs of a mailbox need app passwords."""
    own = get_mailbox_mail_login(mailbox)
    if own is not None:
        return own
    return does_domain_need_app_passwords(mailbox.domain_id)


def set_mailbox_mail_login(changes: Changes, key: str, app_passwords_only: bool | None) -> None:
    """Set whether the mail programs of a mailbox need app passwords; None: as in its domain."""
    mailbox = changes.find_one(Mailbox, key)
    if app_passwords_only == get_mailbox_mail_login(mailbox):
        return
    if app_passwords_only is False and does_domain_need_app_passwords(mailbox.domain_id):
        require_superadmin(changes)
    row = MailboxMailLogin.objects.filter(pk=key).first()
    if row is None:
        row = MailboxMailLogin(mailbox=mailbox, app_passwords_only=bool(app_passwords_only))
        changes.create([row])
    elif app_passwords_only is None:
        changes.delete([row])
    else:
        changes.update([row], app_passwords_only=app_passwords_only)
    changes.log("edit_mailbox", mailbox.domain_id, mailbox.pk)


def require_superadmin(changes: Changes) -> None:
    """Let superadmins alone except a mailbox from the rule of its domain, which is theirs."""
    if changes.principal.role is not Role.SUPERADMIN:
        text = _("Only superadmins can except a mailbox from the rule of its domain.")
        raise ValidationError({"main_password": text})
