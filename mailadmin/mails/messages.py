"""Build the message of a mail: headers, the text, and the same as HTML."""

import re
from collections.abc import Mapping
from email.utils import format_datetime, formataddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.utils.html import escape
from django.utils.translation import override

from mailadmin import registry
from mailadmin.mails.mail_kinds import MailKind, fill_placeholders
from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.texts import MailTexts, TemplateError, load_texts
from mailadmin.mails.values import ValuesUnreadable, to_single_line, unseal_values
from mailadmin.translation import gettext as _

HTML_PAGE = """\
<!DOCTYPE html>
<html lang="%(language)s">
<head><meta charset="utf-8"><title>%(subject)s</title></head>
<body style="font-family: sans-serif; line-height: 1.5">
%(body)s
</body>
</html>
"""


class MessageError(Exception):
    """The message cannot be built; the text says why. `is_final`: it never can."""

    def __init__(self, text: str, *, is_final: bool) -> None:
        super().__init__(text)
        self.text, self.is_final = text, is_final


def build_message(mail: OutgoingMail) -> EmailMultiAlternatives:
    """Return the message of a mail in its reader's language."""
    kind = registry.mail_kinds.get(mail.kind)
    if kind is None:
        raise MessageError(_("This kind of email is unknown."), is_final=True)
    try:
        with override(mail.language):
            values = unseal_values(mail.sealed_values)
        if kind.get_written_texts:
            return compose_message(mail, kind, read_written_texts(kind, values), {})
        texts = load_texts(kind, mail.language)
    except ValuesUnreadable:
        text = _("The email cannot be decrypted, as MAILADMIN_SECRET_KEY was changed.")
        raise MessageError(text, is_final=True) from None
    except TemplateError as error:
        raise MessageError(str(error), is_final=False) from None
    values["panel"] = settings.MAILADMIN_URL or ""
    return compose_message(mail, kind, texts, values)


def read_written_texts(kind: MailKind, values: Mapping[str, str]) -> MailTexts:
    """Return what somebody has written; it has no placeholders."""
    [value], read = values.values(), kind.get_written_texts
    subject, text, refusal = read(value) if read else ("", "", "")
    if refusal:
        raise MessageError(refusal, is_final=True)
    return MailTexts(subject, text)


def compose_message(
    mail: OutgoingMail, kind: MailKind, texts: MailTexts, values: Mapping[str, str]
) -> EmailMultiAlternatives:
    subject = to_single_line(fill_placeholders(texts.subject, values))
    text = fill_placeholders(texts.text, values)
    message = EmailMultiAlternatives(
        subject,
        text.rstrip() + "\n",
        formataddr((settings.MAILADMIN_ADMIN_NAME, mail.sender)),
        [mail.recipient],
        headers={
            "Message-ID": mail.message_id,  # the same, however often it is sent
            "Date": format_datetime(mail.created),
            "Auto-Submitted": "auto-generated",  # so that no vacation reply is sent to it
        },
    )
    escaped = {name: str(escape(value)) for name, value in values.items()}
    if texts.html:
        html = fill_placeholders(texts.html, escaped)
    else:
        links = {name: add_link(escaped[name]) for name in kind.links}
        body = fill_placeholders(format_paragraphs(texts.text), escaped | links)
        page = {"language": mail.language, "subject": str(escape(subject)), "body": body}
        html = fill_placeholders(HTML_PAGE, page)
    message.attach_alternative(html, "text/html")
    return message


def add_link(url: str) -> str:
    """Return an escaped address of a page of the panel as HTML that can be followed."""
    return f'<a href="{url}">{url}</a>'


def format_paragraphs(text: str) -> str:
    """Return a text as HTML, its placeholders kept."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    lines = ("<br>\n".join(str(escape(part)).split("\n")) for part in paragraphs)
    return "\n".join(f"<p>{each}</p>" for each in lines)


def preview_texts(kind: MailKind, language: str, values: Mapping[str, str]) -> tuple[str, str]:
    """Return subject and text of a mail as pages show them before it is sent."""
    texts = load_texts(kind, language)
    return fill_placeholders(texts.subject, values), fill_placeholders(texts.text, values)
