"""In which language somebody reads the panel's mails."""

from collections.abc import Iterable

from django.conf import settings
from django.utils import timezone
from django.utils.translation import get_supported_language_variant

from mailadmin.accounts.backends import PRINCIPAL_BACKENDS
from mailadmin.accounts.models import Principal
from mailadmin.db.bulk import chunks
from mailadmin.mails.models import ReaderLanguage
from mailadmin.names import hash_account


def remember_language(person: Principal, language: str | None) -> None:
    """Store the language in which a person uses the panel now, if it is not stored already."""
    account, known = person.account_key, get_known_language(language)
    if person.reader_language == known:
        return
    values = {"language": known, "used": timezone.now()}
    if not ReaderLanguage.objects.filter(pk=account).update(**values):
        row = ReaderLanguage(account=account, **values)
        # Of two sign-ins at the same time the first is as good as the second.
        ReaderLanguage.objects.bulk_create([row], ignore_conflicts=True)


def get_known_language(language: str | None) -> str:
    """Return the language of the panel that is meant, or its default language."""
    try:
        return get_supported_language_variant(language or "")
    except LookupError:
        return settings.LANGUAGE_CODE


def get_person_language(person: Principal) -> str:
    """Return the language in which a person used the panel last, or its default language."""
    return find_languages([person.account_key]).get(person.account_key, settings.LANGUAGE_CODE)


def find_recipient_languages(recipients: Iterable[str]) -> dict[str, str]:
    """Return recipient → language, for those who have an account and have used the panel.

    An admin and the owner of a mailbox may have the same address: the admin's language wins.
    """
    accounts = {
        hash_account(backend.model_name, recipient): recipient
        for backend in reversed(PRINCIPAL_BACKENDS)
        for recipient in recipients
    }
    found = find_languages(accounts)
    return {name: found[account] for account, name in accounts.items() if account in found}


def find_languages(accounts: Iterable[str]) -> dict[str, str]:
    """Return account → language."""
    rows: dict[str, str] = {}
    for part in chunks(accounts):
        stored = ReaderLanguage.objects.filter(pk__in=part)
        rows |= dict(stored.values_list("pk", "language"))
    return rows
