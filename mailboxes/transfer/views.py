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
from mailadmin.accounts.permissions import RoleRequired
from mailadmin.changes.perform import perform
from mailadmin.jobs.models import Job
from mailadmin.tables.forms import PlainForm
from mailboxes.models import Plan, PlanRow
from mailboxes.transfer.entries import UnfitSource
from mailboxes.transfer.plan import output as plan_output
from mailboxes.transfer.plan import rejected_rows, workflow
from mailboxes.transfer.readers import OWN_FORMATS, unpacking
from mailboxes.transfer.row_types import BY_TABLE

SHOWN = 30
LISTED = 200
SLOW = datetime.timedelta(seconds=15)  # for a worker to begin
State, Verb = Plan.State, PlanRow.Verb
MB = 2**20
SAMPLED = (Verb.CHANGED, Verb.NEW, Verb.REFUSED)
FORMATS = {
    "csv": _("CSV: one table, or a zip of several"),
    "json": _("JSON, as the panel exports it"),
    "postfixadmin": _("PostfixAdmin: a dump of its database (.sql, .sql.gz)"),
    "ispmail": _("ISPmail: a dump with virtual_domains, virtual_users, virtual_aliases"),
    "forwardings": _("A dump with domains, forwardings, users, transport"),
    "hashfiles": _("Postfix's own map files: a zip or tar of its folder"),
}


class UploadForm(PlainForm):
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
        names = FORMATS if self.is_superadmin else OWN_FORMATS
        self.fields["format"].choices = [(name, FORMATS[name]) for name in names]
        tables = typed_by(principal)
        told = [("", _("told by its columns"))]
        self.fields["table"].choices = told + [(k.table, capfirst(k.title)) for k in tables]
        if not self.is_superadmin:
            del self.fields["scheme"]

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file.size > settings.MAILADMIN_UPLOAD_MB * MB:
            text = _("The file has %(size)s; at most %(most)s MB are taken here.")
            size = filesizeformat(file.size)
            raise ValidationError(text % {"size": size, "most": settings.MAILADMIN_UPLOAD_MB})
        if unpacked_size(file) > settings.MAILADMIN_UPLOAD_MB * MB:
            text = _("Unpacked, the file is larger than the %(most)s MB that are taken here.")
            raise ValidationError(text % {"most": settings.MAILADMIN_UPLOAD_MB})
        return file

    def options(self):
        """What the reader is told besides the source."""
        name = "table" if self.cleaned_data["format"] in OWN_FORMATS else "scheme"
        value = self.cleaned_data.get(name)
        return {name: value} if value else {}


def unpacked_size(file) -> int:
    """How large the files of a zip say they are, which is what they are read to; 0 for others."""
    try:
        with unpacking.open_zip(file) as archive:
            return sum(info.file_size for info in archive.infolist())
    except UnfitSource as error:
        raise ValidationError(str(error)) from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return 0
    finally:
        file.seek(0)


def typed_by(person):
    """The kinds of rows that this person may write into a file of his own."""
    is_superadmin = person.role is Role.SUPERADMIN
    return [kind for kind in BY_TABLE.values() if kind.own or (is_superadmin and kind.is_typed)]


class Imports(RoleRequired, FormView):
    """What was imported, and the door for more."""

    roles = Role.ADMINS
    template_name = "transfer/imports.html"
    form_class = UploadForm

    def get_form_kwargs(self):
        return super().get_form_kwargs() | {"principal": self.request.user}

    def get_initial(self):
        table = self.request.GET.get("table", "")
        return {"table": table if table in BY_TABLE else "", "format": "csv"}

    def get_context_data(self, **kwargs):
        person = self.request.user
        plans = Plan.objects.of(person).exclude(state=State.DISCARDED).order_by("-pk")
        kinds = typed_by(person)
        return super().get_context_data(plans=plans[:LISTED], kinds=kinds, **kwargs)

    def form_valid(self, form):
        file, format_name = form.cleaned_data["file"], form.cleaned_data["format"]
        try:
            plan = perform(self.actor, workflow.upload_plan, format_name, file, form.options())
        except ValidationError as error:
            form.add_error(None, error)
            return self.form_invalid(form)
        return redirect("import", plan.pk)

    def form_invalid(self, form):
        return self.render_to_response(self.get_context_data(form=form), status=422)


class OfPlan(RoleRequired):
    """Something about one's own plan; a superadmin's are all."""

    roles = Role.ADMINS

    @cached_property
    def plan(self):
        plans = Plan.objects.of(self.request.user).exclude(state=State.DISCARDED)
        return get_object_or_404(plans, pk=self.kwargs["pk"])


class PlanPage(OfPlan, DetailView):
    """The plan: numbers, first rows, what is lost; and what can be done with it."""

    template_name = "transfer/plan.html"
    context_object_name = "plan"

    def get_object(self, queryset=None):
        return self.plan

    def get_context_data(self, **kwargs):
        plan = self.plan
        job = Job.objects.filter(pk=plan.job).first()
        going = job if job and not job.is_over else None
        counts = plan_output.counts(plan) if plan.state != State.READING else {}
        return super().get_context_data(
            job=job,
            going=going,
            is_waiting=is_waiting(going),
            verbs=list(Verb),
            counts=counts,
            totals={verb: sum(row[verb] for row in counts.values()) for verb in Verb},
            samples=[] if going else [self.sample(verb) for verb in SAMPLED],
            left=workflow.revert.left_behind(plan)[:SHOWN] if plan.state == State.RETURNED else [],
            may=allowed(plan, going, counts),
            **kwargs,
        )

    def sample(self, verb):
        """The first rows of this verb, and how they are told."""
        rows = list(plan_output.first_rows(self.plan, verb, SHOWN + 1))
        for row in rows:
            row.details = plan_output.details(row)
        return {"verb": verb, "rows": rows[:SHOWN], "more": len(rows) > SHOWN}

    def post(self, request, pk):
        action = ACTIONS.get(request.POST.get("action"))
        if action is None:
            raise Http404
        if action == ACTIONS["take-back"] and "confirmed" not in request.POST:
            return self.confirm()
        try:
            perform(self.actor, action[0], self.plan.pk, *action[1:])
        except ValidationError as error:
            for text in error.messages:
                messages.error(request, text)
            return redirect("import", pk)
        if action[0] is workflow.discard:
            messages.success(request, gettext("The import was discarded; nothing was changed."))
            return redirect("imports")
        return redirect("import", pk)

    def confirm(self):
        """First what will go, then, by another POST, it goes."""
        rows = workflow.revert.rows_to_write(self.plan)
        counts = {verb: rows.filter(verb=verb).count() for verb in (Verb.NEW, Verb.CHANGED)}
        return render(self.request, "transfer/return.html", {"plan": self.plan, "counts": counts})


ACTIONS = {
    "apply": (workflow.begin, State.APPLYING),
    "take-back": (workflow.begin, State.RETURNING),
    "stop": (workflow.stop,),
    "discard": (workflow.discard,),
}


def is_waiting(job):
    """Whether no worker has begun with this, though there was time."""
    return bool(job) and job.state == Job.State.WAITING and timezone.now() - job.created > SLOW


def allowed(plan, going, counts):
    """The names of the actions that the plan's state has room for."""
    if going:
        return {"stop"} if plan.state in workflow.WORK else {"discard"}
    found = {
        action
        for action, (_s, *state) in ACTIONS.items()
        if state and plan.state in workflow.FROM[state[0]]
    }
    if plan.is_returning:
        found -= {"apply"}
    if plan.state == State.READY:
        found = {"discard"} | ({"apply"} if has_work(counts) else set())
    if plan.state in (State.READING, State.FAILED):
        found = {"discard"}
    return found


def has_work(counts):
    return any(row[Verb.NEW] or row[Verb.CHANGED] for row in counts.values())


class Refused(OfPlan, View):
    """The rows that were refused, as a file to be mended."""

    def get(self, request, pk):
        name = rejected_rows.name_of_rejects(self.plan)
        kind = "text/csv" if name.endswith(".csv") else "application/json"
        return as_file(rejected_rows.rejects(self.plan), name, kind)


class WholePlan(OfPlan, View):
    """The plan row by row, for programs and for those who want to read it all."""

    def get(self, request, pk):
        return as_file(plan_output.as_json(self.plan), f"plan-{pk}.json", "application/json")


class Template(RoleRequired, View):
    """An empty file with the columns of a table and a row as example."""

    roles = Role.ADMINS

    def get(self, request, table):
        kind = BY_TABLE.get(table)
        is_superadmin = request.user.role is Role.SUPERADMIN
        if kind not in typed_by(request.user):
            raise Http404
        text = io.StringIO()
        example = {n: v for n, v in kind.example.items() if is_superadmin or n in kind.own}
        csv.writer(text).writerows([example.keys(), example.values()])
        return as_file([text.getvalue()], f"{table}.csv", "text/csv")


def as_file(pieces, name, kind):
    response = StreamingHttpResponse(pieces, content_type=f"{kind}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{safe(name)}"'
    return response


def safe(name):
    """A file's name that is nothing but a name in a header."""
    kept = (letter if letter.isalnum() or letter in "-_. " else "_" for letter in name)
    return "".join(kept).encode("ascii", "replace").decode().replace("?", "_")
