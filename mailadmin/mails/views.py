"""The page of outgoing mails."""

from mailadmin.accounts.models import Role
from mailadmin.jobs.queue_views import QueueListView
from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.services import cancel_mails, retry_mails
from mailadmin.translation import gettext_lazy


class OutgoingMailListView(QueueListView):
    """The mails in scope. Waiting ones can be sent now, or canceled."""

    roles = Role.ADMINS
    model = OutgoingMail
    title = gettext_lazy("Outgoing mail")
    url_name = "mails"
    template_name = "mails.html"
    search_fields = ("recipient",)
    services = {"retry": retry_mails, "cancel": cancel_mails}
