"""Template tags of the pages of mailboxes."""

from django import template

from mailboxes.welcome_mail import preview_welcome_mail

register = template.Library()


@register.simple_tag
def welcome_mail_texts(address: str) -> tuple[str, str]:
    """Return subject and text of the welcome email, as a preview."""
    return preview_welcome_mail(address)
