"""The page of the calls of scripts and webhooks."""

from mailadmin.accounts.models import Role
from mailadmin.hooks.models import HookDelivery
from mailadmin.hooks.services import cancel_deliveries, retry_deliveries
from mailadmin.jobs.queue_views import QueueListView
from mailadmin.translation import gettext_lazy


class DeliveryListView(QueueListView):
    """Scripts that were run and requests that were sent, with what they answered."""

    roles = Role.SUPERADMIN
    model = HookDelivery
    title = gettext_lazy("Scripts and webhooks")
    url_name = "deliveries"
    template_name = "deliveries.html"
    search_fields = ("key", "event", "target")
    services = {"retry": retry_deliveries, "cancel": cancel_deliveries}
    changed_states = (HookDelivery.State.WAITING, HookDelivery.State.FAILED)
