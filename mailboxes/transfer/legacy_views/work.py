"""Creating and removing the views of a system: all of them or none."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection
from django.utils.translation import gettext as _

from domains.models import Domain, DomainState
from domains.services.locks import build_domain_states
from mailadmin.db.bulk import chunks
from mailboxes.mailserver.generator.accounts import quote_identifier
from mailboxes.transfer.legacy_views.systems import LEGACY_SYSTEMS
from mailboxes.transfer.legacy_views.views import LegacyView, find_marker, has_marker

CREATED, CHANGED, UNCHANGED, REMOVED, ABSENT = "made", "changed", "same", "removed", "absent"


SYSTEM_DATABASES = {"information_schema", "mysql", "performance_schema", "sys"}


def create_views(system: str, database: str | None = None) -> dict[str, str]:
    """Create or replace the views, all or none, and return what was done for each."""
    target = TargetDatabase(system, database)
    outcome = {view.name: target.planned_outcome(view) for view in target.views}
    done = []
    try:
        for view in target.views:
            if outcome[view.name] != UNCHANGED:
                execute_sql(target.create_statement(view))
                done.append(view)
    except DatabaseError as error:
        for made in done:
            execute_sql(target.rollback_statement(made))
        text = _("Cannot create the view %(name)s: %(error)s. Nothing was changed.")
        raise ValidationError(
            text % {"name": target.display_name(view.name), "error": error}
        ) from error
    create_missing_states()
    return outcome


def drop_views(system: str, database: str | None = None) -> dict[str, str]:
    """Drop the views, and tell for each whether it existed."""
    target = TargetDatabase(system, database)
    outcome = {
        view.name: REMOVED if view.name in target.existing else ABSENT for view in target.views
    }
    if target.existing:
        execute_sql(f"DROP VIEW {', '.join(map(target.qualified_name, target.existing))}")
    return outcome


class ExistingTable(NamedTuple):
    """A table or view that has one of the names already."""

    kind: str  # VIEW, BASE TABLE …
    definition: str | None
    security: str | None


class TargetDatabase:
    """The database for a system's views; raises ValidationError if one of the names is taken."""

    def __init__(self, system: str, database: str | None = None) -> None:
        self.views = LEGACY_SYSTEMS[system].views
        self.database = database or str(connection.settings_dict["NAME"])
        if connection.vendor != "mysql":
            raise ValidationError(
                _("Compatibility views are available for MySQL and MariaDB only.")
            )
        DomainState.objects.values_list("at_domain").first()  # fails if migrations are missing
        self._check_database_exists()
        self.existing = self._find_existing()
        self._check_names_free()

    def _check_database_exists(self) -> None:
        if self.database.lower() in SYSTEM_DATABASES:
            text = _("%(name)s is a system database. Choose another one.")
            raise ValidationError(text % {"name": self.database})
        if (self.database,) not in fetch_all("SELECT schema_name FROM information_schema.schemata"):
            text = _("The database %(name)s does not exist, or this account cannot access it.")
            raise ValidationError(text % {"name": self.database})

    def _find_existing(self) -> dict[str, ExistingTable]:
        rows = fetch_all(
            "SELECT t.table_name, t.table_type, v.view_definition, v.security_type"
            " FROM information_schema.tables AS t LEFT JOIN information_schema.views AS v"
            " ON v.table_schema = t.table_schema AND v.table_name = t.table_name"
            " WHERE t.table_schema = %s",
            [self.database],
        )
        names = {view.name for view in self.views}
        return {name: ExistingTable(*rest) for name, *rest in rows if name in names}

    def _check_names_free(self) -> None:
        foreign = [
            name for name, found in self.existing.items() if not has_marker(found.definition)
        ]
        if foreign:
            text = _(
                "Already exists and was not created by this command: %(names)s. Nothing"
                " was changed."
            )
            raise ValidationError(
                text % {"names": ", ".join(map(self.display_name, sorted(foreign)))}
            )

    def planned_outcome(self, view: LegacyView) -> str:
        if not (existing := self.existing.get(view.name)):
            return CREATED
        is_same = (
            find_marker(view.build_sql()) in (existing.definition or "")
            and existing.security == "DEFINER"
        )
        return UNCHANGED if is_same else CHANGED

    # Statements

    def create_statement(self, view: LegacyView) -> str:
        """Return a CREATE that replaces a view known to exist, but nothing created meanwhile."""
        create = "CREATE OR REPLACE" if view.name in self.existing else "CREATE"
        name = self.qualified_name(view.name)
        return f"{create} SQL SECURITY DEFINER VIEW {name} AS {view.build_sql()}"

    def rollback_statement(self, view: LegacyView) -> str:
        name = self.qualified_name(view.name)
        if not (existing := self.existing.get(view.name)):
            return f"DROP VIEW {name}"
        security, definition = existing.security, existing.definition
        return f"CREATE OR REPLACE SQL SECURITY {security} VIEW {name} AS {definition}"

    def qualified_name(self, name: str) -> str:
        return f"{quote_identifier(self.database)}.{quote_identifier(name)}"

    def display_name(self, name: str) -> str:
        return f"{self.database}.{name}"


def fetch_all(sql: str, parameters: Sequence[Any] = ()) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def execute_sql(sql: str) -> None:
    """Run a statement without parameters: a `%` in it stands for itself."""
    with connection.cursor() as cursor:
        cursor.execute(sql, None)


def create_missing_states() -> None:
    """Create missing domain states, by which alias domains are found; other programs do not."""
    existing = set(DomainState.objects.values_list("domain_id", flat=True))
    missing = [name for name in Domain.objects.values_list("pk", flat=True) if name not in existing]
    for batch in chunks(missing):
        DomainState.objects.bulk_create(build_domain_states(batch), ignore_conflicts=True)
