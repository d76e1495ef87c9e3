"""Path converters for URLs."""

from django.urls import register_converter
from django.urls.converters import PathConverter


class KeyConverter(PathConverter):
    """The key of a row as it is stored: other programs may have put in slashes and line ends."""

    regex = "(?s:.+)"


register_converter(KeyConverter, "key")
