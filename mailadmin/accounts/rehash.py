"""Store the password of a login in the configured scheme."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from mailadmin import passwords
from mailadmin.accounts.models import Principal
from mailadmin.accounts.password_requests import renew_password_request
from mailadmin.changes.perform import Actor, Changes, perform


def rehash_password(request: HttpRequest, principal: Principal, password: str) -> None:
    """Store the password in the configured scheme, if MAILADMIN_PASSWORD_REHASH says so.

    To be called right after the password was verified: a one-time code may be asked for on another
    page, and nothing keeps the password until then.
    """
    if not (settings.MAILADMIN_PASSWORD_REHASH and passwords.needs_rehash(principal.password)):
        return
    try:
        stored = passwords.make_hash(password, principal.username)
    except ValidationError:
        return  # the configured scheme cannot take this password: keep the old hash
    actor = Actor.of_person(request, principal)
    perform(actor, set_password_hash, type(principal), principal.pk, stored)
    principal.refresh_from_db()


def set_password_hash(changes: Changes, model: type[Principal], key: str, stored: str) -> None:
    person = changes.find_one(model, key)
    renew_password_request(person, stored)
    changes.update([person], password=stored)
