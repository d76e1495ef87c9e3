"""The field for one's own password in forms whose values can be a dangerous step."""

from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailadmin.accounts.backends import count_proof
from mailadmin.accounts.forms import OwnPasswordForm, check_own_password
from mailadmin.accounts.proof import has_recent_proof, record_proof
from mailadmin.accounts.views import ThrottledFormMixin
from mailadmin.tables.form_sections import Section
from mailadmin.tables.forms import OWN_PASSWORD_FIELD, ValidatedTextForm
from mailadmin.tables.views.base import SaveFormMixin

CONFIRMATION = Section(gettext_lazy("Confirm that it is you"), (OWN_PASSWORD_FIELD,))


class OwnPasswordFieldMixin(ThrottledFormMixin, SaveFormMixin):
    """A page whose form asks for one's own password too, unless it was given a moment ago."""

    def get_form(self, form_class: Any = None) -> Any:
        form = super().get_form(form_class)
        if form.guarded_fields and not has_recent_proof(self.request):
            self.add_own_password(form)
        return form

    def add_own_password(self, form: ValidatedTextForm) -> None:
        field = OwnPasswordForm.base_fields["password"].__deepcopy__({})
        field.required, field.label = False, _("Your own password")
        field.help_text = self.describe_own_password(form)
        field.widget.attrs.pop("autofocus")
        form.fields[OWN_PASSWORD_FIELD] = field
        form.sections = (*form.sections, CONFIRMATION)

    def describe_own_password(self, form: ValidatedTextForm) -> SafeString:
        """Return when the password is needed, with a link for those who use a passkey."""
        labels = ", ".join(str(form.fields[name].label) for name in form.guarded_fields)
        url = f"{reverse('confirm')}?{urlencode({'next': self.request.get_full_path()})}"
        return format_html(
            "{} <a href='{}' target='_blank' rel='noopener'>{}</a>",
            _("Needed to change: %(labels)s.") % {"labels": labels},
            url,
            _("Confirm in another way"),
        )

    def form_valid(self, form: Any) -> HttpResponse:
        if form.changes_guarded_field() and not has_recent_proof(self.request):
            self.check_own_password(form)
        return self.form_invalid(form) if form.errors else super().form_valid(form)

    def check_own_password(self, form: Any) -> None:
        """Count wrong guesses as the login does."""
        typed = form.cleaned_data.get(OWN_PASSWORD_FIELD)
        if not typed:
            form.add_error(OWN_PASSWORD_FIELD, _("Enter your own password to change this."))
            return
        try:
            with count_proof(self.request, self.principal, "confirmation"):
                check_own_password(self.principal, typed)
        except ValidationError as error:
            form.add_error(OWN_PASSWORD_FIELD, error)
        else:
            record_proof(self.request)
