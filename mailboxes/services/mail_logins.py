"""Whether mail programs may use the main password of mailboxes, or need app passwords."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.core.exceptions import ValidationError

from domains.models import Domain
from mailadmin.accounts.models import Role
from mailadmin.changes.perform import Changes
from mailadmin.db.bulk import chunks
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


def get_own_rule(mailbox: Mailbox) -> bool | None:
    """Return the rule of a mailbox itself, from what was loaded with it; None if it has none."""
    row = getattr(mailbox, "mail_login", None)
    return row.app_passwords_only if row else None


def find_app_passwords_only(mailboxes: Sequence[Mailbox]) -> set[str]:
    """Return those of many mailboxes whose mail programs need app passwords."""
    own = {key: row.app_passwords_only for key, row in find_mail_logins(mailboxes).items()}
    names = {each.domain_id for each in mailboxes}
    found = DomainMailLogin.objects.filter(domain__in=names, app_passwords_only=True)
    of_domain = {fold(key) for key in found.values_list("pk", flat=True)}
    return {m.pk for m in mailboxes if own.get(fold(m.pk), fold(m.domain_id) in of_domain)}


def set_mailbox_mail_login(changes: Changes, key: str, app_passwords_only: bool | None) -> None:
    """Set whether the mail programs of a mailbox need app passwords; None: as in its domain."""
    mailbox = changes.find_one(Mailbox, key)
    for changed in set_mail_logins(changes, [(mailbox, app_passwords_only)]):
        changes.log("edit_mailbox", changed.domain_id, changed.pk)


def set_mail_logins(
    changes: Changes, wanted: Sequence[tuple[Mailbox, bool | None]]
) -> list[Mailbox]:
    """Set the rules of mailboxes; return those that had another one."""
    rows = find_mail_logins([mailbox for mailbox, _rule in wanted])
    known = [(mailbox, rule, rows.get(fold(mailbox.pk))) for mailbox, rule in wanted]
    changed = [each for each in known if each[1] != (each[2] and each[2].app_passwords_only)]
    check_exceptions(changes, [mailbox for mailbox, rule, _row in changed if rule is False])
    changes.delete([row for _mailbox, rule, row in changed if row and rule is None])
    for value in (True, False):
        own = [(mailbox, row) for mailbox, rule, row in changed if rule is value]
        changes.create(
            [MailboxMailLogin(mailbox=m, app_passwords_only=value) for m, row in own if not row]
        )
        changes.update([row for _mailbox, row in own if row], app_passwords_only=value)
    return [mailbox for mailbox, _rule, _row in changed]


def find_mail_logins(mailboxes: Iterable[Mailbox]) -> dict[str, MailboxMailLogin]:
    """Return the rules that these mailboxes have themselves, by folded key."""
    found: dict[str, MailboxMailLogin] = {}
    for part in chunks([mailbox.pk for mailbox in mailboxes]):
        rows = MailboxMailLogin.objects.filter(pk__in=part)
        found |= {fold(row.pk): row for row in rows}
    return found


def check_exceptions(changes: Changes, mailboxes: Iterable[Mailbox]) -> None:
    """Let superadmins alone except mailboxes from the rules of their domains, which are theirs."""
    if changes.principal.role is Role.SUPERADMIN:
        return
    domains = sorted({mailbox.domain_id for mailbox in mailboxes})
    strict = DomainMailLogin.objects.filter(app_passwords_only=True)
    if any(strict.filter(pk__in=part).exists() for part in chunks(domains)):
        text = _("Only superadmins can except a mailbox from the rule of its domain.")
        raise ValidationError({"app_passwords_only": text})
