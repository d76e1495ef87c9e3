"""Pages of the mail server: the route of an address, and the configuration."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView

from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.api.base import ApiView
from mailadmin.api.operations import (
    TEXT,
    build_content,
    build_operation,
    build_response,
    problem_responses,
    query_parameter,
)
from mailadmin.api.problems import build_validation_problem
from mailadmin.tables.form_sections import Section
from mailadmin.tables.forms import ValidatedTextForm
from mailadmin.tables.serialization import error_texts
from mailadmin.tables.views.detail import build_head_context
from mailadmin.translation import decode_text
from mailboxes.mailserver.generator.choices import (
    DATABASE_ACCOUNTS,
    NO_CRAM_MD5_MESSAGE,
    PANEL_DOMAIN_MESSAGE,
    MailServerOptions,
    can_offer_cram_md5,
    detect_options,
    is_panel_domain,
    is_valid_option,
)
from mailboxes.mailserver.generator.database import DatabaseLocation
from mailboxes.mailserver.generator.files import GeneratedFile, generate_files
from mailboxes.mailserver.smtp_probe import ProbeError, probe_recipient
from mailboxes.models import Mailbox, Verification
from mailboxes.postfix.explain import explain
from mailboxes.postfix.explain.path import build_path, format_page_headline
from mailboxes.postfix.routing import PostfixRouter, build_panel_config
from mailboxes.tables import MailboxTable

MAX_LOOKUPS = 2000  # takes a second or two; the command has no limit


class ExplainForm(ValidatedTextForm):
    """An address, and optionally a mailbox that wants to send as it."""

    saves_nothing = True
    address = forms.CharField(label=_("Recipient"), max_length=320)
    sender = forms.CharField(
        label=_("Sender login (optional)"),
        required=False,
        max_length=320,
        help_text=_("Checks whether this login may send as the recipient's address."),
    )

    def explain(self, principal: Any) -> dict[str, Any] | None:
        """Return the explained route, or None with errors in the form."""
        if not self.is_valid():
            return None
        try:
            config = build_panel_config(max_lookups=MAX_LOOKUPS)
            return explain(principal, **self.cleaned_data, config=config)
        except ValidationError as error:
            self.add_error(None if not hasattr(error, "error_dict") else "address", error.messages)
        return None


class ExplainView(RoleRequiredMixin, TemplateView):
    """Show the route of mail for an address, step by step."""

    roles = Role.ADMINS
    template_name = "mailserver/explain.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        data = self.request.GET if "address" in self.request.GET else None
        form = ExplainForm(data)
        explanation = form.explain(self.request.user) if data else None
        if explanation:
            kwargs["path"] = build_path(explanation)
            kwargs["headline"] = format_page_headline(explanation)
        return super().get_context_data(form=form, explanation=explanation, **kwargs)


EXPLAIN_OPERATION = build_operation(
    "explain",
    tag="explain",
    summary="Trace mail for an address step by step",
    description="The same data that the page Explain shows.",
    parameters=[
        query_parameter(
            "address", "The recipient address.", TEXT | {"minLength": 1}, required=True
        ),
        query_parameter("sender", "A login; checks whether it may send as the address."),
    ],
    responses={
        "200": build_response(
            content=build_content({"type": "object", "additionalProperties": {}})
        ),
        **problem_responses(422),
    },
)


class ExplainApiView(ApiView):
    """The route of an address as JSON."""

    access_table = "explain"
    operations = {"get": EXPLAIN_OPERATION}

    def get(self, request: HttpRequest) -> JsonResponse:
        form = ExplainForm(request.GET)
        if explanation := form.explain(self.principal):
            return JsonResponse(explanation)
        raise build_validation_problem(error_texts(form.errors.as_data()))


class MailboxProbeView(RoleRequiredMixin, TemplateView):
    """The mail server's view of a mailbox: now by SMTP, and at the last verification."""

    roles = Role.SUPERADMIN
    template_name = "mailserver/seen.html"

    def get_template_names(self) -> list[str]:
        is_fragment = self.request.headers.get("HX-Request")
        return ["mailserver/_seen.html" if is_fragment else self.template_name]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        mailbox = get_object_or_404(Mailbox, pk=kwargs.pop("key"))
        route = PostfixRouter(build_panel_config()).route(mailbox.pk)
        return super().get_context_data(
            mailbox=mailbox,
            **build_head_context(MailboxTable(), mailbox, self.principal),
            **build_probe_context(mailbox.pk, route.rcpt_reply),
            **build_verification_context(mailbox),
            **kwargs,
        )


def build_probe_context(address: str, expected: str) -> dict[str, Any]:
    """Return Postfix's reply beside the one expected by the panel's rows."""
    try:
        reply = probe_recipient(address)
    except ProbeError as error:
        return {"no_server": str(error)}
    agrees = reply.startswith("2") == (not expected)
    return {"reply": reply, "expected": expected, "agrees": agrees}


def build_verification_context(mailbox: Mailbox) -> dict[str, Any]:
    """Return the last result of `mailserver verify` for this mailbox, and whether it is current."""
    covering = Q(domain="") | Q(domain=mailbox.domain_id)
    check = Verification.objects.filter(covering).order_by("-checked").first()
    if check is None:
        return {"check": None}
    return {
        "check": check,
        "differences": list(iter_mailbox_differences(check, mailbox)),
        "is_older": not mailbox.modified or check.checked < mailbox.modified,
        "is_partial": bool(check.trouble) or check.total > len(check.differences),
    }


def iter_mailbox_differences(check: Verification, mailbox: Mailbox) -> Iterator[dict[str, str]]:
    """Yield differences of the mailbox, of its domain, and of the mail server as a whole."""
    domain = mailbox.domain_id.lower()
    for stored in check.differences:
        entry = {name: decode_text(value) for name, value in stored.items()}
        key = entry["key"]
        if key.lower() == mailbox.pk.lower():
            yield entry
        elif key.lower() in (domain, f"@{domain}", "*") or is_server_wide(key):
            yield entry | {"asked": f"{key}, {entry['asked']}"}


def is_server_wide(key: str) -> bool:
    """Recognize parameters, services and password schemes by their names."""
    return key.startswith(("main.cf", "master.cf")) or ("." not in key and "@" not in key)


FIELD_FORMAT_MESSAGES = {
    "hostname": _("Enter a fully qualified host name, such as mail.example.net."),
    "mail_directory": _("Enter an absolute path, such as /var/vmail."),
    "mail_user": _("Enter a system user, such as vmail; not root."),
}


class MailServerConfigForm(ValidatedTextForm):
    """The options of a generated configuration."""

    saves_nothing = True
    sections = (
        Section(_("Server"), ("hostname", "mail_directory", "mail_user")),
        Section("Dovecot", ("dovecot_version", "delivery", "sieve", "cram_md5")),
        Section("Postfix", ("proxied",)),
    )
    hostname = forms.CharField(label=_("Host name of the mail server"), max_length=253)
    mail_directory = forms.CharField(label=_("Mail directory"), max_length=200)
    mail_user = forms.CharField(label=_("System user who owns the mail"), max_length=32)
    delivery = forms.ChoiceField(
        label=_("Delivery to Dovecot"), choices=[("lmtp", "LMTP"), ("lda", "LDA")]
    )
    dovecot_version = forms.ChoiceField(
        label=_("Dovecot version"), choices=[("2.3", "2.3"), ("2.4", "2.4")]
    )
    cram_md5 = forms.BooleanField(
        label=_("Offer CRAM-MD5"),
        required=False,
        help_text=_("Works only with passwords stored as CRAM-MD5 or as plain text."),
    )
    sieve = forms.BooleanField(
        label=_("Sieve filters (ManageSieve)"),
        required=False,
        help_text=_("Requires the packages dovecot-sieve and dovecot-managesieved."),
    )
    proxied = forms.BooleanField(
        label=_("Share database connections (proxymap)"),
        required=False,
        help_text=_("If not selected, each Postfix process opens its own connections."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for name in ("hostname", "mail_directory", "mail_user"):
            if name in cleaned and not is_valid_option(name, cleaned[name]):
                self.add_error(name, FIELD_FORMAT_MESSAGES[name])
        if is_panel_domain(hostname := cleaned.get("hostname", "")):
            self.add_error("hostname", PANEL_DOMAIN_MESSAGE % {"name": hostname})
        if cleaned.get("cram_md5") and not can_offer_cram_md5():
            text = NO_CRAM_MD5_MESSAGE % {"scheme": settings.MAILADMIN_PASSWORD_SCHEME}
            self.add_error("cram_md5", text)
        return cleaned

    def get_options(self) -> MailServerOptions:
        """Return the options; operators fill in the passwords themselves."""
        passwords = {account: f"PASSWORD-OF-{account.upper()}" for account in DATABASE_ACCOUNTS}
        detected = {name: value for name, value in detect_options().items() if name == "command"}
        return MailServerOptions(**detected | self.cleaned_data, passwords=passwords)


class MailServerConfigView(RoleRequiredMixin, TemplateView):
    """The generated configuration of Postfix and Dovecot, to read and to download."""

    roles = Role.SUPERADMIN
    template_name = "mailserver/mailserver.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = MailServerConfigForm(
            request.GET if "hostname" in request.GET else None, initial=get_initial_options()
        )
        if "download" in request.GET and form.is_valid():
            return build_zip_response(generate_files(form.get_options()))
        return self.render_to_response(self.get_context_data(form=form))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = kwargs["form"]
        is_complete = form.is_bound and form.is_valid()
        return super().get_context_data(
            files=list(generate_files(form.get_options())) if is_complete else [],
            query=self.request.GET.urlencode(),
            is_sqlite=DatabaseLocation.from_connection().is_sqlite,
            **kwargs,
        )


def get_initial_options() -> dict[str, Any]:
    """Return valid initial values, so that the form can be submitted as it opens."""
    defaults, detected = MailServerOptions(), detect_options()
    options = {name: getattr(defaults, name) for name in MailServerConfigForm.base_fields}
    hostnames = filter(is_acceptable_hostname, (detected["hostname"], defaults.hostname))
    options["hostname"] = next(hostnames, "")
    return options | {name: detected[name] for name in ("dovecot_version",) if name in detected}


def is_acceptable_hostname(hostname: str) -> bool:
    return is_valid_option("hostname", hostname) and not is_panel_domain(hostname)


def build_zip_response(files: Iterable[GeneratedFile]) -> HttpResponse:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(f"{file.server}/{file.name}")
            entry.external_attr = (0o100000 | file.mode) << 16
            archive.writestr(entry, file.text)
    return HttpResponse(
        buffer.getvalue(),
        content_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="mailserver.zip"'},
    )
