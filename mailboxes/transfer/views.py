"""The pages of imports: upload, plan, apply, undo, and the files that go with them."""

import csv
import datetime
import io
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.generic import DetailView, FormView, View

from mailadmin.accounts.models import Principal, Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.accounts.proof import RecentProofMixin
from mailadmin.changes.perform import perform
from mailadmin.downloads import file_response
from mailadmin.jobs.models import Job
from mailadmin.tables.form_sections import Section
from mailadmin.tables.forms import ValidatedTextForm
from mailboxes.models import Plan, PlanRow
from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.plan import output as plan_output
from mailboxes.transfer.plan import rejected_rows, revert, workflow
from mailboxes.transfer.plan.details import PAGE_FORMAT
from mailboxes.transfer.plan.output import PlanCounts
from mailboxes.transfer.readers import NATIVE_FORMATS, READERS, unpacking
from mailboxes.transfer.row_types import ROW_TYPES_BY_TABLE, RowType

MAX_SAMPLE_ROWS = 30
MAX_LISTED_PLANS = 200
WORKER_START_TIMEOUT = datetime.timedelta(seconds=15)  # until a running worker takes a job
State, Verb = Plan.State, PlanRow.Verb
BYTES_PER_MB = 2**20
SAMPLED_VERBS = (Verb.CHANGED, Verb.NEW, Verb.REFUSED)
IMPORT_FORMATS = {
    "csv": _("CSV: one table, or a zip of several"),
    "json": _("JSON exported by this panel"),
    "postfixadmin": _("PostfixAdmin: a dump of its database (.sql, .sql.gz)"),
    "ispmail": _("ISPmail: a dump with virtual_domains, virtual_users, virtual_aliases"),
    "forwardings": _("A dump with domains, forwardings, users, transport"),
    "hashfiles": _("Postfix map files: a zip or tar of the folder"),
}


class ImportUploadForm(ValidatedTextForm):
    """A file of another system, or of this panel."""

    sections = (
        Section("", ("format", "file", "table")),
        Section(_("Advanced"), ("scheme",), is_advanced=True),
    )
    format = forms.ChoiceField(label=_("File format"))
    file = forms.FileField(label=_("File"), allow_empty_file=False)
    table = forms.ChoiceField(
        label=_("Contents"),
        required=False,
        help_text=_("For CSV and JSON. Usually detected from the columns."),
    )
    scheme = forms.CharField(
        label=_("Default password scheme (optional)"),
        required=False,
        max_length=40,
        help_text=_(
            "Used for hashes without a {SCHEME} prefix (default_pass_scheme of the old Dovecot)."
        ),
    )

    def __init__(self, *args: Any, principal: Principal, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_superadmin = principal.role is Role.SUPERADMIN
        names = IMPORT_FORMATS if self.is_superadmin else NATIVE_FORMATS
        fields: Any = self.fields
        fields["format"].choices = [(name, IMPORT_FORMATS[name]) for name in names]
        tables = row_types_writable_by(principal)
        choices = [(each.table, capfirst(str(each.title))) for each in tables]
        fields["table"].choices = [("", _("Detect from columns")), *choices]
        if not self.is_superadmin:
            del self.fields["scheme"]

    def clean_file(self) -> UploadedFile:
        file = self.cleaned_data["file"]
        if file.size > settings.MAILADMIN_UPLOAD_MB * BYTES_PER_MB:
            text = _("The file has %(size)s. The maximum is %(most)s MB.")
            size = filesizeformat(file.size)
            raise ValidationError(text % {"size": size, "most": settings.MAILADMIN_UPLOAD_MB})
        if unpacked_size(file) > settings.MAILADMIN_UPLOAD_MB * BYTES_PER_MB:
            text = _("The unpacked file is larger than the maximum of %(most)s MB.")
            raise ValidationError(text % {"most": settings.MAILADMIN_UPLOAD_MB})
        return file

    def options(self) -> dict[str, str]:
        """Return the options of the reader."""
        name = READERS[self.cleaned_data["format"]].option
        value = self.cleaned_data.get(name)
        return {name: value} if value else {}


def unpacked_size(file: UploadedFile) -> int:
    """Return the size of a zip's files, 0 for other files.

    It is what the zip states, and no more than that is read of each file.
    """
    try:
        with unpacking.open_zip(file) as archive:
            return sum(info.file_size for info in archive.infolist())
    except SourceError as error:
        raise ValidationError(str(error)) from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return 0
    finally:
        file.seek(0)


def row_types_writable_by(principal: Principal) -> list[RowType]:
    """Return the row types that the principal may import from their own files."""
    is_superadmin = principal.role is Role.SUPERADMIN
    return [
        row_type
        for row_type in ROW_TYPES_BY_TABLE.values()
        if row_type.domain_admin_columns or (is_superadmin and row_type.example)
    ]


class ImportListView(RoleRequiredMixin, FormView):
    """The upload form, and the previous imports."""

    roles = Role.ADMINS
    template_name = "transfer/imports.html"
    form_class = ImportUploadForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"principal": self.request.user}

    def get_initial(self) -> dict[str, str]:
        table = self.request.GET.get("table", "")
        return {"table": table if table in ROW_TYPES_BY_TABLE else "", "format": "csv"}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        principal = self.principal
        plans = Plan.objects.visible_to(principal).exclude(state=State.DISCARDED).order_by("-pk")
        row_types = row_types_writable_by(principal)
        return super().get_context_data(plans=plans[:MAX_LISTED_PLANS], kinds=row_types, **kwargs)

    def form_valid(self, form: ImportUploadForm) -> HttpResponse:
        file, format_name = form.cleaned_data["file"], form.cleaned_data["format"]
        try:
            plan = perform(
                self.actor, workflow.create_plan_from_upload, format_name, file, form.options()
            )
        except ValidationError as error:
            form.add_error(None, error)
            return self.form_invalid(form)
        return redirect("import", plan.pk)

    def form_invalid(self, form: ImportUploadForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


class PlanMixin(RoleRequiredMixin):
    """A view of one plan: one of the user's own, for superadmins any."""

    roles = Role.ADMINS
    kwargs: dict[str, Any]

    @cached_property
    def plan(self) -> Plan:
        plans = Plan.objects.visible_to(self.request.user).exclude(state=State.DISCARDED)
        return get_object_or_404(plans, pk=self.kwargs["pk"])


class PlanDetailView(RecentProofMixin, PlanMixin, DetailView):
    """A plan's numbers, first rows and losses, and the actions that it allows."""

    template_name = "transfer/plan.html"
    context_object_name = "plan"

    def needs_proof(self, request: HttpRequest) -> bool:
        """Ask before an import, which can set passwords and make superadmins."""
        return request.POST.get("action") == "apply"

    def get_object(self, queryset: QuerySet[Plan] | None = None) -> Plan:
        return self.plan

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        plan = self.plan
        job = Job.objects.filter(pk=plan.job).first() if plan.job else None
        active_job = job if job and not job.is_finished else None
        counts = plan_output.count_by_verb(plan) if plan.state != State.READING else {}
        return super().get_context_data(
            job=job,
            going=active_job,
            is_waiting=has_no_worker(active_job),
            verbs=list(Verb),
            counts=counts,
            totals={verb: sum(row[verb] for row in counts.values()) for verb in Verb},
            samples=[] if active_job else [self.sample_rows(verb) for verb in self.sampled_verbs],
            **(self.summarize_undoing() if plan.state == State.RETURNED else {}),
            may=allowed_actions(plan, active_job, counts),
            **kwargs,
        )

    def summarize_undoing(self) -> dict[str, Any]:
        """Return how many rows were deleted and restored, and which were left as they are."""
        return {
            "undone": count_by_written_verb(revert.reverted_rows(self.plan)),
            "left": revert.unreverted_rows(self.plan)[:MAX_SAMPLE_ROWS],
        }

    @property
    def sampled_verbs(self) -> tuple[PlanRow.Verb, ...]:
        """Return the verbs whose rows are shown; what was undone is not new any more."""
        return (Verb.REFUSED,) if self.plan.state == State.RETURNED else SAMPLED_VERBS

    def sample_rows(self, verb: PlanRow.Verb) -> dict[str, Any]:
        """Return the first rows of this verb with their details."""
        rows = list(plan_output.rows_with_verb(self.plan, verb, MAX_SAMPLE_ROWS + 1))
        samples = [(row, PAGE_FORMAT.describe(row)) for row in rows[:MAX_SAMPLE_ROWS]]
        return {
            "verb": verb,
            "rows": samples,
            "has_details": any(details for _row, details in samples),
            "more": len(rows) > MAX_SAMPLE_ROWS,
        }

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        action = PLAN_ACTIONS.get(request.POST.get("action", ""))
        if action is None:
            raise Http404
        if action.needs_confirmation and "confirmed" not in request.POST:
            return self.render_confirmation()
        try:
            perform(self.actor, action.service, self.plan.pk, *action.states)
        except ValidationError as error:
            for text in error.messages:
                messages.error(request, text)
            return redirect("import", pk)
        if action.removes_plan:
            messages.success(request, gettext("The import was discarded. Nothing was changed."))
            return redirect("imports")
        return redirect("import", pk)

    def render_confirmation(self) -> HttpResponse:
        """Show what will be undone; a second POST confirms it."""
        counts = count_by_written_verb(revert.pending_rows(self.plan))
        return render(self.request, "transfer/return.html", {"plan": self.plan, "counts": counts})


def count_by_written_verb(rows: QuerySet[PlanRow]) -> dict[PlanRow.Verb, int]:
    """Return how many of these rows the import created and how many it changed."""
    return {verb: rows.filter(verb=verb).count() for verb in (Verb.NEW, Verb.CHANGED)}


class PlanAction(NamedTuple):
    """A button of a plan's page: the service that it calls, with the state to enter, if any."""

    service: Callable[..., Any]
    states: tuple[Plan.State, ...] = ()
    needs_confirmation: bool = False
    removes_plan: bool = False


PLAN_ACTIONS = {
    "apply": PlanAction(workflow.start_operation, (State.APPLYING,)),
    "take-back": PlanAction(workflow.start_operation, (State.RETURNING,), needs_confirmation=True),
    "stop": PlanAction(workflow.stop_plan),
    "discard": PlanAction(workflow.discard_plan, removes_plan=True),
}


def has_no_worker(job: Job | None) -> bool:
    """Tell whether no worker has started the job in the time that one needs."""
    return (
        job is not None
        and job.state == Job.State.WAITING
        and timezone.now() - job.created > WORKER_START_TIMEOUT
    )


def allowed_actions(plan: Plan, active_job: Job | None, counts: PlanCounts) -> set[str]:
    """Return the names of the actions that the plan's state allows."""
    if active_job:
        return {"stop"} if plan.state in workflow.OPERATIONS else {"discard"}
    if plan.state == State.READY:
        return {"discard", "apply"} if has_pending_changes(counts) else {"discard"}
    if plan.state in (State.READING, State.FAILED):
        return {"discard"}
    names = {
        name
        for name, action in PLAN_ACTIONS.items()
        for state in action.states
        if plan.state in workflow.OPERATIONS[state].allowed_from
    }
    return names - {"apply"} if plan.is_returning else names


def has_pending_changes(counts: PlanCounts) -> bool:
    return any(row[Verb.NEW] or row[Verb.CHANGED] for row in counts.values())


class RefusedRowsView(PlanMixin, View):
    """The rejected rows, as a file to correct."""

    def get(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        name = rejected_rows.rejects_filename(self.plan)
        content_type = "text/csv" if name.endswith(".csv") else "application/json"
        return file_response(rejected_rows.render_rejects(self.plan), name, content_type)


class PlanJSONView(PlanMixin, View):
    """The whole plan as JSON."""

    def get(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        return file_response(
            plan_output.iter_plan_json(self.plan), f"plan-{pk}.json", "application/json"
        )


class ImportTemplateView(RoleRequiredMixin, View):
    """A CSV file with the columns of a table and an example row."""

    roles = Role.ADMINS

    def get(self, request: HttpRequest, table: str) -> StreamingHttpResponse:
        row_type = ROW_TYPES_BY_TABLE.get(table)
        is_superadmin = self.principal.role is Role.SUPERADMIN
        if row_type not in row_types_writable_by(self.principal):
            raise Http404
        text = io.StringIO()
        example = {
            n: v
            for n, v in row_type.example.items()
            if is_superadmin or n in row_type.domain_admin_columns
        }
        csv.writer(text).writerows([example.keys(), example.values()])
        return file_response([text.getvalue()], f"{table}.csv", "text/csv")
