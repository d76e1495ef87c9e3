"""Errors of services that name the row at fault among many."""

from typing import Any

from django.core.exceptions import ValidationError


class RowError(ValidationError):
    """An error of one of many rows, with its key, so that nobody has to search for it."""

    def __init__(self, message: Any, key: str) -> None:
        super().__init__(message)
        self.key = key
