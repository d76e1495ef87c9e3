"""Template tags of the pages of mailboxes."""

from django import template

from mailboxes.welcome_mail import get_welcome_texts

register = template.Library()


@register.simple_tag
def welcome_mail_texts(address: str) -> tuple[str, str]:
    """Return subject and text of the welcome email, as a preview."""
    return get_welcome_texts(address)
