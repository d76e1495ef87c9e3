"""Actions on selected rows: confirmed on a page, then run, as a job if the rows are many."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.generic import View

from mailadmin.formatting import unicode_address
from mailadmin.jobs.selections import find_selection, load_selected_keys, store_selection
from mailadmin.tables.actions import DELETE, Action
from mailadmin.tables.forms import ConflictCheckedForm
from mailadmin.tables.table import MAX_IMMEDIATE_ROWS
from mailadmin.tables.views.base import FilteredView, add_undo_button
from mailadmin.tables.views.typed_confirmation import find_typing_error, get_text_to_type

MAX_REFERENCE_SEARCH = 2000  # keys for which references in other rows are searched


class TableBulkView(FilteredView, View):
    """Confirm and run one action on many rows, in one transaction."""

    screen = "bulk"
    route = "bulk/"
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        name = request.POST.get("action")
        actions = self.table.get_actions(request.user)
        action = next((each for each in actions if each.name == name), None)
        if action is None:
            messages.error(request, _("Select an action for the selected rows."))
            return self.redirect_to_list()
        if "kept" in request.POST:
            return self.run_selection(action, request.POST["kept"])
        keys = self.get_keys()
        if not keys:
            return self.redirect_nothing_selected()
        if "confirmed" not in request.POST:
            return self.render_confirmation(action, keys)
        return self.run(action, keys)

    def redirect_nothing_selected(self) -> HttpResponse:
        messages.warning(self.request, _("No rows were selected."))
        return self.redirect_to_list()

    def redirect_to_list(self) -> HttpResponse:
        return redirect(f"{self.table.url('list')}?{self.filter_query}")

    def get_keys(self) -> list[Any]:
        """Return the selected rows, or all that match the filters."""
        if self.request.POST.get("all") == "1":
            rows = self.table.select(self.request.user, self.filters)
            return list(rows.order_by("pk").values_list("pk", flat=True))
        selected = self.request.POST.getlist("keys")
        try:
            return list(self.get_queryset().filter(pk__in=selected).values_list("pk", flat=True))
        except ValueError as error:
            raise Http404 from error

    def render_confirmation(
        self,
        action: Action,
        keys: list[Any],
        errors: Sequence[str] = (),
        typing_error: str = "",
        form: ConflictCheckedForm | None = None,
        status: int = 200,
    ) -> HttpResponse:
        """Show what will happen. Many keys are stored, so that exactly these are confirmed."""
        is_delete, are_few = action is DELETE, len(keys) <= MAX_IMMEDIATE_ROWS
        is_searched = is_delete and len(keys) <= MAX_REFERENCE_SEARCH
        references = self.table.inbound_references
        cascade_counts = self.table.cascade_counts(keys) if is_delete else []
        context = {
            "table": self.table,
            "filter_query": self.filter_query,
            "action": action,
            "heading": action.describe(self.table.format_count(len(keys))),
            "keys": keys if are_few else [],
            "kept": None if are_few else self.store_selection(action, keys),
            "shown": keys[:10],
            "count": len(keys),
            "rest": max(0, len(keys) - 10),
            "cascade_counts": cascade_counts,
            "text_to_type": unicode_address(get_text_to_type(keys, cascade_counts)),
            "typing_error": typing_error,
            "inbound_references": references(keys, self.request.user) if is_searched else [],
            "not_searched": is_delete and not is_searched,
            "errors": errors,
            "form": form or (action.form_class() if action.form_class else None),
        }
        return render(self.request, "tables/bulk.html", context, status=status)

    def store_selection(self, action: Action, keys: list[Any]) -> int:
        return store_selection(self.actor, self.table.slug, action.name, keys)

    def run(self, action: Action, keys: list[Any]) -> HttpResponse:
        if action is DELETE and (refusal := self.refuse_untyped(action, keys)):
            return refusal
        form = self.get_form(action)
        if form and not form.is_valid():
            return self.render_confirmation(action, keys, form=form, status=422)
        undo = self.find_undo(action, keys)
        try:
            job = self.table.run_action(self.actor, action, keys, entered=get_entered(form))
        except ValidationError as error:
            return self.render_confirmation(action, keys, error.messages, form=form, status=422)
        if job:
            return redirect("job", job.pk)
        text = action.describe_done(self.table.format_count(len(keys)))
        url = f"{self.table.url('bulk')}?{self.filter_query}"
        messages.success(self.request, add_undo_button(text, url, undo) if undo else text)
        return self.redirect_to_list()

    def find_undo(self, action: Action, keys: list[Any]) -> dict[str, Any]:
        """Return what to post to set back those rows that the action changes; empty for a job."""
        wanted = action.field, not action.value
        reverse = [each for each in self.table.actions if (each.field, each.value) == wanted]
        if not action.field or not reverse or len(keys) > MAX_IMMEDIATE_ROWS:
            return {}
        rows = self.get_queryset().filter(pk__in=keys, **{action.field: not action.value})
        changed = list(rows.order_by("pk").values_list("pk", flat=True))
        undo = {"action": reverse[0].name, "confirmed": "1", "keys": changed}
        return undo if changed else {}

    def run_selection(self, action: Action, number: str) -> HttpResponse:
        """Start the job of a stored selection after its confirmation."""
        selection = find_selection(self.request.user, self.table.slug, action.name, number)
        if selection is None:
            return self.redirect_nothing_selected()
        if action is DELETE:
            refusal = self.refuse_untyped(action, load_selected_keys(selection))
            if refusal:
                return refusal
        form = self.get_form(action)
        if form and not form.is_valid():
            keys = load_selected_keys(selection)
            return self.render_confirmation(action, keys, form=form, status=422)
        try:
            job = self.table.run_selection_action(self.actor, action, selection, get_entered(form))
        except ValidationError as error:
            keys = load_selected_keys(selection)
            return self.render_confirmation(action, keys, error.messages, form=form, status=422)
        return redirect("job", job.pk)

    def get_form(self, action: Action) -> ConflictCheckedForm | None:
        """Return the action's form as it was sent; None if it has none."""
        return action.form_class(self.request.POST) if action.form_class else None

    def refuse_untyped(self, action: Action, keys: list[Any]) -> HttpResponse | None:
        """Ask again if a deletion deletes many other rows and was not confirmed by typing."""
        error = find_typing_error(self.table, keys, self.request.POST)
        if not error:
            return None
        return self.render_confirmation(action, keys, typing_error=error, status=422)


def get_entered(form: ConflictCheckedForm | None) -> dict[str, Any] | None:
    """Return what was entered into a form, as it can be stored with a job."""
    if form is None:
        return None
    return {name: form.data[name] for name in form.fields if name in form.data}
