"""A part of forms for a new password: whether the app passwords of the mailbox end with it."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.models import Principal
from mailadmin.accounts.password_forms import NewPasswordMixin
from mailadmin.translation import gettext_lazy
from mailboxes.models import Mailbox

REVOKE_FIELD = "revoke_app_passwords"


class RevocationMixin(NewPasswordMixin):
    """Offer to revoke all app passwords of a mailbox that gets a new password."""

    revoke_app_passwords = forms.BooleanField(
        label=_("Also revoke all app passwords"),
        required=False,
        help_text=_("Mail programs that use them then have to be set up again."),
    )

    def offer_revocation(self, person: Principal) -> None:
        """Say how many app passwords there are; do not ask where there are none."""
        count = person.app_password_count if isinstance(person, Mailbox) else 0
        if count:
            text = gettext_lazy("Also revoke all app passwords (%(count)s)")
            self.fields[REVOKE_FIELD].label = text % {"count": count}
        else:
            del self.fields[REVOKE_FIELD]

    def adapt_for_api(self, values: Mapping[str, Any]) -> None:
        """Let programs ask for it whether or not there are any."""
        super().adapt_for_api(values)
        if REVOKE_FIELD not in self.get_unused_fields():
            self.fields.setdefault(REVOKE_FIELD, deepcopy(self.base_fields[REVOKE_FIELD]))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        has_password = cleaned.get("password") or cleaned.get("password_hash")
        if self.revokes_app_passwords and not has_password and "password" not in self.errors:
            self.add_error(REVOKE_FIELD, _("Enter a new password as well."))
        return cleaned

    @property
    def revokes_app_passwords(self) -> bool:
        return bool(self.cleaned_data.get(REVOKE_FIELD))
