"""The pages about the mail server: the route of an address, and its configuration."""

import io
import zipfile
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
from mailadmin.tables.forms import ValidatedTextForm
from mailadmin.tables.serialization import error_texts
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
from mailboxes.mailserver.generator.files import generate_files
from mailboxes.mailserver.smtp_probe import ProbeError, probe_recipient
from mailboxes.models import Mailbox, Verification
from mailboxes.postfix.explain import explain
from mailboxes.postfix.explain.messages import format_delivery
from mailboxes.postfix.routing import PostfixRouter, build_panel_config

MAX_LOOKUPS = 2000  # a second or two; the command has no limit


class ExplainForm(ValidatedTextForm):
    """An address to ask about, and perhaps who wants to send as it."""

    saves_nothing = True
    address = forms.CharField(label=_("Address"), max_length=320)
    sender = forms.CharField(
        label=_("Mailbox that sends (optional)"),
        required=False,
        max_length=320,
        help_text=_("May it send as the address?"),
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
    """What happens to mail for an address, step by step."""

    roles = Role.ADMINS
    template_name = "mailserver/explain.html"

    def get_context_data(self, **kwargs):
        asked = self.request.GET if "address" in self.request.GET else None
        form = ExplainForm(asked)
        explanation = form.explain(self.request.user) if asked else None
        if explanation:
            deliveries = explanation["deliveries"]
            kwargs["deliveries"] = [(format_delivery(each), each) for each in deliveries]
        return super().get_context_data(form=form, explanation=explanation, **kwargs)


EXPLAIN_OPERATION = build_operation(
    "explain",
    tag="explain",
    summary="What happens to mail for an address, step by step",
    description="The same as JSON.",
    parameters=[
        query_parameter("address", "The address.", TEXT | {"minLength": 1}, required=True),
        query_parameter("sender", "A mailbox that wants to send as the address."),
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
    """What the mail server itself says of a mailbox: at once by SMTP, else at the last check."""

    roles = Role.SUPERADMIN
    template_name = "mailserver/seen.html"

    def get_template_names(self):
        in_place = self.request.headers.get("HX-Request")
        return ["mailserver/_seen.html" if in_place else self.template_name]

    def get_context_data(self, key, **kwargs):
        mailbox = get_object_or_404(Mailbox, pk=key)
        route = PostfixRouter(build_panel_config()).route(mailbox.pk)
        return super().get_context_data(
            mailbox=mailbox,
            **build_probe_context(mailbox.pk, route.rcpt_reply),
            **build_verification_context(mailbox),
            **kwargs,
        )


def build_probe_context(address, expected):
    """Postfix's reply beside the one that the panel's rows lead to."""
    try:
        reply = probe_recipient(address)
    except ProbeError as error:
        return {"no_server": str(error)}
    takes, should = reply.startswith("2"), not expected
    return {"reply": reply, "expected": expected, "agrees": takes == should}


def build_verification_context(mailbox):
    """The newest result of `mailserver verify` for this mailbox's domain, and what it is worth."""
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


def iter_mailbox_differences(check, mailbox):
    """Differences of the mailbox, of its domain, and of the mail server as a whole."""
    domain = mailbox.domain_id.lower()
    for entry in check.differences:
        key = entry["key"]
        if key.lower() == mailbox.pk.lower():
            yield entry
        elif key.lower() in (domain, f"@{domain}", "*") or is_server_wide(key):
            yield entry | {"asked": f"{key}, {entry['asked']}"}


def is_server_wide(key):
    """Parameters, services, and ways of storing passwords; no address or domain is called so."""
    return key.startswith(("main.cf", "master.cf")) or ("." not in key and "@" not in key)


FIELD_FORMAT_MESSAGES = {
    "hostname": _("A full name, such as mail.example.net."),
    "mail_directory": _("An absolute path, such as /var/vmail."),
    "mail_user": _("A user of the system, such as vmail; not root."),
}


class MailServerConfigForm(ValidatedTextForm):
    """What is asked before the configuration is written."""

    saves_nothing = True
    hostname = forms.CharField(label=_("Name of the mail server"), max_length=253)
    mail_directory = forms.CharField(label=_("Where the mail lies"), max_length=200)
    mail_user = forms.CharField(label=_("System user who owns it"), max_length=32)
    delivery = forms.ChoiceField(
        label=_("Dovecot gets mail by"), choices=[("lmtp", "LMTP"), ("lda", "LDA")]
    )
    dovecot_version = forms.ChoiceField(label="Dovecot", choices=[("2.3", "2.3"), ("2.4", "2.4")])
    cram_md5 = forms.BooleanField(
        label=_("Offer CRAM-MD5"),
        required=False,
        help_text=_("For passwords that are stored as CRAM-MD5 or as plain text."),
    )
    sieve = forms.BooleanField(
        label=_("Sieve filters (ManageSieve)"),
        required=False,
        help_text=_("Needs the packages dovecot-sieve and dovecot-managesieved."),
    )
    proxied = forms.BooleanField(
        label=_("Share database connections (proxymap)"),
        required=False,
        help_text=_("Off: each process of Postfix connects itself."),
    )

    def clean(self):
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

    def choices(self):
        """The operator's choices; passwords are his to fill in."""
        passwords = {account: f"PASSWORD-OF-{account.upper()}" for account in DATABASE_ACCOUNTS}
        known = {name: guess for name, guess in detect_options().items() if name == "command"}
        return MailServerOptions(**known | self.cleaned_data, passwords=passwords)


class MailServerConfigView(RoleRequiredMixin, TemplateView):
    """The configuration of Postfix and Dovecot, to look at and to take along."""

    roles = Role.SUPERADMIN
    template_name = "mailserver/mailserver.html"

    def get(self, request, *args, **kwargs):
        form = MailServerConfigForm(
            request.GET if "hostname" in request.GET else None, initial=get_initial_options()
        )
        if "download" in request.GET and form.is_valid():
            return build_zip_response(generate_files(form.choices()))
        return self.render_to_response(self.get_context_data(form=form))

    def get_context_data(self, form, **kwargs):
        files = list(generate_files(form.choices())) if form.is_bound and form.is_valid() else []
        return super().get_context_data(
            form=form,
            files=files,
            query=self.request.GET.urlencode(),
            is_sqlite=DatabaseLocation.from_connection().is_sqlite,
            **kwargs,
        )


def get_initial_options():
    """What the form opens with, so that the first click shows something."""
    usual = MailServerOptions()
    names = (
        "hostname",
        *("mail_directory", "mail_user", "delivery", "dovecot_version", "cram_md5"),
        *("sieve", "proxied"),
    )
    found = {name: getattr(usual, name) for name in names}
    guess = detect_options()
    if is_acceptable_hostname(guess["hostname"]):
        found["hostname"] = guess["hostname"]
    elif not is_acceptable_hostname(usual.hostname):
        found["hostname"] = ""
    return found | {name: guess[name] for name in ("dovecot_version",) if name in guess}


def is_acceptable_hostname(hostname):
    return is_valid_option("hostname", hostname) and not is_panel_domain(hostname)


def build_zip_response(files):
    """One file to take along; nothing is written here."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archived:
        for file in files:
            entry = zipfile.ZipInfo(f"{file.server}/{file.name}")
            entry.external_attr = (0o100000 | file.mode) << 16
            archived.writestr(entry, file.text)
    return HttpResponse(
        packed.getvalue(),
        content_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="mailserver.zip"'},
    )
