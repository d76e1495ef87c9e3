"""Many rows at once: what was ticked is shown, confirmed and done, by a job where it is much."""

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import View

from mailadmin.jobs.runner import ROWS_A_STEP, find_selection, keep_selection, selected_keys
from mailadmin.tables.reading import Filtered
from mailadmin.tables.table import AT_ONCE, DELETE, Screen

SEARCHED = 2000  # keys for which aliases elsewhere are looked through


class Bulk(Filtered, Screen, View):
    """Ticked rows: one confirmation, one transaction, one report; very many become a job."""

    screen = "bulk"
    route = "bulk/"
    http_method_names = ["post"]

    def post(self, request):
        action = next((a for a in self.actions if a.name == request.POST.get("action")), None)
        if action is None:
            messages.error(request, _("Choose what to do with the ticked rows."))
            return self.back()
        if "kept" in request.POST:
            return self.run_selection(action, request.POST["kept"])
        keys = self.keys()
        if not keys:
            return self.nothing_selected()
        if "confirmed" not in request.POST:
            return self.confirm(action, keys)
        return self.run(action, keys)

    def nothing_selected(self):
        messages.warning(self.request, _("No rows were selected."))
        return self.back()

    def back(self):
        return redirect(f"{self.url('list')}?{self.filter_query}")

    def keys(self):
        """The rows that were selected, or all of the filter."""
        if self.request.POST.get("all") == "1":
            rows = self.listed(self.filtered())
            return list(rows.order_by("pk").values_list("pk", flat=True))
        ticked = self.request.POST.getlist("keys")
        try:
            return list(self.get_queryset().filter(pk__in=ticked).values_list("pk", flat=True))
        except ValueError as error:
            raise Http404 from error

    def confirm(self, action, keys, errors=(), status=200):
        """Show what will happen. Very many keys are kept here, so that just these are confirmed."""
        delete, few = action is DELETE, len(keys) <= AT_ONCE
        context = {
            "crud": self,
            "action": action,
            "keys": keys if few else [],
            "kept": None if few else keep_selection(self.actor, self.slug, action.name, keys),
            "shown": keys[:10],
            "count": len(keys),
            "rest": max(0, len(keys) - 10),
            "what": self.what_goes(keys) if delete else [],
            "elsewhere": self.pointing_at(keys) if delete and len(keys) <= SEARCHED else [],
            "not_searched": delete and len(keys) > SEARCHED,
            "errors": errors,
        }
        return render(self.request, "crud/bulk.html", context, status=status)

    def run(self, action, keys):
        try:
            job = self.carry_out(self.actor, action, keys)
        except ValidationError as error:
            return self.confirm(action, keys, error.messages, 422)
        if job:
            return redirect("job", job.pk)
        text = ngettext("%(action)s: %(count)s row.", "%(action)s: %(count)s rows.", len(keys))
        messages.success(self.request, text % {"count": len(keys), "action": action.label})
        return self.back()

    def run_selection(self, action, number):
        """Start the job of a selection that was shown and is confirmed now."""
        selection = find_selection(self.request.user, self.slug, action.name, number)
        if selection is None:
            return self.nothing_selected()
        try:
            job = self.carry_out_selection(self.actor, action, selection)
        except ValidationError as error:
            return self.confirm(action, selected_keys(selection), error.messages, 422)
        return redirect("job", job.pk)


def next_bulk_step(job):
    """The next rows of a bulk action; rows that are gone by now are passed over."""
    given = job.arguments
    position = -(-job.done // ROWS_A_STEP)  # the last part may be shorter
    part = job.selection.filter(position=position).values_list("keys", flat=True).first()
    if not part:
        return None
    crud = next(
        c for c in import_string(f"{settings.ROOT_URLCONF}.CRUDS") if c.slug == given["table"]
    )
    action = next(a for a in crud.actions if a.name == given["action"])
    there = set(crud.model._default_manager.filter(pk__in=part).values_list("pk", flat=True))
    service, *arguments = crud.step(action, [key for key in part if key in there])
    return service, arguments, len(part)
