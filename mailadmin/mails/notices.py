"""Security notices: tell people what happened to their account."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.utils import timezone

from mailadmin import registry
from mailadmin.accounts.models import Principal
from mailadmin.mails.languages import find_languages, get_person_language
from mailadmin.mails.mail_kinds import MailKind
from mailadmin.mails.queue import NewMail, is_possible_recipient, queue_mails
from mailadmin.names import fold, try_normalize_address
from mailadmin.translation import gettext_lazy as _

ACCOUNT = {"account": "the account, an address"}
EVENT = {
    "when": "date and time",
    "address": "IP address of the client",
    "device": "browser and system of the client",
}
FACTOR = {"what": "the second factor, in words"}

FACTOR_ADDED = MailKind(
    "factor_added",
    _("Second factor added"),
    "A second factor was added to an account.",
    _("A second factor was added to %(account)s"),
    _(
        "A second factor for signing in was added to the account %(account)s: %(what)s\n\n"
        "Time: %(when)s\nDevice: %(device)s\nIP address: %(address)s\n\n"
        "If this was not you, change your password, remove the second factor, and inform your"
        " administrator."
    ),
    ACCOUNT | FACTOR | EVENT,
)
FACTOR_REMOVED = MailKind(
    "factor_removed",
    _("Second factor removed"),
    "A second factor was removed from an account by its owner.",
    _("A second factor was removed from %(account)s"),
    _(
        "A second factor for signing in was removed from the account %(account)s: %(what)s\n\n"
        "Time: %(when)s\nDevice: %(device)s\nIP address: %(address)s\n\n"
        "If this was not you, change your password and inform your administrator."
    ),
    ACCOUNT | FACTOR | EVENT,
)
FACTORS_RESET = MailKind(
    "factors_reset",
    _("Second factors reset"),
    "An administrator removed all second factors of an account.",
    _("The second factors of %(account)s were removed"),
    _(
        "An administrator removed all second factors of the account %(account)s. The password is"
        " now enough to sign in.\n\n"
        "Time: %(when)s\n\n"
        "If you did not ask for this, inform your administrator."
    ),
    ACCOUNT | FACTOR | EVENT,
)
RECOVERY_CODE_USED = MailKind(
    "recovery_code_used",
    _("Recovery code used"),
    "Somebody signed in with a recovery code instead of the second factor.",
    _("A recovery code was used to sign in as %(account)s"),
    _(
        "Somebody signed in to the account %(account)s with the password and a recovery code.\n\n"
        "Time: %(when)s\nDevice: %(device)s\nIP address: %(address)s\n\n"
        "If this was not you, change your password, create new recovery codes, and inform your"
        " administrator."
    ),
    ACCOUNT | FACTOR | EVENT,
)
NEW_SIGN_IN = MailKind(
    "new_sign_in",
    _("New sign-in"),
    "Somebody signed in from a network that the account was not used from before.",
    _("New sign-in to %(account)s"),
    _(
        "Somebody signed in to the account %(account)s from a new location.\n\n"
        "Time: %(when)s\nDevice: %(device)s\nIP address: %(address)s\n\n"
        "If this was not you, change your password and inform your administrator."
    ),
    ACCOUNT | FACTOR | EVENT,
)
EXCEPTION_ADDED = MailKind(
    "exception_added",
    _("Exception added"),
    "A mailbox owner made an exception: an IP address that needs no second factor.",
    _("An exception for signing in was added to %(account)s"),
    _(
        "At the IP address %(what)s, only the password is now needed to sign in to the account"
        " %(account)s.\n\n"
        "Time: %(when)s\nDevice: %(device)s\nIP address: %(address)s\n\n"
        "If this was not you, change your password, remove the exception, and inform your"
        " administrator."
    ),
    ACCOUNT | {"what": "the IP address of the exception"} | EVENT,
)
NOTICE_KINDS = (
    *(FACTOR_ADDED, FACTOR_REMOVED, FACTORS_RESET, RECOVERY_CODE_USED, NEW_SIGN_IN),
    EXCEPTION_ADDED,
)


def notify_person(person: Principal, kind: str, values: Mapping[str, Any]) -> None:
    """Queue a security notice to a person, within the current transaction.

    It is sent to the account's own address, and to the other one that its owner has given. Values
    that are not given are shown as a dash, the time as now.
    """
    addresses = find_notice_addresses(person)
    queue_mails(kind, [build_notice(person, kind, values, address) for address in addresses])


def build_notice(
    person: Principal, kind: str, values: Mapping[str, Any], recipient: str
) -> NewMail:
    """Return a mail about a person's account, in their language."""
    given = {"account": person.pk, "when": timezone.now()} | dict(values)
    declared = registry.mail_kinds[kind]
    filled = {name: given.get(name) or "–" for name in declared.placeholders}
    language, domain = get_person_language(person), getattr(person, "domain_id", None)
    return NewMail(recipient, filled, language, domain, get_notice_sender(person))


def queue_notices(kind: str, values_by_person: Iterable[tuple[Principal, dict[str, Any]]]) -> None:
    """Queue a mail of one kind to many people, each in the language of its reader."""
    pairs = list(values_by_person)
    languages = find_languages([person.account_key for person, _values in pairs])
    mails = [
        NewMail(
            address,
            {"account": person.pk} | values,
            languages.get(person.account_key, ""),
            getattr(person, "domain_id", None),
            get_notice_sender(person),
        )
        for person, values in pairs
        for address in find_notice_addresses(person)
    ]
    queue_mails(kind, mails)


def get_notice_sender(person: Principal) -> str:
    """Return a sender in the account's own domain: the recipient's may be that of a provider."""
    return settings.MAILADMIN_ADMIN_EMAIL or f"postmaster@{person.pk.rpartition('@')[2]}"


def find_notice_addresses(person: Principal) -> list[str]:
    """Return the addresses of a person: the account, and the other one if it is an address."""
    addresses = {
        fold(address): address
        for address in map(try_normalize_address, (person.pk, person.email_other or ""))
        if is_possible_recipient(address)
    }
    return list(addresses.values())
