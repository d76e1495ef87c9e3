"""A progress bar on a terminal, with the remaining time."""

import time
from typing import Self

from django.core.management.base import OutputWrapper
from django.utils.functional import Promise

BAR_WIDTH = 30
REDRAW_SECONDS = 0.2


class ProgressBar:
    """Drawn only if the stream is a terminal."""

    def __init__(self, stream: OutputWrapper, title: str | Promise, total: int = 0) -> None:
        self.stream, self.title, self.total = stream, title, total
        self.done, self.last_drawn_at = 0, 0.0
        self.started_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.last_drawn_at:
            self.draw()
            self.stream.write("\n", str, ending="")

    def advance(self, rows: int) -> None:
        self.done += rows
        if self.stream.isatty() and time.monotonic() - self.last_drawn_at > REDRAW_SECONDS:
            self.draw()

    def draw(self) -> None:
        self.last_drawn_at = time.monotonic()
        self.stream.write(f"\r{self.format_line()}", str, ending="")
        self.stream.flush()

    def format_line(self) -> str:
        if not self.total:
            return f"{self.title}: {self.done}"
        full = min(BAR_WIDTH, BAR_WIDTH * self.done // self.total)
        return (
            f"{self.title} [{'#' * full}{'.' * (BAR_WIDTH - full)}]"
            f" {self.done}/{self.total} {self.format_time_left()}"
        )

    def format_time_left(self) -> str:
        """Return the time left at the average speed so far."""
        if not self.done:
            return ""
        seconds = (time.monotonic() - self.started_at) * (self.total - self.done) / self.done
        minutes, seconds = divmod(round(max(0, seconds)), 60)
        return f"{minutes}:{seconds:02}  "
