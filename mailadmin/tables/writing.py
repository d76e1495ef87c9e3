"""The screens that change one row. They bind a form or name a service, and write nothing."""

import json

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.generic import CreateView, DetailView, UpdateView, View

from mailadmin.changes.perform import perform
from mailadmin.names import typed_domain
from mailadmin.tables.table import DELETE, Screen
from mailadmin.templatetags.rows import draw_toggle


class Saving:
    """Bind, save by the form's service, go on; or show the form with its errors."""

    def get_form_kwargs(self):
        return super().get_form_kwargs() | {"actor": self.actor}

    def form_valid(self, form):
        self.object_saved = form.save()
        if form.errors:
            return self.form_invalid(form)
        messages.success(self.request, self.success_text(form))
        for text in self.warning_texts():
            messages.warning(self.request, text)
        return redirect(self.get_success_url())

    def warning_texts(self) -> list[str]:
        """What is doubtful about the row that was saved."""
        return []

    def form_invalid(self, form):
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def get_success_url(self):
        return self.url_beside(self.object_saved)


class SavingRow(Saving):
    """The same for a row of a table."""

    def warning_texts(self) -> list[str]:
        row = self.object_saved
        return self.warnings(self.request.user, [row]).get(row.pk, [])


class Create(SavingRow, Screen, CreateView):
    screen = "create"
    route = "create/"

    def get_initial(self):
        """A link may say the domain of the page it stands on, and nothing else."""
        domain = self.request.GET.get("domain")
        return super().get_initial() | ({"domain": typed_domain(domain)} if domain else {})

    def success_text(self, form):
        return _("%(row)s was created.") % {"row": self.object_saved}


class Edit(SavingRow, Screen, UpdateView):
    screen = "edit"
    route = "<key:key>/edit/"

    def success_text(self, form):
        return _("%(row)s was saved.") % {"row": self.object}


class Delete(Screen, DetailView):
    """First what will go, then, by POST, it goes."""

    screen = "delete"
    route = "<key:key>/delete/"

    def get_context_data(self, **kwargs):
        keys = [self.object.pk]
        objections = self.objections(keys)
        kwargs = {"errors": objections, "objections": objections} | kwargs
        return super().get_context_data(
            what=self.what_goes(keys), elsewhere=self.pointing_at(keys), **kwargs
        )

    def post(self, request, key):
        self.object = self.get_object()
        text = str(self.object)
        try:
            job = self.carry_out(self.actor, DELETE, [self.object.pk])
        except ValidationError as error:
            context = self.get_context_data(object=self.object, errors=error.messages)
            return render(request, self.get_template_names(), context, status=422)
        if job:
            return redirect("job", job.pk)
        messages.success(request, _("%(row)s was deleted.") % {"row": text})
        return redirect(self.url_beside(self.object))


class Toggle(Screen, View):
    """Set a mark of one row to the value wanted; a double click does not undo itself."""

    screen = "toggle"
    route = "<key:key>/toggle/"
    http_method_names = ["post"]

    def post(self, request, key):
        row = self.get_object()
        field, value = request.POST.get("field", "active"), request.POST.get("value")
        if field not in self.toggles or value not in ("0", "1"):
            return HttpResponseBadRequest(_("This is not something to switch."))
        try:
            perform(self.actor, type(self).set_service, [row.pk], field, value == "1")
        except ValidationError as error:
            return self.refused(error)
        if "HX-Request" in request.headers:
            row = self.get_object()
            return HttpResponse(draw_toggle(request, self, row, field))
        messages.success(request, _("%(row)s was saved.") % {"row": row})
        return redirect(self.back_url())

    def refused(self, error):
        if "HX-Request" in self.request.headers:
            response = HttpResponse(status=422)
            response["HX-Trigger"] = json.dumps({"refused": error.messages})
            return response
        for text in error.messages:
            messages.error(self.request, text)
        return redirect(self.back_url())

    def back_url(self):
        query = self.request.POST.get("back", "")
        return self.url("list") + (query if query.startswith("?") else "")
