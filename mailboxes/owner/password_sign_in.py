"""Sign-ins of mailbox owners by programs that give an address and a password, and nothing else."""

from django.http import HttpRequest

from mailadmin.accounts.backends import MailboxBackend
from mailadmin.accounts.external import may_sign_in_locally
from mailadmin.accounts.factors.policy import must_enroll, needs_second_step
from mailadmin.accounts.requests import as_panel_request
from mailadmin.accounts.throttling import LoginAttempt, log_login_failure
from mailadmin.names import hash_account
from mailboxes.models import Mailbox

BACKEND = MailboxBackend()


def try_password(
    request: HttpRequest, username: str, password: str
) -> tuple[LoginAttempt, Mailbox | None]:
    """Return the mailbox with this password, unless the panel would ask for more.

    Failures count as those of the sign-in page.
    """
    name = username.strip()
    attempt = LoginAttempt(request, [hash_account(BACKEND.model_name, name)])
    attempt.check_throttle()
    mailbox = BACKEND.authenticate(request, name, password, attempt)
    if isinstance(mailbox, Mailbox) and is_password_enough(request, mailbox):
        return attempt, mailbox
    reason = "password" if mailbox is None else "needs the panel"
    log_login_failure(name, as_panel_request(request).client_address, reason)
    return attempt, None


def is_password_enough(request: HttpRequest, mailbox: Mailbox) -> bool:
    """Return whether the panel would ask for nothing but the password."""
    needs_more = needs_second_step(request, mailbox) or must_enroll(request, mailbox)
    return may_sign_in_locally(mailbox) and not needs_more
