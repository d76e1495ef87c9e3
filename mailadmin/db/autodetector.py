"""What `makemigrations` and `migrate` take for a change of the models."""

from typing import Any

from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.state import ProjectState

from mailadmin.db.custom_columns import CustomColumnMixin


class OwnColumnAutodetector(MigrationAutodetector):
    """Find changes of the panel's columns: custom ones were created by their operator."""

    def __init__(self, from_state: ProjectState, to_state: ProjectState, *args: Any) -> None:
        for model in to_state.models.values():
            own = model.fields.items()
            model.fields = {n: f for n, f in own if not isinstance(f, CustomColumnMixin)}
        super().__init__(from_state, to_state, *args)
