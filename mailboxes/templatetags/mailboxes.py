"""Template tags of the pages of mailboxes."""

from typing import Any

from django import template

from mailboxes.vacations.access import get_vacation_roles
from mailboxes.welcome_mail import preview_welcome_mail

register = template.Library()


@register.simple_tag
def welcome_mail_texts(address: str) -> tuple[str, str]:
    """Return subject and text of the welcome email, as a preview."""
    return preview_welcome_mail(address)


@register.simple_tag
def may_set_vacations(principal: Any) -> bool:
    """Return whether this person may set vacation replies."""
    return principal.role in get_vacation_roles()
