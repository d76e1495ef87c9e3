"""Whether mail programs may use the main password of mailboxes, or need app passwords."""

from collections.abc import Sequence
from typing import NamedTuple

from django.core.exceptions import ValidationError

from domains.models import Domain
from mailadmin.accounts.models import Role
from mailadmin.changes.perform import Changes
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import DomainMailLogin, Mailbox, MailboxMailLogin


def needs_app_passwords(domain: Domain) -> bool:
    """Return whether mail programs in a domain need app passwords, from what was loaded with it."""
    row = getattr(domain, "mail_login", None)  # missing in most domains
    return bool(row and row.app_passwords_only)


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


class MailLoginRules(NamedTuple):
    """Whether the mail programs of a mailbox need app passwords: by itself, and by its domain."""

    own: bool | None  # None: as in its domain
    of_domain: bool

    @property
    def app_passwords_only(self) -> bool:
        return self.of_domain if self.own is None else self.own


def get_mail_login_rules(mailbox: Mailbox) -> MailLoginRules:
    """Return the rules for a mailbox, by one query."""
    rows = Mailbox.objects.filter(pk=mailbox.pk).values_list(
        "mail_login__app_passwords_only", "domain__mail_login__app_passwords_only"
    )
    own, of_domain = rows.first() or (None, None)
    return MailLoginRules(own, bool(of_domain))


def find_app_passwords_only(mailboxes: Sequence[Mailbox]) -> set[str]:
    """Return those of many mailboxes whose mail programs need app passwords, by two queries."""
    own_rows = MailboxMailLogin.objects.filter(mailbox__in=[each.pk for each in mailboxes])
    own = {fold(key): only for key, only in own_rows.values_list("pk", "app_passwords_only")}
    names = {each.domain_id for each in mailboxes}
    found = DomainMailLogin.objects.filter(domain__in=names, app_passwords_only=True)
    of_domain = {fold(key) for key in found.values_list("pk", flat=True)}
    return {m.pk for m in mailboxes if own.get(fold(m.pk), fold(m.domain_id) in of_domain)}


def set_mailbox_mail_login(changes: Changes, key: str, app_passwords_only: bool | None) -> None:
    """Set whether the mail programs of a mailbox need app passwords; None: as in its domain."""
    mailbox = changes.find_one(Mailbox, key)
    rules = get_mail_login_rules(mailbox)
    if app_passwords_only == rules.own:
        return
    if app_passwords_only is False and rules.of_domain:
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
