"""Store the password of a login in the configured scheme."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest

from mailadmin import passwords
from mailadmin.changes.perform import Actor, Changes, perform


def rehash_password(request: HttpRequest, person, typed: str) -> None:
    """Where the operator asked for it, store the typed password in the configured scheme.

    Right after the password was found right: a one-time code may be asked for on another page,
    and nothing keeps the password until then.
    """
    if not (settings.MAILADMIN_PASSWORD_REHASH and passwords.needs_rehash(person.password)):
        return
    try:
        stored = passwords.make_hash(typed, person.username)
    except ValidationError:
        return  # the configured scheme cannot take this password: the old hash goes on
    actor = Actor(person, person.username, request.client_address)
    perform(actor, set_password_hash, type(person), person.pk, stored)
    person.refresh_from_db()


def set_password_hash(changes: Changes, model: type[models.Model], key, stored) -> None:
    changes.update(changes.find(model, [key]), password=stored)
