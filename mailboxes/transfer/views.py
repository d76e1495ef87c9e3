"""The pages of imports: a file comes in, its plan is looked at, applied, and perhaps taken back."""

import csv
import datetime
import io
import zipfile

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.generic import DetailView, FormView, View

from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.changes.perform import perform
from mailadmin.jobs.models import Job
from mailadmin.tables.forms import ValidatedTextForm
from mailboxes.models import Plan, PlanRow
from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.plan import output as plan_output
from mailboxes.transfer.plan import rejected_rows, workflow
from mailboxes.transfer.readers import NATIVE_FORMATS, unpacking
from mailboxes.transfer.row_types import ROW_TYPES_BY_TABLE

MAX_SAMPLE_ROWS = 30
MAX_LISTED_PLANS = 200
WORKER_START_TIMEOUT = datetime.timedelta(seconds=15)  # for a worker to begin
State, Verb = Plan.State, PlanRow.Verb
BYTES_PER_MB = 2**20
SAMPLED_VERBS = (Verb.CHANGED, Verb.NEW, Verb.REFUSED)
IMPORT_FORMATS = {
    "csv": _("CSV: one table, or a zip of several"),
    "json": _("JSON, as the panel exports it"),
    "postfixadmin": _("PostfixAdmin: a dump of its database (.sql, .sql.gz)"),
    "ispmail": _("ISPmail: a dump with virtual_domains, virtual_users, virtual_aliases"),
    "forwardings": _("A dump with domains, forwardings, users, transport"),
    "hashfiles": _("Postfix's own map files: a zip or tar of its folder"),
}


class ImportUploadForm(ValidatedTextForm):
    """A file of another system, or of this panel."""

    format = forms.ChoiceField(label=_("What it is"))
    file = forms.FileField(label=_("File"), allow_empty_file=False)
    table = forms.ChoiceField(
        label=_("What the rows are"),
        required=False,
        help_text=_("For CSV and JSON. The names of the columns usually tell."),
    )
    scheme = forms.CharField(
        label=_("Scheme of the passwords (optional)"),
        required=False,
        max_length=40,
        help_text=_("default_pass_scheme of the old Dovecot, where hashes do not say theirs."),
    )

    def __init__(self, *args, principal, **kwargs):
        super().__init__(*args, **kwargs)
        self.is_superadmin = principal.role is Role.SUPERADMIN
        names = IMPORT_FORMATS if self.is_superadmin else NATIVE_FORMATS
        self.fields["format"].choices = [(name, IMPORT_FORMATS[name]) for name in names]
        tables = row_types_writable_by(principal)
        told = [("", _("told by its columns"))]
        self.fields["table"].choices = told + [(k.table, capfirst(k.title)) for k in tables]
        if not self.is_superadmin:
            del self.fields["scheme"]

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file.size > settings.MAILADMIN_UPLOAD_MB * BYTES_PER_MB:
            text = _("The file has %(size)s; at most %(most)s MB are taken here.")
            size = filesizeformat(file.size)
            raise ValidationError(text % {"size": size, "most": settings.MAILADMIN_UPLOAD_MB})
        if unpacked_size(file) > settings.MAILADMIN_UPLOAD_MB * BYTES_PER_MB:
            text = _("Unpacked, the file is larger than the %(most)s MB that are taken here.")
            raise ValidationError(text % {"most": settings.MAILADMIN_UPLOAD_MB})
        return file

    def options(self):
        """What the reader is told besides the source."""
        name = "table" if self.cleaned_data["format"] in NATIVE_FORMATS else "scheme"
        value = self.cleaned_data.get(name)
        return {name: value} if value else {}


def unpacked_size(file) -> int:
    """How large the files of a zip say they are, which is what they are read to; 0 for others."""
    try:
        with unpacking.open_zip(file) as archive:
            return sum(info.file_size for info in archive.infolist())
    except SourceError as error:
        raise ValidationError(str(error)) from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return 0
    finally:
        file.seek(0)


def row_types_writable_by(person):
    """The kinds of rows that this person may write into a file of his own."""
    is_superadmin = person.role is Role.SUPERADMIN
    return [
        kind
        for kind in ROW_TYPES_BY_TABLE.values()
        if kind.domain_admin_columns or (is_superadmin and kind.has_example)
    ]


class ImportListView(RoleRequiredMixin, FormView):
    """What was imported, and the door for more."""

    roles = Role.ADMINS
    template_name = "transfer/imports.html"
    form_class = ImportUploadForm

    def get_form_kwargs(self):
        return super().get_form_kwargs() | {"principal": self.request.user}

    def get_initial(self):
        table = self.request.GET.get("table", "")
        return {"table": table if table in ROW_TYPES_BY_TABLE else "", "format": "csv"}

    def get_context_data(self, **kwargs):
        person = self.request.user
        plans = Plan.objects.of(person).exclude(state=State.DISCARDED).order_by("-pk")
        kinds = row_types_writable_by(person)
        return super().get_context_data(plans=plans[:MAX_LISTED_PLANS], kinds=kinds, **kwargs)

    def form_valid(self, form):
        file, format_name = form.cleaned_data["file"], form.cleaned_data["format"]
        try:
            plan = perform(
                self.actor, workflow.create_plan_from_upload, format_name, file, form.options()
            )
        except ValidationError as error:
            form.add_error(None, error)
            return self.form_invalid(form)
        return redirect("import", plan.pk)

    def form_invalid(self, form):
        return self.render_to_response(self.get_context_data(form=form), status=422)


class PlanMixin(RoleRequiredMixin):
    """Something about one's own plan; a superadmin's are all."""

    roles = Role.ADMINS

    @cached_property
    def plan(self):
        plans = Plan.objects.of(self.request.user).exclude(state=State.DISCARDED)
        return get_object_or_404(plans, pk=self.kwargs["pk"])


class PlanDetailView(PlanMixin, DetailView):
    """The plan: numbers, first rows, what is lost; and what can be done with it."""

    template_name = "transfer/plan.html"
    context_object_name = "plan"

    def get_object(self, queryset=None):
        return self.plan

    def get_context_data(self, **kwargs):
        plan = self.plan
        job = Job.objects.filter(pk=plan.job).first()
        going = job if job and not job.is_finished else None
        counts = plan_output.count_by_verb(plan) if plan.state != State.READING else {}
        return super().get_context_data(
            job=job,
            going=going,
            is_waiting=has_no_worker(going),
            verbs=list(Verb),
            counts=counts,
            totals={verb: sum(row[verb] for row in counts.values()) for verb in Verb},
            samples=[] if going else [self.sample_rows(verb) for verb in SAMPLED_VERBS],
            left=workflow.revert.left_behind(plan)[:MAX_SAMPLE_ROWS]
            if plan.state == State.RETURNED
            else [],
            may=allowed_actions(plan, going, counts),
            **kwargs,
        )

    def sample_rows(self, verb):
        """The first rows of this verb, and how they are told."""
        rows = list(plan_output.rows_with_verb(self.plan, verb, MAX_SAMPLE_ROWS + 1))
        for row in rows:
            row.details = plan_output.row_details(row)
        return {"verb": verb, "rows": rows[:MAX_SAMPLE_ROWS], "more": len(rows) > MAX_SAMPLE_ROWS}

    def post(self, request, pk):
        action = PLAN_ACTIONS.get(request.POST.get("action"))
        if action is None:
            raise Http404
        if action == PLAN_ACTIONS["take-back"] and "confirmed" not in request.POST:
            return self.render_confirmation()
        try:
            perform(self.actor, action[0], self.plan.pk, *action[1:])
        except ValidationError as error:
            for text in error.messages:
                messages.error(request, text)
            return redirect("import", pk)
        if action[0] is workflow.discard_plan:
            messages.success(request, gettext("The import was discarded; nothing was changed."))
            return redirect("imports")
        return redirect("import", pk)

    def render_confirmation(self):
        """First what will go, then, by another POST, it goes."""
        rows = workflow.revert.pending_rows(self.plan)
        counts = {verb: rows.filter(verb=verb).count() for verb in (Verb.NEW, Verb.CHANGED)}
        return render(self.request, "transfer/return.html", {"plan": self.plan, "counts": counts})


PLAN_ACTIONS = {
    "apply": (workflow.start_operation, State.APPLYING),
    "take-back": (workflow.start_operation, State.RETURNING),
    "stop": (workflow.stop_plan,),
    "discard": (workflow.discard_plan,),
}


def has_no_worker(job):
    """Whether no worker has begun with this, though there was time."""
    return (
        bool(job)
        and job.state == Job.State.WAITING
        and timezone.now() - job.created > WORKER_START_TIMEOUT
    )


def allowed_actions(plan, going, counts):
    """The names of the actions that the plan's state has room for."""
    if going:
        return {"stop"} if plan.state in workflow.OPERATIONS else {"discard"}
    found = {
        action
        for action, (_s, *state) in PLAN_ACTIONS.items()
        if state and plan.state in workflow.ALLOWED_STATES_BEFORE[state[0]]
    }
    if plan.is_returning:
        found -= {"apply"}
    if plan.state == State.READY:
        found = {"discard"} | ({"apply"} if has_pending_changes(counts) else set())
    if plan.state in (State.READING, State.FAILED):
        found = {"discard"}
    return found


def has_pending_changes(counts):
    return any(row[Verb.NEW] or row[Verb.CHANGED] for row in counts.values())


class RefusedRowsView(PlanMixin, View):
    """The rows that were refused, as a file to be mended."""

    def get(self, request, pk):
        name = rejected_rows.rejects_filename(self.plan)
        kind = "text/csv" if name.endswith(".csv") else "application/json"
        return file_response(rejected_rows.render_rejects(self.plan), name, kind)


class PlanJSONView(PlanMixin, View):
    """The plan row by row, for programs and for those who want to read it all."""

    def get(self, request, pk):
        return file_response(
            plan_output.iter_plan_json(self.plan), f"plan-{pk}.json", "application/json"
        )


class ImportTemplateView(RoleRequiredMixin, View):
    """An empty file with the columns of a table and a row as example."""

    roles = Role.ADMINS

    def get(self, request, table):
        kind = ROW_TYPES_BY_TABLE.get(table)
        is_superadmin = request.user.role is Role.SUPERADMIN
        if kind not in row_types_writable_by(request.user):
            raise Http404
        text = io.StringIO()
        example = {
            n: v for n, v in kind.example.items() if is_superadmin or n in kind.domain_admin_columns
        }
        csv.writer(text).writerows([example.keys(), example.values()])
        return file_response([text.getvalue()], f"{table}.csv", "text/csv")


def file_response(pieces, name, kind):
    response = StreamingHttpResponse(pieces, content_type=f"{kind}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{sanitize_filename(name)}"'
    return response


def sanitize_filename(name):
    """A file's name that is nothing but a name in a header."""
    kept = (letter if letter.isalnum() or letter in "-_. " else "_" for letter in name)
    return "".join(kept).encode("ascii", "replace").decode().replace("?", "_")
