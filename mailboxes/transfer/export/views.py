"""The page of exports: everything, or a domain, as a file made while it is sent."""

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView

from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequired
from mailadmin.tables.form_fields import DomainInput, Picker
from mailadmin.tables.forms import PlainForm
from mailboxes.mailserver.generator.choices import installed_dovecot
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export import csvfiles, hashfiles, jsonfiles, passwdfile
from mailboxes.transfer.export.archive import zipped
from mailboxes.transfer.export.rows import known_domain
from mailboxes.transfer.export.snapshot import snapshot
from mailboxes.transfer.views import as_file

FORMATS = {
    "json": gettext_lazy("JSON: complete, with hashes and keys, to be imported again"),
    "csv": gettext_lazy("CSV: a zip with a file for each table"),
    "hashfiles": gettext_lazy("Map files for a Postfix without a database: a zip"),
}


class ExportForm(PlainForm):
    """What is wanted."""

    format = forms.ChoiceField(label=gettext_lazy("As what"), choices=list(FORMATS.items()))
    domain = DomainInput(
        label=gettext_lazy("Domain"),
        required=False,
        widget=Picker("domains-pick"),
        help_text=gettext_lazy("Empty means everything."),
    )
    passwords = forms.BooleanField(
        label=gettext_lazy("CSV with hashes, keys and other secrets"), required=False
    )
    dovecot_version = forms.ChoiceField(
        label=gettext_lazy("Dovecot version"),
        choices=[(version, version) for version in passwdfile.CONF],
        initial=installed_dovecot,
        required=False,
        help_text=gettext_lazy("Map files only: the version of Dovecot that will read them."),
    )

    def clean_domain(self):
        name = self.cleaned_data["domain"]
        if name and not (name := known_domain(name)):
            raise ValidationError(_("There is no such domain."))
        return name


class Export(RoleRequired, FormView):
    """Everything on its way out: a superadmin's matter."""

    roles = Role.SUPERADMIN
    template_name = "transfer/export.html"
    form_class = ExportForm

    def form_valid(self, form):
        pieces, ending, kind = FILES[form.cleaned_data["format"]](form.cleaned_data, Losses())
        name = form.cleaned_data["domain"] or "mailadmin"
        return as_file(in_one_state(pieces), f"{name}.{ending}", kind)

    def form_invalid(self, form):
        return self.render_to_response(self.get_context_data(form=form), status=422)


def in_one_state(pieces):
    with snapshot():
        yield from pieces


def as_json(given, losses):
    return jsonfiles.pieces(losses, given["domain"]), "json", "application/json"


def as_csv(given, losses):
    files = csvfiles.files(losses, given["domain"], given["passwords"])
    return zipped(with_notes(files, losses)), "zip", "application/zip"


def as_hashfiles(given, losses):
    version = given["dovecot_version"] or installed_dovecot()
    files = hashfiles.files(losses, given["domain"], dovecot_version=version)
    return zipped(with_notes(files, losses)), "zip", "application/zip"


FILES = {"json": as_json, "csv": as_csv, "hashfiles": as_hashfiles}


def with_notes(files, losses):
    """The files, and one more with what none of them holds."""
    yield from files
    if lines := [f"{note.count} × {note.text} ({', '.join(note.places)})\n" for note in losses]:
        yield "notes.txt", lines
