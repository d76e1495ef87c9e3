"""Responses that are files, made while they are sent."""

from collections.abc import Iterable

from django.http import StreamingHttpResponse


def file_response(
    pieces: Iterable[str | bytes], filename: str, content_type: str
) -> StreamingHttpResponse:
    """Return a download of these pieces."""
    response = StreamingHttpResponse(pieces, content_type=f"{content_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{sanitize_filename(filename)}"'
    return response


def sanitize_filename(filename: str) -> str:
    """Replace what may not stand in a header; the result is ASCII."""
    letters = (letter if letter.isalnum() or letter in "-_. " else "_" for letter in filename)
    return "".join(letters).encode("ascii", "replace").decode().replace("?", "_")
