"""The actions on selected mailboxes."""

from mailadmin.tables.actions import Action
from mailadmin.translation import gettext_lazy
from mailboxes.services.vacations import set_vacations_of_mailboxes
from mailboxes.vacations.forms import BulkReplyForm

ALLOW_SENDING = Action(
    "allow_sending",
    gettext_lazy("Allow sending"),
    gettext_lazy("Allow sending for %(rows)s"),
    gettext_lazy("%(row)s may send mail."),
    gettext_lazy("Sending allowed for %(rows)s."),
    "smtp_active",
    True,
    "send-check",
)
BLOCK_SENDING = Action(
    "block_sending",
    gettext_lazy("Block sending"),
    gettext_lazy("Block sending for %(rows)s"),
    gettext_lazy("%(row)s can no longer send mail."),
    gettext_lazy("Sending blocked for %(rows)s."),
    "smtp_active",
    False,
    "send-slash",
)
SET_VACATION = Action(
    "set_vacation",
    gettext_lazy("Set a vacation reply"),
    gettext_lazy("Set a vacation reply for %(rows)s"),
    gettext_lazy("Set a vacation reply for %(row)s."),
    gettext_lazy("Vacation reply set for %(rows)s."),
    icon="umbrella",
    service=set_vacations_of_mailboxes,
    explanation=gettext_lazy("Existing vacation replies of these mailboxes are replaced."),
    form_class=BulkReplyForm,
)
