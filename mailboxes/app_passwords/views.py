"""List, create, edit and revoke the app passwords of one mailbox, as its owner or as an admin."""

from typing import Any, NamedTuple

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import View

from mailadmin.accounts.proof import ProofToSaveMixin, RecentProofMixin
from mailadmin.changes.perform import perform
from mailadmin.qr_codes import draw_qr_code
from mailadmin.tables.actions import Services
from mailadmin.tables.views.base import TableView, show_errors
from mailboxes.app_passwords.forms import AppPasswordForm, AppPasswordTableForm, MainPasswordForm
from mailboxes.last_logins import LastUse, find_last_uses
from mailboxes.models import AppPassword, AppPasswordLimits
from mailboxes.owner.views import OwnFormMixin
from mailboxes.services.app_password_hashes import find_hash_prefix
from mailboxes.services.app_passwords import (
    edit_app_password,
    revoke_all_app_passwords,
    revoke_app_passwords,
)
from mailboxes.services.mail_logins import get_mail_login_rules
from mailboxes.views import MailboxFormView


class ListedAppPassword(NamedTuple):
    """An app password as the pages show it."""

    row: AppPassword
    limits: AppPasswordLimits | None  # None if PostfixAdmin has made it
    is_of_other_salt: bool  # it comes from another installation, and Dovecot refuses it
    last_use: LastUse | None
    edit_url: str  # empty if it has no limits
    revoke_url: str


class AppPasswordListView(ProofToSaveMixin, MailboxFormView):
    """The app passwords of a mailbox, and a form for a new one; only its response shows it."""

    form_class = AppPasswordForm
    template_name = "mailboxes/app_passwords.html"
    tab = "app-passwords"
    title = gettext_lazy("App passwords")

    def get_revoke_url(self, number: int | None = None) -> str:
        """Return the URL that revokes one app password, or all of them."""
        if number is None:
            return reverse("mailbox-app-passwords-revoke", args=[self.mailbox.pk])
        return reverse("mailbox-app-password-revoke", args=[self.mailbox.pk, number])

    def get_edit_url(self, number: int) -> str:
        return reverse("mailbox-app-password", args=[self.mailbox.pk, number])

    def list_app_passwords(self) -> list[ListedAppPassword]:
        """Return the app passwords with their limits and last uses, the newest first."""
        rows = AppPassword.objects.filter(mailbox=self.mailbox.pk).select_related("limits")
        uses, prefix = find_last_uses(self.mailbox), find_hash_prefix()
        return [
            ListedAppPassword(
                row,
                row.known_limits,
                row.is_generated and not str(row.password_hash).startswith(prefix),
                uses.get(row.pk),
                self.get_edit_url(row.pk) if row.known_limits else "",
                self.get_revoke_url(row.pk),
            )
            for row in rows.order_by("-pk")
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            app_passwords=self.list_app_passwords(),
            revoke_all_url=self.get_revoke_url(),
            records_uses=settings.MAILADMIN_LAST_LOGIN_DAYS > 0,
            **self.get_main_password_context(),
            **kwargs,
        )

    def get_main_password_context(self) -> dict[str, Any]:
        """Return the form for where the main password works."""
        return {"main_password_form": MainPasswordForm(actor=self.actor, mailbox=self.mailbox)}

    def form_valid(self, form: AppPasswordForm) -> HttpResponse:
        text = form.save()
        if text is None:
            return self.form_invalid(form)
        blank = AppPasswordForm(actor=self.actor, mailbox=self.mailbox)
        context = self.get_context_data(
            form=blank, new=text, new_name=form.cleaned_data["description"], qr=draw_qr_code(text)
        )
        return self.render_to_response(context)


class AppPasswordEditView(ProofToSaveMixin, MailboxFormView):
    """Change what a generated app password is good for."""

    form_class = AppPasswordTableForm
    template_name = "mailboxes/app_password_edit.html"
    tab = "app-passwords"
    title = gettext_lazy("Edit app password")
    saved_text = gettext_lazy("The app password was saved.")

    @cached_property
    def app_password(self) -> AppPassword:
        """Return the app password of the URL; only those of this mailbox that have limits."""
        rows = AppPassword.objects.filter(mailbox=self.mailbox.pk, pk=self.kwargs["pk"])
        row = rows.select_related("limits").first()
        if row is None or row.known_limits is None:
            raise Http404
        return row

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs = super().get_form_kwargs()
        del kwargs["mailbox"]
        return kwargs | {"instance": self.app_password}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            app_password=self.app_password,
            list_url=self.get_success_url(),
            **kwargs,
        )

    def save_form(self, form: AppPasswordTableForm) -> Any:
        return form.save(Services(edit=edit_app_password))

    def get_success_url(self) -> str:
        return reverse("mailbox-app-passwords", args=[self.mailbox.pk])


class AppPasswordView(TableView, View):
    """Redirect from one app password of the table to where it is edited, or listed."""

    screen = "list"

    def get(self, request: HttpRequest, key: str) -> HttpResponse:
        row = self.get_object()
        if row.mailbox_id is None:
            return redirect(self.table.url("list"))
        if row.known_limits is None:
            return redirect("mailbox-app-passwords", row.mailbox_id)
        return redirect("mailbox-app-password", row.mailbox_id, row.pk)


class AppPasswordRevokeView(MailboxFormView):
    """Revoke one app password of a mailbox, or all of them."""

    http_method_names = ["post"]

    def get_list_url(self) -> str:
        return reverse("mailbox-app-passwords", args=[self.mailbox.pk])

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        number = kwargs.get("pk")
        try:
            text = self.revoke_one(number) if number else self.revoke_all()
        except ValidationError as error:
            show_errors(request, error)
        else:
            messages.success(request, text)
        return redirect(self.get_list_url())

    def revoke_one(self, number: int) -> str:
        row = AppPassword.objects.filter(mailbox=self.mailbox.pk, pk=number).first()
        if row is None:
            raise Http404
        perform(self.actor, revoke_app_passwords, [row.pk])
        return _("The app password “%(name)s” was revoked.") % {"name": row.description or ""}

    def revoke_all(self) -> str:
        count = perform(self.actor, revoke_all_app_passwords, [self.mailbox.pk])
        text = ngettext(
            "%(count)s app password was revoked.", "%(count)s app passwords were revoked.", count
        )
        return text % {"count": count}


class MainPasswordView(RecentProofMixin, MailboxFormView):
    """Set whether mail programs may use the main password of a mailbox."""

    form_class = MainPasswordForm
    http_method_names = ["post"]

    def get_page_after_proof(self) -> str:
        return self.get_success_url()

    def get_success_url(self) -> str:
        return reverse("mailbox-app-passwords", args=[self.mailbox.pk])

    def get_success_text(self) -> str:
        return _("The change was saved.")

    def form_invalid(self, form: Any) -> HttpResponse:
        show_errors(self.request, ValidationError([*form.errors.values()]))
        return redirect(self.get_success_url())


class OwnAppPasswordListView(OwnFormMixin, AppPasswordListView):
    """The app passwords of the signed-in mailbox owner."""

    template_name = "mailboxes/own_app_passwords.html"

    def get_main_password_context(self) -> dict[str, Any]:
        rules = get_mail_login_rules(self.mailbox)
        return {"is_app_passwords_only": rules.app_passwords_only}

    def get_edit_url(self, number: int) -> str:
        return reverse("own-app-password", args=[number])

    def get_revoke_url(self, number: int | None = None) -> str:
        if number is None:
            return reverse("own-app-passwords-revoke")
        return reverse("own-app-password-revoke", args=[number])


class OwnAppPasswordEditView(OwnFormMixin, AppPasswordEditView):
    """Change an app password of the signed-in mailbox owner."""

    template_name = "mailboxes/own_app_password_edit.html"

    def get_success_url(self) -> str:
        return reverse("own-app-passwords")


class OwnAppPasswordRevokeView(OwnFormMixin, AppPasswordRevokeView):
    """Revoke app passwords of the signed-in mailbox owner."""

    def get_list_url(self) -> str:
        return reverse("own-app-passwords")
