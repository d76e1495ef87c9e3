"""The tables of a backup: their columns as the database has them, and what is a secret in them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import connection, models

from mailadmin.accounts.factors.models import RecoveryCode, UsedChallenge
from mailadmin.accounts.models import (
    LoginFailure,
    PasswordRequest,
    SessionEpoch,
    SignedInSession,
    UsedCode,
)
from mailadmin.accounts.oidc.models import ProviderSession
from mailadmin.api.models import RequestCount, StoredResponse
from mailadmin.changes.models import ChangeSecret
from mailadmin.db.table_names import get_table_name
from mailadmin.jobs.models import WorkerHeartbeat

APPS = ("domains", "mailadmin", "mailboxes")
# Nobody is signed in, nothing is counted, and no worker runs after a restoration.
LEFT_OUT: tuple[type[models.Model], ...] = (
    *(SignedInSession, SessionEpoch, ProviderSession, WorkerHeartbeat),
    *(LoginFailure, UsedChallenge, UsedCode, RequestCount, StoredResponse),
)
# Their rows are of use with their secrets only.
SECRET_MODELS: tuple[type[models.Model], ...] = (ChangeSecret, PasswordRequest, RecoveryCode)


@dataclass(frozen=True)
class BackupTable:
    """A table with its columns; those that an operator has added are among them."""

    name: str
    columns: list[str]
    dates: set[str] = field(default_factory=set)  # columns with dates, which are read as text
    blanks: dict[str, Any] = field(default_factory=dict)  # secret column → what stands for it
    is_secret: bool = False  # left out where secrets are


def iter_tables() -> Iterator[BackupTable]:
    """Yield the tables of all models, in the order of their names."""
    seen = {get_table_name("config")}  # the version of the schema, which stays the database's own
    found = [model for label in APPS for model in apps.get_app_config(label).get_models()]
    for model in sorted(found, key=lambda each: each._meta.label_lower):
        name = model._meta.db_table
        if model._meta.proxy or name in seen or model in LEFT_OUT:
            continue
        seen.add(name)
        yield describe_table(model)


def describe_table(model: type[models.Model]) -> BackupTable:
    """Return a table as the database has it."""
    with connection.cursor() as cursor:
        description = connection.introspection.get_table_description(cursor, model._meta.db_table)
    known = {str(f.column): f for f in model._meta.concrete_fields}
    generated = {name for name, each in known.items() if each.generated}
    columns = [each.name for each in description if each.name not in generated]
    secrets = {name: each for name, each in known.items() if getattr(each, "secret", False)}
    dates = {n for n, each in known.items() if isinstance(each, models.DateField)}
    return BackupTable(
        model._meta.db_table,
        columns,
        dates,
        {name: None if each.null else "" for name, each in secrets.items()},
        model in SECRET_MODELS or any(each.unique for each in secrets.values()),
    )
