"""Why the panel cannot work now, in words for pages, the API and monitors."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from mailadmin.db.mysql.errors import classify_outage, is_disk_full

RETRY_AFTER = "10"  # seconds


@dataclass(frozen=True)
class Outage:
    """The reason of an outage, and the outcome of the requested change."""

    title: str | Promise
    text: str | Promise

    @property
    def detail(self) -> str:
        return f"{self.title}. {self.text}"


NOTHING_CHANGED_TEXT = _("Nothing was changed. Try again in a moment.")
OUTAGES = {
    "away": Outage(_("The database does not answer"), NOTHING_CHANGED_TEXT),
    "busy": Outage(_("The database is busy"), NOTHING_CHANGED_TEXT),
    "read-only": Outage(_("The database is read-only"), NOTHING_CHANGED_TEXT),
    "full": Outage(_("The disk of the database is full"), NOTHING_CHANGED_TEXT),
    "disk": Outage(_("The disk of the panel is full"), NOTHING_CHANGED_TEXT),
    "unknown": Outage(
        _("The database does not answer"),
        _(
            "The connection was lost while saving, so it is not known whether the change"
            " was made. Check before you try again."
        ),
    ),
}


def get_outage_kind(error: BaseException | None) -> str | None:
    """Return the kind of outage that this error means; None if it means none."""
    return "disk" if is_disk_full(error) else classify_outage(error)
