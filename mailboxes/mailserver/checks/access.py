"""Checks of submission and of sender addresses."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from mailboxes.mailserver.checks.finding import (
    ERROR,
    WARNING,
    ConfigCheck,
    Configuration,
    Fault,
    Faults,
)
from mailboxes.mailserver.config_parser.maps import MapReference
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.config_parser.services import MasterService
from mailboxes.models import SenderPermission

SUBMISSION_SERVICES = {"submission", "submissions", "smtps", "587", "465"}
RESTRICTION_PARAMETERS = [
    f"smtpd_{stage}_restrictions"
    for stage in ("client", "helo", "sender", "relay", "recipient", "data", "end_of_data")
]
PERMISSION_TABLE = SenderPermission._meta.db_table
SENDER_LOGIN_RESTRICTIONS = {
    "reject_sender_login_mismatch",
    "reject_authenticated_sender_login_mismatch",
    "reject_known_sender_login_mismatch",
}


def is_submission(service: MasterService) -> bool:
    return service.type == "inet" and service.name.rpartition(":")[2] in SUBMISSION_SERVICES


def iter_smtpd_services(files: PostfixFiles) -> Iterator[tuple[MasterService, PostfixFiles]]:
    """Yield each SMTP server with the configuration including its overrides."""
    for service in files.services:
        if service.command == "smtpd":
            yield service, files.for_service(service)


def has_sender_restriction(view: PostfixFiles) -> bool:
    return any(SENDER_LOGIN_RESTRICTIONS & set(view.words(name)) for name in RESTRICTION_PARAMETERS)


class SubmissionWithoutLogin(ConfigCheck):
    code = "submission-without-login"
    severity = ERROR
    title = _("A submission service has no authentication")
    reason = _("Nobody can sign in, so nobody can send mail from outside.")
    fix = _("Add to the service: -o smtpd_sasl_auth_enable=yes")

    def find_faults(self, configuration: Configuration) -> Faults:
        for service, view in iter_smtpd_services(configuration.postfix):
            if is_submission(service) and not view.is_yes("smtpd_sasl_auth_enable"):
                yield Fault(service.line, service.name)


class SenderNotChecked(ConfigCheck):
    code = "sender-not-checked"
    severity = WARNING
    title = _("Signed-in users can send as anyone")
    reason = _(
        "No restriction compares the sender address with the login: every user can"
        " send as any other."
    )
    fix = _(
        "Add reject_sender_login_mismatch to smtpd_sender_restrictions of the service, and set "
        "smtpd_sender_login_maps."
    )

    def find_faults(self, configuration: Configuration) -> Faults:
        for service, view in iter_smtpd_services(configuration.postfix):
            if view.is_yes("smtpd_sasl_auth_enable") and not has_sender_restriction(view):
                yield Fault(service.line, service.name)


class SenderLoginMapsNotSet(ConfigCheck):
    code = "sender-login-maps-not-set"
    severity = ERROR
    title = _("The sender address has nothing to be compared with")
    reason = _(
        "Without smtpd_sender_login_maps, addresses have no owner: everyone can send as"
        " anyone, or nobody can send as themselves."
    )
    fix = _("Set smtpd_sender_login_maps to a map that returns the logins that own an address.")

    def find_faults(self, configuration: Configuration) -> Faults:
        for service, view in iter_smtpd_services(configuration.postfix):
            if has_sender_restriction(view) and not view.words("smtpd_sender_login_maps"):
                yield Fault(service.line, service.name)


class SenderPermissionsNotRead(ConfigCheck):
    code = "sender-permissions-not-read"
    severity = WARNING
    title = _("Sender permissions have no effect")
    reason = _(
        "There are sender permissions in the panel, but no map in smtpd_sender_login_maps reads"
        " them: the mailboxes cannot send as these addresses."
    )
    fix = _(
        "Use the panel's map sender_login.cf, alone: Postfix uses the first map that returns a"
        " result. The account of Postfix needs the new GRANT on mailadmin_sender_permission."
    )

    def find_faults(self, configuration: Configuration) -> Faults:
        if not configuration.rows.has_sender_permissions:
            return
        views = [view for _service, view in iter_smtpd_services(configuration.postfix)]
        for view in [configuration.postfix, *views]:
            references = list(view.maps("smtpd_sender_login_maps"))
            if references and not any(reads_permissions(view, each) for each in references):
                yield Fault(references[0].line, references[0].text)


def reads_permissions(view: PostfixFiles, reference: MapReference) -> bool:
    """Return whether a map, or one inside it, queries the panel's table of sender permissions."""
    return any(
        PERMISSION_TABLE in view.sql_map(each).query for each in reference.walk() if each.is_sql
    )


CONFIG_CHECKS = (
    SubmissionWithoutLogin(),
    SenderNotChecked(),
    SenderLoginMapsNotSet(),
    SenderPermissionsNotRead(),
)
