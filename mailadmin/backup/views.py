"""The page that downloads a backup."""

from django import forms
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.generic import FormView

from mailadmin.accounts.models import Role
from mailadmin.accounts.proof import RecentProofMixin
from mailadmin.backup.creation import iter_backup
from mailadmin.downloads import file_response


class BackupForm(forms.Form):
    has_secrets = forms.BooleanField(
        label=_("With secrets"),
        required=False,
        initial=True,
        help_text=_(
            "Password hashes, keys and what brings back deleted rows. Without them nobody can sign"
            " in after a restoration."
        ),
    )


class BackupView(RecentProofMixin, FormView):
    """Download all tables, as they are at one moment; for superadmins."""

    roles = Role.SUPERADMIN
    form_class = BackupForm
    template_name = "backup.html"

    def form_valid(  # type: ignore[override]  # Django takes any response
        self, form: BackupForm
    ) -> StreamingHttpResponse:
        day = timezone.localdate().isoformat()
        pieces = iter_backup(form.cleaned_data["has_secrets"])
        return file_response(pieces, f"mailadmin-{day}.jsonl.gz", "application/gzip")
