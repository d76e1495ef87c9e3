"""The URLs of a table, one for each of its screens."""

from django.urls import URLPattern, path

from mailadmin.tables.table import Table
from mailadmin.tables.views.bulk import TableBulkView
from mailadmin.tables.views.edit import (
    TableCreateView,
    TableDeleteView,
    TableEditView,
    TableToggleView,
)
from mailadmin.tables.views.list import TableExportView, TableImportView, TableListView

TABLE_VIEWS = (
    TableListView,
    TableCreateView,
    TableBulkView,
    TableExportView,
    TableImportView,
    TableEditView,
    TableDeleteView,
    TableToggleView,
)


def table_urls(table: Table) -> list[URLPattern]:
    """Return the URLs of a table: one for each screen that its `roles` name."""
    return [
        path(
            f"{table.slug}/{view.route}",
            view.as_view(table=table),
            name=f"{table.slug}-{view.screen}",
        )
        for view in TABLE_VIEWS
        if view.screen in table.roles
    ]
