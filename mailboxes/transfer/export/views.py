"""The export page."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView

from mailadmin.accounts.models import Role
from mailadmin.accounts.proof import RecentProofMixin
from mailadmin.db.snapshot import snapshot
from mailadmin.downloads import file_response
from mailadmin.tables.form_fields import DomainFormField, PickerInput
from mailadmin.tables.forms import ValidatedTextForm
from mailboxes.mailserver.generator.choices import detect_dovecot_version
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export import csvfiles, hashfiles, jsonfiles, passwdfile
from mailboxes.transfer.export.archive import iter_zip
from mailboxes.transfer.export.rows import find_domain_name

EXPORT_FORMATS = {
    "json": gettext_lazy("JSON: complete, with hashes and keys; can be imported again"),
    "csv": gettext_lazy("CSV: a zip with one file per table"),
    "hashfiles": gettext_lazy("Map files for a Postfix without a database: a zip"),
}


class Export(NamedTuple):
    """A file to download."""

    pieces: Iterator[str | bytes]
    extension: str
    content_type: str


class ExportForm(ValidatedTextForm):
    format = forms.ChoiceField(label=gettext_lazy("Format"), choices=list(EXPORT_FORMATS.items()))
    domain = DomainFormField(
        label=gettext_lazy("Domain"),
        required=False,
        widget=PickerInput("domains-pick"),
        help_text=gettext_lazy("Leave blank for all domains."),
    )
    passwords = forms.BooleanField(
        label=gettext_lazy("Include password hashes, keys and other secrets in CSV"), required=False
    )
    dovecot_version = forms.ChoiceField(
        label=gettext_lazy("Dovecot version"),
        choices=[(version, version) for version in passwdfile.DOVECOT_CONF],
        initial=detect_dovecot_version,
        required=False,
        help_text=gettext_lazy("Map files only: the version that will read them."),
    )

    def clean_domain(self) -> str:
        name = self.cleaned_data["domain"]
        if name and not (name := find_domain_name(name)):
            raise ValidationError(_("There is no such domain."))
        return name


class ExportView(RecentProofMixin, FormView):
    """Download everything, or one domain; for superadmins."""

    roles = Role.SUPERADMIN
    template_name = "transfer/export.html"
    form_class = ExportForm

    def form_valid(  # type: ignore[override]  # Django takes any response
        self, form: ExportForm
    ) -> StreamingHttpResponse:
        export = EXPORTERS[form.cleaned_data["format"]](form.cleaned_data, Losses())
        name = form.cleaned_data["domain"] or "mailadmin"
        return file_response(
            iter_in_snapshot(export.pieces), f"{name}.{export.extension}", export.content_type
        )

    def form_invalid(self, form: ExportForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


def iter_in_snapshot(pieces: Iterable[str | bytes]) -> Iterator[str | bytes]:
    with snapshot():
        yield from pieces


def export_json(options: dict[str, Any], losses: Losses) -> Export:
    return Export(jsonfiles.iter_json(losses, options["domain"]), "json", "application/json")


def export_csv(options: dict[str, Any], losses: Losses) -> Export:
    files = csvfiles.iter_csv_files(losses, options["domain"], options["passwords"])
    return Export(iter_zip(append_loss_notes(files, losses)), "zip", "application/zip")


def export_hashfiles(options: dict[str, Any], losses: Losses) -> Export:
    version = options["dovecot_version"] or detect_dovecot_version()
    files = hashfiles.iter_map_files(losses, options["domain"], dovecot_version=version)
    return Export(iter_zip(append_loss_notes(files, losses)), "zip", "application/zip")


EXPORTERS = {"json": export_json, "csv": export_csv, "hashfiles": export_hashfiles}


def append_loss_notes(
    files: Iterable[tuple[str, Iterable[str]]], losses: Losses
) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield the files, and `notes.txt` with what none of them holds."""
    yield from files
    if lines := [f"{note.count} × {note.text} ({', '.join(note.places)})\n" for note in losses]:
        yield "notes.txt", lines
