"""A table in one small class: its screens, URLs and menu entry follow from what it declares."""

from django.urls import path

from mailadmin.tables.bulk import Bulk, next_bulk_step
from mailadmin.tables.reading import Export, Import, List, Pick, search
from mailadmin.tables.table import DELETE, PARTS, Action, Column, Crud
from mailadmin.tables.writing import Create, Delete, Edit, Saving, Toggle

__all__ = [
    "DELETE",
    "PARTS",
    "Action",
    "Column",
    "Crud",
    "Pick",
    "Saving",
    "next_bulk_step",
    "search",
    "urls_of",
]

SCREENS = (List, Create, Bulk, Export, Import, Edit, Delete, Toggle)


def urls_of(crud):
    """The addresses of a table: one for each screen that its `roles` name."""
    return [
        path(
            f"{crud.slug}/{kind.route}", kind.of(crud).as_view(), name=f"{crud.slug}-{kind.screen}"
        )
        for kind in SCREENS
        if kind.screen in crud.roles
    ]
