"""Every URL of the panel."""

from django.contrib.auth.decorators import login_not_required
from django.urls import path, re_path

import mailadmin.converters  # noqa: F401 (the patterns here use them)
from domains.views import AdminDetailView, AdminReadyView, DomainAdminsView, DomainPickerView
from mailadmin import registry
from mailadmin.accounts.factors.login_views import (
    LoginCodePasskeyView,
    LoginCodeView,
    LoginPasskeyView,
)
from mailadmin.accounts.factors.reset_views import FactorResetView
from mailadmin.accounts.factors.views import (
    FactorListView,
    PasskeyAddView,
    PasskeyRemoveView,
    RecoveryCodesView,
    TotpRemoveView,
    TotpSetupView,
)
from mailadmin.accounts.oidc.views import (
    BackChannelLogoutView,
    ProviderCallbackView,
    ProviderConfirmView,
    ProviderLoginView,
)
from mailadmin.accounts.password_request_views import PasswordRequestView
from mailadmin.accounts.password_views import PasswordCheckView
from mailadmin.accounts.proof_views import ConfirmPasskeyView, ConfirmView
from mailadmin.accounts.recovery.invitation_views import InvitationView
from mailadmin.accounts.recovery.views import (
    RecoveryAddressView,
    RecoveryLinkView,
    RecoveryRequestedView,
    RecoveryRequestView,
)
from mailadmin.accounts.session_views import (
    OtherSessionsEndView,
    SessionEndView,
    SessionListView,
)
from mailadmin.accounts.view_as import ViewAsStopView, ViewAsView
from mailadmin.accounts.views import LoginView, LogoutView
from mailadmin.api.document import OpenApiDocumentView
from mailadmin.api.jobs import TokenJobView
from mailadmin.api.urls import resource_urls
from mailadmin.api.views import ApiReferenceView, TokenDeleteView, TokenListView, api_not_found
from mailadmin.backup.views import BackupView
from mailadmin.design import DesignView
from mailadmin.error_pages import bad_request, forbidden, not_found, server_error
from mailadmin.hooks.views import DeliveryListView
from mailadmin.jobs import views as jobs
from mailadmin.mails.language_views import switch_language
from mailadmin.mails.views import OutgoingMailListView
from mailadmin.observability.views import HealthView, MetricsView, ReadinessView
from mailadmin.routes import path_in_any_case
from mailadmin.tables.urls import table_urls
from mailadmin.tables.views.saved_filters import SavedFilterCreateView, SavedFilterDeleteView
from mailboxes.app_passwords.views import (
    AppPasswordEditView,
    AppPasswordListView,
    AppPasswordRevokeView,
    AppPasswordView,
    MainPasswordView,
    OwnAppPasswordEditView,
    OwnAppPasswordListView,
    OwnAppPasswordRevokeView,
)
from mailboxes.broadcasts.views import (
    BroadcastCreateView,
    BroadcastDetailView,
    BroadcastListView,
)
from mailboxes.client_setup.domain_views import DomainRecordsView
from mailboxes.client_setup.views import (
    AutoconfigView,
    AutodiscoverJsonView,
    AutodiscoverView,
    MobileconfigView,
)
from mailboxes.dashboard import search
from mailboxes.dashboard.views import DashboardView
from mailboxes.detail import (
    AddressReferencesView,
    AddressRouteView,
    AddressSendersView,
    AliasDetailView,
    MailboxDetailView,
    MailboxReadyView,
)
from mailboxes.devices.link_views import (
    DeviceLinkListView,
    DeviceLinkRevokeView,
    OwnDeviceLinkListView,
    OwnDeviceLinkRevokeView,
)
from mailboxes.devices.views import (
    DeviceLinkView,
    DeviceProfileView,
    LinkedDeviceView,
    OwnDeviceView,
)
from mailboxes.domain_detail import DomainDetailView
from mailboxes.integrity.views import IntegrityCheckView, IntegrityView
from mailboxes.mailserver.views import (
    ExplainApiView,
    ExplainView,
    MailboxProbeView,
    MailServerConfigView,
)
from mailboxes.owner import views as owner_views
from mailboxes.owner.password_api import PasswordApiView
from mailboxes.owner.recovery import RecoveryView
from mailboxes.owner.totp_exceptions import OwnExceptionRemoveView, OwnExceptionsView
from mailboxes.password_report import PasswordReportView
from mailboxes.second_factors import RoleLevelsView, SecondFactorsView
from mailboxes.transfer import views as transfer
from mailboxes.transfer.export.views import ExportView
from mailboxes.views import (
    AliasLimitView,
    ForwardingView,
    MailboxPickerView,
    QuotaHintView,
    VacationView,
)
from mailboxes.xmlrpc.views import XmlRpcView

urlpatterns = [
    path("", DashboardView.as_view(), name="home"),
    path("login/", LoginView.as_view(), name="login"),
    path("login/passkey/", LoginPasskeyView.as_view(), name="login-passkey"),
    path("login/code/", LoginCodeView.as_view(), name="code"),
    path("login/oidc/", ProviderLoginView.as_view(), name="oidc"),
    path("login/oidc/callback/", ProviderCallbackView.as_view(), name="oidc-callback"),
    path("login/oidc/logout/", BackChannelLogoutView.as_view(), name="oidc-logout"),
    path("login/code/passkey/", LoginCodePasskeyView.as_view(), name="code-passkey"),
    path("login/forgot/", RecoveryRequestView.as_view(), name="forgot"),
    path("login/forgot/sent/", RecoveryRequestedView.as_view(), name="recovery-requested"),
    path("login/recover/", RecoveryView.as_view(), name="recover"),
    path("login/recover/<str:code>/", RecoveryLinkView.as_view(), name="recover-link"),
    path("login/device/", LinkedDeviceView.as_view(), name="device"),
    path("login/device/profile/", DeviceProfileView.as_view(), name="device-profile"),
    path("login/device/<str:code>/", DeviceLinkView.as_view(), name="device-link"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("healthz", HealthView.as_view(), name="healthz"),
    path("readyz", ReadinessView.as_view(), name="readyz"),
    path("metrics", MetricsView.as_view(), name="metrics"),
    path(
        ".well-known/autoconfig/mail/config-v1.1.xml",
        AutoconfigView.as_view(),
        name="autoconfig-of-domain",
    ),
    path("mail/config-v1.1.xml", AutoconfigView.as_view(), name="autoconfig"),
    path("mail/profile.mobileconfig", MobileconfigView.as_view(), name="mobileconfig"),
    path_in_any_case(
        "autodiscover/autodiscover.xml", AutodiscoverView.as_view(), name="autodiscover"
    ),
    path_in_any_case(
        "autodiscover/autodiscover.json",
        AutodiscoverJsonView.as_view(),
        name="autodiscover-json",
    ),
    path_in_any_case(
        "autodiscover/autodiscover.json/v1.0/<str:address>",
        AutodiscoverJsonView.as_view(),
        name="autodiscover-json-address",
    ),
    path("webmail/password/", PasswordApiView.as_view(), name="password-api"),
    path("xmlrpc.php", XmlRpcView.as_view(), name="xmlrpc"),
    path("language/", login_not_required(switch_language), name="set_language"),
    path("view-as/", ViewAsView.as_view(), name="view-as"),
    path("view-as/stop/", ViewAsStopView.as_view(), name="view-as-stop"),
    path("design/", DesignView.as_view(), name="design"),
    path("filters/", SavedFilterCreateView.as_view(), name="saved-filters"),
    path("filters/<int:pk>/delete/", SavedFilterDeleteView.as_view(), name="saved-filter-delete"),
    path("second-factors/", SecondFactorsView.as_view(), name="second-factors"),
    path("second-factors/levels/", RoleLevelsView.as_view(), name="second-factor-levels"),
    path("passwords/", PasswordReportView.as_view(), name="passwords"),
    path("integrity/", IntegrityView.as_view(), name="integrity"),
    path("integrity/<str:name>/", IntegrityCheckView.as_view(), name="integrity-check"),
    path("search/", search.SearchView.as_view(), name="search"),
    path("explain/", ExplainView.as_view(), name="explain"),
    path("api/v1/openapi.json", OpenApiDocumentView.as_view(), name="api-document"),
    path("api/v1/jobs/<int:pk>", TokenJobView.as_view(), name="api-job"),
    path("api/v1/explain", ExplainApiView.as_view(), name="api-explain"),
    path("mailserver/", MailServerConfigView.as_view(), name="mailserver"),
    path("export/", ExportView.as_view(), name="export"),
    path("import/", transfer.ImportListView.as_view(), name="imports"),
    path("import/<int:pk>/", transfer.PlanDetailView.as_view(), name="import"),
    path("import/<int:pk>/plan.json", transfer.PlanJSONView.as_view(), name="import-plan"),
    path("import/<int:pk>/refused/", transfer.RefusedRowsView.as_view(), name="import-refused"),
    path("import/<str:table>.csv", transfer.ImportTemplateView.as_view(), name="import-template"),
    path("jobs/", jobs.JobListView.as_view(), name="jobs"),
    path("jobs/<int:pk>/", jobs.JobDetailView.as_view(), name="job"),
    path("mails/", OutgoingMailListView.as_view(), name="mails"),
    path("broadcasts/", BroadcastListView.as_view(), name="broadcasts"),
    path("broadcasts/create/", BroadcastCreateView.as_view(), name="broadcast-create"),
    path("broadcasts/<int:pk>/", BroadcastDetailView.as_view(), name="broadcast"),
    path("backup/", BackupView.as_view(), name="backup"),
    path("deliveries/", DeliveryListView.as_view(), name="deliveries"),
    path("account/", owner_views.AccountView.as_view(), name="account"),
    path("account/password/check/", PasswordCheckView.as_view(), name="password-check"),
    path("account/password/", owner_views.OwnPasswordView.as_view(), name="own-password"),
    path("account/forwarding/", owner_views.OwnForwardingView.as_view(), name="own-forwarding"),
    path("account/app-passwords/", OwnAppPasswordListView.as_view(), name="own-app-passwords"),
    path(
        "account/app-passwords/revoke/",
        OwnAppPasswordRevokeView.as_view(),
        name="own-app-passwords-revoke",
    ),
    path(
        "account/app-passwords/<int:pk>/",
        OwnAppPasswordEditView.as_view(),
        name="own-app-password",
    ),
    path(
        "account/app-passwords/<int:pk>/revoke/",
        OwnAppPasswordRevokeView.as_view(),
        name="own-app-password-revoke",
    ),
    path("account/device/", OwnDeviceView.as_view(), name="own-device"),
    path("account/device/links/", OwnDeviceLinkListView.as_view(), name="own-device-links"),
    path(
        "account/device/links/<int:pk>/revoke/",
        OwnDeviceLinkRevokeView.as_view(),
        name="own-device-link-revoke",
    ),
    path("account/recovery-address/", RecoveryAddressView.as_view(), name="recovery-address"),
    path("account/confirm/", ConfirmView.as_view(), name="confirm"),
    path("account/confirm/passkey/", ConfirmPasskeyView.as_view(), name="confirm-passkey"),
    path("account/confirm/provider/", ProviderConfirmView.as_view(), name="confirm-provider"),
    path("account/factors/", FactorListView.as_view(), name="factors"),
    path("account/factors/exceptions/", OwnExceptionsView.as_view(), name="own-exceptions"),
    path(
        "account/factors/exceptions/<int:pk>/remove/",
        OwnExceptionRemoveView.as_view(),
        name="own-exception-remove",
    ),
    path("account/factors/totp/", TotpSetupView.as_view(), name="totp"),
    path("account/factors/totp/remove/", TotpRemoveView.as_view(), name="totp-remove"),
    path("account/factors/passkeys/add/", PasskeyAddView.as_view(), name="passkey-add"),
    path(
        "account/factors/passkeys/<int:pk>/remove/",
        PasskeyRemoveView.as_view(),
        name="passkey-remove",
    ),
    path("account/factors/codes/", RecoveryCodesView.as_view(), name="recovery-codes"),
    path("account/sessions/", SessionListView.as_view(), name="sessions"),
    path("account/sessions/end/", OtherSessionsEndView.as_view(), name="sessions-end"),
    path("account/sessions/<int:pk>/end/", SessionEndView.as_view(), name="session-end"),
    path("account/tokens/", TokenListView.as_view(), name="tokens"),
    path("account/tokens/<int:pk>/delete/", TokenDeleteView.as_view(), name="token-delete"),
    path("account/api/", ApiReferenceView.as_view(), name="api-reference"),
    path("account/vacation/", owner_views.OwnVacationView.as_view(), name="own-vacation"),
    path("domains/pick/", DomainPickerView.as_view(), name="domains-pick"),
    path("mailboxes/pick/", MailboxPickerView.as_view(), name="mailboxes-pick"),
    path("mailboxes/room/", QuotaHintView.as_view(), name="quota-hint"),
    path("aliases/room/", AliasLimitView.as_view(), name="alias-limit"),
    path("mailboxes/<key:key>/forwarding/", ForwardingView.as_view(), name="mailbox-forwarding"),
    path(
        "mailboxes/<key:key>/app-passwords/",
        AppPasswordListView.as_view(),
        name="mailbox-app-passwords",
    ),
    path(
        "mailboxes/<key:key>/app-passwords/main-password/",
        MainPasswordView.as_view(),
        name="mailbox-main-password",
    ),
    path(
        "mailboxes/<key:key>/app-passwords/revoke/",
        AppPasswordRevokeView.as_view(),
        name="mailbox-app-passwords-revoke",
    ),
    path(
        "mailboxes/<key:key>/app-passwords/<int:pk>/",
        AppPasswordEditView.as_view(),
        name="mailbox-app-password",
    ),
    path(
        "mailboxes/<key:key>/app-passwords/<int:pk>/revoke/",
        AppPasswordRevokeView.as_view(),
        name="mailbox-app-password-revoke",
    ),
    path(
        "mailboxes/<key:key>/device-links/",
        DeviceLinkListView.as_view(),
        name="mailbox-device-links",
    ),
    path(
        "mailboxes/<key:key>/device-links/<int:pk>/revoke/",
        DeviceLinkRevokeView.as_view(),
        name="mailbox-device-link-revoke",
    ),
    path("mailboxes/<key:key>/vacation/", VacationView.as_view(), name="mailbox-vacation"),
    path(
        "mailboxes/<key:key>/factors/reset/",
        FactorResetView.as_view(table=registry.tables["mailboxes"]),
        name="mailbox-factors-reset",
    ),
    path(
        "mailboxes/<key:key>/invitation/",
        InvitationView.as_view(table=registry.tables["mailboxes"]),
        name="mailbox-invitation",
    ),
    path(
        "mailboxes/<key:key>/password-request/",
        PasswordRequestView.as_view(table=registry.tables["mailboxes"]),
        name="mailbox-password-request",
    ),
    path("mailboxes/<key:key>/ready/", MailboxReadyView.as_view(), name="mailbox-ready"),
    path(
        "addresses/<key:key>/references/",
        AddressReferencesView.as_view(),
        name="address-references",
    ),
    path("addresses/<key:key>/senders/", AddressSendersView.as_view(), name="address-senders"),
    path("addresses/<key:key>/route/", AddressRouteView.as_view(), name="address-route"),
    path("mailboxes/<key:key>/seen/", MailboxProbeView.as_view(), name="mailbox-seen"),
    *(url for table in registry.menu() for url in resource_urls(table)),
    re_path("^api/", api_not_found, name="api-not-found"),
    *(url for table in registry.menu() for url in table_urls(table)),
    path(
        "app-passwords/<key:key>/",
        AppPasswordView.as_view(table=registry.tables["app-passwords"]),
        name="app-password",
    ),
    path("domains/<key:key>/admins/", DomainAdminsView.as_view(), name="domain-admins"),
    path("domains/<key:key>/dns/", DomainRecordsView.as_view(), name="domain-dns"),
    path("domains/<key:key>/", DomainDetailView.as_view(), name="domain"),
    path("mailboxes/<key:key>/", MailboxDetailView.as_view(), name="mailbox"),
    path("aliases/<key:key>/", AliasDetailView.as_view(), name="alias"),
    path(
        "admins/<key:key>/factors/reset/",
        FactorResetView.as_view(table=registry.tables["admins"]),
        name="admin-factors-reset",
    ),
    path(
        "admins/<key:key>/invitation/",
        InvitationView.as_view(table=registry.tables["admins"]),
        name="admin-invitation",
    ),
    path(
        "admins/<key:key>/password-request/",
        PasswordRequestView.as_view(table=registry.tables["admins"]),
        name="admin-password-request",
    ),
    path("admins/<key:key>/ready/", AdminReadyView.as_view(), name="admin-ready"),
    path("admins/<key:key>/", AdminDetailView.as_view(), name="admin"),
]

handler400 = bad_request
handler403 = forbidden
handler404 = not_found
handler500 = server_error
