"""The addresses of tables in the API."""

from django.urls import URLPattern, path

from mailadmin.api.resources import RowListResourceView, RowResourceView, TableResourceView
from mailadmin.tables.table import Table


def resource_urls(table: Table) -> list[URLPattern]:
    """Return the addresses of a table, with the methods whose screens its roles name."""
    return [
        resource_url(table, "rows", "", RowListResourceView),
        resource_url(table, "row", "/<key:key>", RowResourceView),
    ]


def resource_url(
    table: Table, name: str, route: str, view_class: type[TableResourceView]
) -> URLPattern:
    """Return one address of a table."""
    methods = [
        method.lower()
        for method, (_verb, screen) in view_class.access_by_method.items()
        if screen in table.api_roles
    ]
    view = view_class.as_view(table=table, http_method_names=[*methods, "head"])
    return path(f"api/v1/{table.slug}{route}", view, name=f"api-{table.slug}-{name}")
