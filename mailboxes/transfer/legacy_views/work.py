"""Views made and removed: all of a system's, or none."""

from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection
from django.utils.translation import gettext as _

from domains.models import Domain, DomainState
from domains.services.locks import build_domain_states
from mailadmin.db.bulk import chunks
from mailboxes.mailserver.generator.accounts import quote_identifier
from mailboxes.transfer.legacy_views.views import LEGACY_SYSTEMS, find_marker, has_marker

CREATED, CHANGED, UNCHANGED, REMOVED, ABSENT = "made", "changed", "same", "removed", "absent"


SYSTEM_DATABASES = {"information_schema", "mysql", "performance_schema", "sys"}


def create_views(system, database=""):
    """View → what became of it; where one of them cannot be made, none is."""
    place = TargetDatabase(system, database)
    outcome = {view.name: place.verb(view) for view in place.views}
    done = []
    try:
        for view in place.views:
            if outcome[view.name] != UNCHANGED:
                execute_sql(place.create_statement(view))
                done.append(view)
    except DatabaseError as error:
        for made in done:
            execute_sql(place.rollback_statement(made))
        text = _("The view %(name)s cannot be made: %(error)s. Nothing has been changed.")
        raise ValidationError(text % {"name": place.told(view.name), "error": error}) from error
    create_missing_states()
    return outcome


def drop_views(system, database=""):
    """View → whether it was there."""
    place = TargetDatabase(system, database)
    outcome = {view.name: REMOVED if view.name in place.present else ABSENT for view in place.views}
    if place.present:
        execute_sql(f"DROP VIEW {', '.join(map(place.named, place.present))}")
    return outcome


class ExistingTable(NamedTuple):
    """What bears one of the names already."""

    kind: str  # VIEW, BASE TABLE …
    definition: str | None
    security: str | None


class TargetDatabase:
    """The database that a system's views are for; a name that somebody else has stops it all."""

    def __init__(self, system, database=""):
        self.views = LEGACY_SYSTEMS[system]
        self.database = database or str(connection.settings_dict["NAME"])
        if connection.vendor != "mysql":
            raise ValidationError(_("Views for older map files are for MySQL and MariaDB alone."))
        DomainState.objects.values_list("at_domain").first()  # fails if nobody has migrated
        self._check_database_exists()
        self.present = self._find_existing()
        self._check_names_free()

    def _check_database_exists(self):
        if self.database.lower() in SYSTEM_DATABASES:
            text = _("%(name)s is a database of the server itself: choose another one.")
            raise ValidationError(text % {"name": self.database})
        if (self.database,) not in fetch_all("SELECT schema_name FROM information_schema.schemata"):
            text = _("There is no database %(name)s, or this account may not see it.")
            raise ValidationError(text % {"name": self.database})

    def _find_existing(self):
        rows = fetch_all(
            "SELECT t.table_name, t.table_type, v.view_definition, v.security_type"
            " FROM information_schema.tables AS t LEFT JOIN information_schema.views AS v"
            " ON v.table_schema = t.table_schema AND v.table_name = t.table_name"
            " WHERE t.table_schema = %s",
            [self.database],
        )
        names = {view.name for view in self.views}
        return {name: ExistingTable(*rest) for name, *rest in rows if name in names}

    def _check_names_free(self):
        taken = [name for name, found in self.present.items() if not has_marker(found.definition)]
        if taken:
            text = _("There already, and not made by this command: %(names)s. Nothing is changed.")
            raise ValidationError(text % {"names": ", ".join(map(self.told, sorted(taken)))})

    def verb(self, view):
        if not (found := self.present.get(view.name)):
            return CREATED
        is_same = find_marker(view.sql()) in found.definition and found.security == "DEFINER"
        return UNCHANGED if is_same else CHANGED

    # Statements

    def create_statement(self, view):
        """A view that is not there is never written over what may have come meanwhile."""
        replacing = " OR REPLACE" if view.name in self.present else ""
        return (
            f"CREATE{replacing} SQL SECURITY DEFINER VIEW {self.named(view.name)} AS {view.sql()}"
        )

    def rollback_statement(self, view):
        name = self.named(view.name)
        if not (found := self.present.get(view.name)):
            return f"DROP VIEW {name}"
        return f"CREATE OR REPLACE SQL SECURITY {found.security} VIEW {name} AS {found.definition}"

    def named(self, name):
        return f"{quote_identifier(self.database)}.{quote_identifier(name)}"

    def told(self, name):
        return f"{self.database}.{name}"


def fetch_all(sql, parameters=()):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def execute_sql(sql):
    """A statement as it is: a `%` in it stands for itself."""
    with connection.cursor() as cursor:
        cursor.execute(sql, None)


def create_missing_states():
    """An alias domain is found by the state of its domain, which other programs do not make."""
    known = set(DomainState.objects.values_list("domain_id", flat=True))
    missing = [name for name in Domain.objects.values_list("pk", flat=True) if name not in known]
    for part in chunks(missing):
        DomainState.objects.bulk_create(build_domain_states(part), ignore_conflicts=True)
