"""Every address of the panel; with `settings.py` the one module that knows all apps."""

from django.contrib.auth.decorators import login_not_required
from django.urls import path, re_path
from django.views.i18n import set_language

import mailadmin.converters  # noqa: F401 (the patterns here use them)
from domains.services.domains import next_deletion
from domains.views import PickDomain
from mailadmin.accounts.views import Code, Login, Logout
from mailadmin.api.document import Document
from mailadmin.api.idempotency import forget_answers
from mailadmin.api.problems import not_found as no_such_address
from mailadmin.api.resources import JobOfToken, resources_of
from mailadmin.api.views import DeleteToken, Manual, Tokens
from mailadmin.error_pages import bad_request, forbidden, not_found, server_error
from mailadmin.jobs import views as jobs
from mailadmin.jobs.housekeeping import forget
from mailadmin.observability.views import Health, Metrics, Ready
from mailadmin.tables import next_bulk_step, urls_of
from mailboxes.dashboard import search
from mailboxes.dashboard.search import CRUDS
from mailboxes.dashboard.views import Home
from mailboxes.mailserver.views import Explain, ExplainApi, MailServer, Seen
from mailboxes.owner import views as owner_views
from mailboxes.services.tallies import recount
from mailboxes.transfer import views as transfer
from mailboxes.transfer.export.views import Export
from mailboxes.transfer.plan import workflow
from mailboxes.views import Forwarding, Room, VacationPage
from mailboxes.welcome_mail import forget_welcomes, next_welcome

MENU = CRUDS
JOBS = {
    "bulk": next_bulk_step,
    "delete-domains": next_deletion,
    "import": workflow.next_applying,
    "import-return": workflow.next_returning,
    "plan": workflow.next_reading,
    "welcome": next_welcome,
}
HOUSEKEEPING = (forget, forget_answers, forget_welcomes, recount, workflow.forget_plans)

urlpatterns = [
    path("", Home.as_view(), name="home"),
    path("login/", Login.as_view(), name="login"),
    path("login/code/", Code.as_view(), name="code"),
    path("logout/", Logout.as_view(), name="logout"),
    path("healthz", Health.as_view(), name="healthz"),
    path("readyz", Ready.as_view(), name="readyz"),
    path("metrics", Metrics.as_view(), name="metrics"),
    path("language/", login_not_required(set_language), name="set_language"),
    path("search/", search.Search.as_view(), name="search"),
    path("explain/", Explain.as_view(), name="explain"),
    path("api/v1/openapi.json", Document.as_view(), name="api-document"),
    path("api/v1/jobs/<int:pk>", JobOfToken.as_view(), name="api-job"),
    path("api/v1/explain", ExplainApi.as_view(), name="api-explain"),
    path("mailserver/", MailServer.as_view(), name="mailserver"),
    path("export/", Export.as_view(), name="export"),
    path("import/", transfer.Imports.as_view(), name="imports"),
    path("import/<int:pk>/", transfer.PlanPage.as_view(), name="import"),
    path("import/<int:pk>/plan.json", transfer.WholePlan.as_view(), name="import-plan"),
    path("import/<int:pk>/refused/", transfer.Refused.as_view(), name="import-refused"),
    path("import/<str:table>.csv", transfer.Template.as_view(), name="import-template"),
    path("jobs/", jobs.Jobs.as_view(), name="jobs"),
    path("jobs/<int:pk>/", jobs.JobPage.as_view(), name="job"),
    path("account/", owner_views.Account.as_view(), name="account"),
    path("account/password/", owner_views.OwnPassword.as_view(), name="own-password"),
    path("account/forwarding/", owner_views.OwnForwarding.as_view(), name="own-forwarding"),
    path("account/tokens/", Tokens.as_view(), name="tokens"),
    path("account/tokens/<int:pk>/delete/", DeleteToken.as_view(), name="token-delete"),
    path("account/api/", Manual.as_view(), name="api-manual"),
    path("account/vacation/", owner_views.OwnVacation.as_view(), name="own-vacation"),
    path("domains/pick/", PickDomain.as_view(), name="domains-pick"),
    path("mailboxes/room/", Room.as_view(), name="mailboxes-room"),
    path("mailboxes/<key:key>/forwarding/", Forwarding.as_view(), name="mailbox-forwarding"),
    path("mailboxes/<key:key>/vacation/", VacationPage.as_view(), name="mailbox-vacation"),
    path("mailboxes/<key:key>/seen/", Seen.as_view(), name="mailbox-seen"),
    *(url for crud in CRUDS for url in resources_of(crud)),
    re_path("^api/", no_such_address, name="api-nowhere"),
    *(url for crud in CRUDS for url in urls_of(crud)),
    path("domains/<key:key>/", search.DomainPage.as_view(), name="domain"),
]

handler400 = bad_request
handler403 = forbidden
handler404 = not_found
handler500 = server_error
