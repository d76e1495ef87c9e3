"""The texts of mails: built in, of a setting, or of files in the operator's folder."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.utils.translation import override

from mailadmin import registry
from mailadmin.mails.mail_kinds import MailKind

FILE_NAME_RE = re.compile(r"(?P<kind>[a-z_]+)(?:\.(?P<language>[a-z]{2}))?\.(?P<format>txt|html)")
SUBJECT_PREFIX = "Subject:"
MAX_FILE_BYTES = 200_000


class TemplateError(Exception):
    """A file of the operator's folder cannot be used; the text names it and says why."""


class MailTexts(NamedTuple):
    """The texts of a mail with placeholders; without HTML of its own, it is made from the text."""

    subject: str
    text: str
    html: str = ""


def load_texts(kind: MailKind, language: str) -> MailTexts:
    """Return the texts of a kind of mail in a language: of files, else settings, else built in."""
    subject, text = kind.get_configured_texts()
    with override(language):
        texts = MailTexts(subject or str(kind.subject), text or str(kind.text))
    if path := find_file(kind, language, "txt"):
        texts = parse_text_file(path.name, read_file(path))
    if path := find_file(kind, language, "html"):
        texts = texts._replace(html=read_file(path))
    return texts


def find_file(kind: MailKind, language: str, suffix: str) -> Path | None:
    """Return the operator's file for a language, or that for all languages without one."""
    if not settings.MAILADMIN_MAIL_TEMPLATES:
        return None
    names = (f"{kind.name}.{language}.{suffix}", f"{kind.name}.{suffix}")
    paths = (settings.MAILADMIN_MAIL_TEMPLATES / name for name in names)
    return next((path for path in paths if path.exists()), None)


def read_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise TemplateError(f"{path.name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TemplateError(f"{path.name}: is not UTF-8 text") from None
    if len(data) > MAX_FILE_BYTES:
        raise TemplateError(f"{path.name}: is larger than {MAX_FILE_BYTES} bytes")
    return text.replace("\r\n", "\n")


def parse_text_file(name: str, content: str) -> MailTexts:
    """Split a text file into the subject, which its first line has, and the text below."""
    first, _newline, text = content.partition("\n")
    subject = first.removeprefix(SUBJECT_PREFIX).strip()
    if not first.startswith(SUBJECT_PREFIX) or not subject:
        raise TemplateError(f"{name}: the first line has to be “{SUBJECT_PREFIX} …”")
    if not text.strip():
        raise TemplateError(f"{name}: there is no text below the subject")
    return MailTexts(subject, text.strip("\n"))


def find_faults(folder: Path) -> Iterator[str]:
    """Yield what is wrong with the operator's files; those that are no texts are ignored."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in (".txt", ".html"))
    except OSError as error:
        yield f"{folder}: {error.strerror}"
        return
    for path in paths:
        try:
            yield from find_faults_of_file(path)
        except TemplateError as error:
            yield str(error)


def find_faults_of_file(path: Path) -> Iterator[str]:
    """Yield why a file is never read, or which placeholders in it do not exist."""
    parts = FILE_NAME_RE.fullmatch(path.name)
    kind = registry.mail_kinds.get(parts["kind"]) if parts else None
    if not parts or not kind:
        kinds = ", ".join(registry.mail_kinds)
        yield f"{path.name}: is not named <kind>.<language>.txt or .html; kinds are {kinds}"
        return
    if parts["language"] not in {None, *dict(settings.LANGUAGES)}:
        yield f"{path.name}: “{parts['language']}” is not a language of the panel"
        return
    content = read_file(path)
    texts = parse_text_file(path.name, content) if parts["format"] == "txt" else (content,)
    for unknown in kind.find_unknown_placeholders("\n".join(texts)):
        known = ", ".join(f"%({name})s" for name in kind.known_placeholders)
        yield f"{path.name}: unknown placeholder {unknown}; known are {known}"
