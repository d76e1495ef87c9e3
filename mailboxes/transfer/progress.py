"""A line on a terminal that says how far it is, and how long it will take."""

import time

BAR_WIDTH = 30
REDRAW_SECONDS = 0.2


class ProgressBar:
    """Drawn on a terminal only; elsewhere it is silent."""

    def __init__(self, stream, title, total=0):
        self.stream, self.title, self.total = stream, title, total
        self.done, self.last_drawn_at = 0, 0.0
        self.started_at = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.last_drawn_at:
            self.draw()
            self.stream.write("\n", str, ending="")

    def advance(self, rows):
        self.done += rows
        if self.stream.isatty() and time.monotonic() - self.last_drawn_at > REDRAW_SECONDS:
            self.draw()

    def draw(self):
        self.last_drawn_at = time.monotonic()
        self.stream.write(f"\r{self.line()}", str, ending="")
        self.stream.flush()

    def line(self):
        if not self.total:
            return f"{self.title}: {self.done}"
        full = min(BAR_WIDTH, BAR_WIDTH * self.done // self.total)
        return (
            f"{self.title} [{'#' * full}{'.' * (BAR_WIDTH - full)}]"
            f" {self.done}/{self.total} {self.left()}"
        )

    def left(self):
        """The time that is left if it goes on as it has."""
        if not self.done:
            return ""
        seconds = (time.monotonic() - self.started_at) * (self.total - self.done) / self.done
        minutes, seconds = divmod(round(max(0, seconds)), 60)
        return f"{minutes}:{seconds:02}  "
