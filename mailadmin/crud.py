"""A table in one small class: its screens, URLs and menu entry follow from what it declares."""

import csv
import json
from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Count, Q, Value
from django.http import Http404, HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.functional import cached_property
from django.utils.module_loading import import_string
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import CreateView, DetailView, ListView, UpdateView, View

from mailadmin.auth import RoleRequired
from mailadmin.fields import column_holds, typed_domain
from mailadmin.jobs import ROWS_A_STEP, keep_keys, start_job, taken_keys
from mailadmin.models import Role
from mailadmin.writes import Actor, chunks, is_scoped, perform

WORDS = 12  # of a search; more would be a query that no database likes
AT_ONCE = 200  # more rows than this are a job's matter
PICKS = 20


@dataclass(frozen=True)
class Column:
    """A column of a list that is not simply a field: its heading, and the template of its cells."""

    name: str
    label: str
    template: str


@dataclass(frozen=True)
class Action:
    """Something to do with ticked rows."""

    name: str
    label: str
    field: str = ""
    value: bool = False


ACTIVATE = Action("activate", gettext_lazy("Activate"), "active", True)
DEACTIVATE = Action("deactivate", gettext_lazy("Deactivate"), "active", False)
DELETE = Action("delete", gettext_lazy("Delete"))


class Crud(RoleRequired):
    """What one table declares, and what all its screens share."""

    model = None
    form_class = None
    slug = ""
    icon = "table"
    columns = ()
    export_columns = None
    search_fields = ()
    domain_lookup = "domain"
    roles = {}
    toggles = {"active": gettext_lazy("active")}
    actions = (ACTIVATE, DEACTIVATE, DELETE)
    newest_first = False
    empty_text = gettext_lazy("There is nothing here yet.")
    delete_service = None
    set_service = None
    screen = None
    context_object_name = "record"
    pk_url_kwarg = "key"

    # Roles and scope

    @classmethod
    def is_offered(cls):
        """Whether the operator wants this table in the panel at all."""
        return True

    def get_roles(self):
        return self.roles[self.screen] if self.is_offered() else Role(0)

    @classmethod
    def may(cls, screen, principal):
        return cls.is_offered() and screen in cls.roles and principal.role in cls.roles[screen]

    def get_queryset(self):
        return self.model._default_manager.visible_to(self.request.user)

    def get_object(self, queryset=None):
        """A foreign row and one that does not exist are the same to you."""
        try:
            return self.get_queryset().get(pk=self.kwargs["key"])
        except (self.model.DoesNotExist, ValueError) as error:
            raise Http404 from error

    @classmethod
    def listed(cls, rows):
        """The rows that lists and search show, of those there are."""
        return rows

    def of_domain(self, rows, name):
        return rows.filter(**{self.domain_lookup: name})

    @property
    def actor(self):
        return Actor.from_request(self.request)

    # Many rows

    @classmethod
    def carry_out(cls, actor, action, keys):
        """Do it at once; what is too much for one request becomes a job, which is returned."""
        if len(keys) <= AT_ONCE:
            service, *arguments = cls.step(action, keys)
            perform(actor, service, *arguments)
            return None
        arguments = {"table": cls.slug, "action": action.name, "keys": keys}
        title = f"{action.label}: {len(keys)} × {cls.label()}"
        return start_job(actor, "bulk", title, arguments, len(keys))

    @classmethod
    def step(cls, action, keys):
        """The service that does it, with its arguments."""
        if action is DELETE:
            return cls.delete_service, keys
        return cls.set_service, keys, action.field, action.value

    # Names

    @classmethod
    def url(cls, screen, key=None):
        return reverse(f"{cls.slug}-{screen}", args=[key] if key is not None else None)

    def get_template_names(self):
        name = f"{self.model._meta.app_label}/{self.model._meta.model_name}_{self.screen}.html"
        return [name, f"crud/{self.screen}.html"]

    @classmethod
    def label(cls):
        return capfirst(cls.model._meta.verbose_name_plural)

    @classmethod
    def model_name(cls):
        return cls.model._meta.verbose_name

    def get_context_data(self, **kwargs):
        return super().get_context_data(crud=self, may=self.may_screen(), **kwargs)

    def may_screen(self):
        """Which screens this person may open: no link is drawn to another."""
        return {screen: self.may(screen, self.request.user) for screen in self.roles}

    # Cells

    @cached_property
    def list_columns(self):
        return [self.column(name) for name in self.columns]

    def column(self, name):
        if isinstance(name, Column):
            return name
        field = self.model._meta.get_field(name)
        return Column(name, capfirst(field.verbose_name), f"crud/cells/{cell_kind(field)}.html")

    def decorate(self, rows):
        """Hang on the rows of a page what their cells show beside their own columns."""
        return rows

    def going(self, keys):
        """The rows of other tables that a deletion takes along, as querysets."""
        return [
            relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": keys})
            for relation in self.model._meta.related_objects
            if relation.on_delete is models.CASCADE and is_scoped(relation.related_model)
        ]

    def what_goes(self, keys):
        """How many rows of each table go; one query for five hundred keys."""
        found = Counter()
        for part in chunks(keys):
            tables = self.going(part)
            for row in counted(tables):
                model = tables[int(row["kind"])].model
                found[capfirst(model._meta.verbose_name_plural)] += row["count"]
        return list(found.items())

    def pointing_at(self, keys):
        """Rows elsewhere, of those this person may see, that name what goes."""
        return []

    # URLs

    @classmethod
    def get_urls(cls):
        return [
            path(f"{cls.slug}/{screen.route}", screen.of(cls).as_view(), name=f"{cls.slug}-{name}")
            for name, screen in SCREENS.items()
            if name in cls.roles
        ]


def counted(tables):
    """(number of the table, count) of all these querysets, in one query."""
    counts = [
        rows.order_by()
        .values(kind=Value(str(number), models.CharField()))
        .annotate(count=Count("*"))
        for number, rows in enumerate(tables)
    ]
    found = counts[0].union(*counts[1:], all=True) if counts else []
    return [row for row in found if row["count"]]


def cell_kind(field):
    match field:
        case models.BooleanField():
            return "boolean"
        case models.DateTimeField():
            return "moment"
        case models.ForeignKey():
            return "domain"
        case models.IntegerField():
            return "number"
    return "key" if field.primary_key else "text"


class Screen:
    """One kind of page. `of` joins it with a table's declaration, whose overrides win."""

    @classmethod
    def of(cls, crud):
        return type(f"{crud.__name__}{cls.__name__}", (crud, cls), {"screen": cls.screen})


# Reading


class Filtered:
    """The rows a list shows: scope, then domain, state and search."""

    @cached_property
    def filters(self):
        given = {name: self.request.GET.get(name, "").strip() for name in ("domain", "active", "q")}
        return {name: value for name, value in given.items() if value}

    def filtered(self):
        rows = self.get_queryset()
        if domain := self.filters.get("domain"):
            rows = self.of_domain(rows, typed_domain(domain))
        if (active := self.filters.get("active")) in ("0", "1"):
            rows = rows.filter(active=active == "1")
        return search(rows, self.search_fields, self.filters.get("q", ""))


def search(rows, names, text):
    """Every word in one of the columns; a column that cannot hold a word cannot contain it."""
    for word in text.split()[:WORDS]:
        fields = [(name, rows.model._meta.get_field(name.split("__")[0])) for name in names]
        found = [
            Q(**{f"{name}__icontains": spelling})
            for name, field in fields
            for spelling in {word, typed_domain(word)}
            if column_holds(field, spelling)
        ]
        if "\x00" in word or not found:
            return rows.none()
        rows = rows.filter(Q(*found, _connector=Q.OR))
    return rows


class List(Filtered, Screen, ListView):
    screen = "list"
    route = ""

    def get_queryset_page(self):
        """A page by key: one row more than it shows tells whether there is a next."""
        size = settings.MAILADMIN_PAGE_SIZE
        after, before = self.cursor("after"), self.cursor("before")
        ascending = self.ascending
        backwards = before is not None
        rows = self.listed(self.filtered()).order_by("pk" if ascending != backwards else "-pk")
        if (edge := before if backwards else after) is not None:
            rows = rows.filter(**{"pk__gt" if ascending != backwards else "pk__lt": edge})
        rows = list(rows[: size + 1])
        more, rows = len(rows) > size, rows[:size]
        if backwards:
            rows.reverse()
        self.has_previous = more if backwards else after is not None
        self.has_next = more if not backwards else True
        return self.decorate(rows)

    @property
    def ascending(self):
        return (self.request.GET.get("dir") == "desc") == self.newest_first

    def cursor(self, name):
        value = self.request.GET.get(name)
        if value in (None, ""):
            return None
        try:
            return self.model._meta.pk.to_python(value)
        except ValidationError as error:
            raise Http404 from error

    def get(self, request, *args, **kwargs):
        self.object_list = rows = self.get_queryset_page()
        context = self.get_context_data(
            rows=rows,
            filters=self.filters,
            before_url=self.page_url(before=rows[0].pk) if rows and self.has_previous else "",
            after_url=self.page_url(after=rows[-1].pk) if rows and self.has_next else "",
            turned_url=self.page_url(dir="asc" if request.GET.get("dir") == "desc" else "desc"),
        )
        return self.render_to_response(context)

    def page_url(self, **change):
        kept = {k: v for k, v in self.request.GET.items() if k in ("dir", *self.filter_names)}
        return "?" + urlencode(kept | change)

    @property
    def filter_names(self):
        return ("domain", "active", "q")

    @property
    def has_state(self):
        return any(field.name == "active" for field in self.model._meta.fields)

    @property
    def filter_query(self):
        return urlencode(self.filters)


class Echo:
    def write(self, value):
        return value


class Export(Filtered, Screen, View):
    """The filtered rows as CSV, streamed."""

    screen = "export"
    route = "export/"

    def get(self, request):
        names = self.export_columns or [f.name for f in self.model._meta.fields if is_public(f)]
        rows = self.listed(self.filtered()).order_by("pk")
        fields = [self.model._meta.get_field(name) for name in names]
        writer = csv.writer(Echo())
        lines = (
            [harmless(cell_text(field.value_from_object(row))) for field in fields]
            for row in rows.iterator(chunk_size=2000)
        )
        response = StreamingHttpResponse(
            (writer.writerow(line) for line in prepend([f.column for f in fields], lines)),
            content_type="text/csv; charset=utf-8",
        )
        response["Content-Disposition"] = f'attachment; filename="{self.slug}.csv"'
        return response


def is_public(field):
    return not getattr(field, "secret", False)


def prepend(first, rest):
    yield first
    yield from rest


def cell_text(value):
    if isinstance(value, bool):
        return "1" if value else "0"
    return "" if value is None else str(value)


def harmless(text):
    """A cell that a spreadsheet would run as a formula begins with a quote instead."""
    if (
        text[:1] in ("\t", "\r", "\n") or text.lstrip()[:1] in ("=", "+", "-", "@")
    ) and not text.lstrip("-").replace(".", "").isdigit():
        return "'" + text
    return text


# Writing


class Saving:
    """Bind, save by the form's service, go on; or show the form with its errors."""

    def get_form_kwargs(self):
        return super().get_form_kwargs() | {"actor": self.actor}

    def form_valid(self, form):
        self.object_saved = form.save()
        if form.errors:
            return self.form_invalid(form)
        messages.success(self.request, self.success_text(form))
        return redirect(self.get_success_url())

    def form_invalid(self, form):
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def get_success_url(self):
        """Back to the rows of the same domain."""
        domain = getattr(self.object_saved, "domain_id", None)
        return self.url("list") + (f"?{urlencode({'domain': domain})}" if domain else "")


class Create(Saving, Screen, CreateView):
    screen = "create"
    route = "create/"

    def get_initial(self):
        """A link may say the domain of the page it stands on, and nothing else."""
        domain = self.request.GET.get("domain")
        return super().get_initial() | ({"domain": typed_domain(domain)} if domain else {})

    def success_text(self, form):
        return _("%(row)s was created.") % {"row": self.object_saved}


class Edit(Saving, Screen, UpdateView):
    screen = "edit"
    route = "<path:key>/edit/"

    def success_text(self, form):
        return _("%(row)s was saved.") % {"row": self.object}


class Delete(Screen, DetailView):
    """First what will go, then, by POST, it goes."""

    screen = "delete"
    route = "<path:key>/delete/"

    def get_context_data(self, **kwargs):
        keys = [self.object.pk]
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
        return redirect(self.url("list"))


class Toggle(Screen, View):
    """Set a mark of one row to the value wanted; a double click does not undo itself."""

    screen = "toggle"
    route = "<path:key>/toggle/"
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
            context = {"crud": self, "row": row, "name": field, "value": getattr(row, field)}
            return render(request, "crud/cells/toggle.html", context)
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


class Bulk(Filtered, Screen, View):
    """Ticked rows: one confirmation, one transaction, one report; very many become a job."""

    screen = "bulk"
    route = "bulk/"
    http_method_names = ["post"]

    def post(self, request):
        action = next((a for a in self.actions if a.name == request.POST.get("action")), None)
        if action is None:
            messages.error(request, _("Choose what to do with the ticked rows."))
            return redirect(self.url("list"))
        keys = self.keys()
        if not keys:
            messages.warning(request, _("No rows were ticked."))
            return redirect(self.url("list"))
        if "confirmed" not in request.POST:
            return self.confirm(action, keys)
        return self.run(action, keys)

    def keys(self):
        """What was shown to be confirmed; before that what was ticked, or all of the filter."""
        if "kept" in self.request.POST:
            return taken_keys(self.actor, self.slug, self.request.POST["kept"])
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
            "kept": None if few else keep_keys(self.actor, self.slug, keys),
            "shown": keys[:10],
            "count": len(keys),
            "rest": max(0, len(keys) - 10),
            "what": self.what_goes(keys) if delete else [],
            "elsewhere": self.pointing_at(keys) if delete and few else [],
            "not_searched": delete and not few,
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
        return redirect(self.url("list"))


SCREENS = {screen.screen: screen for screen in (List, Create, Bulk, Export, Edit, Delete, Toggle)}


def next_bulk_step(job):
    """The next hundred rows of a bulk action; rows that are gone by now are passed over."""
    given = job.arguments
    part = given["keys"][job.done : job.done + ROWS_A_STEP]
    if not part:
        return None
    crud = next(
        c for c in import_string(f"{settings.ROOT_URLCONF}.CRUDS") if c.slug == given["table"]
    )
    action = next(a for a in crud.actions if a.name == given["action"])
    there = set(crud.model._default_manager.filter(pk__in=part).values_list("pk", flat=True))
    service, *arguments = crud.step(action, [key for key in part if key in there])
    return service, arguments, len(part)


class Pick(RoleRequired, View):
    """A few names that begin with what is typed: choices for a field that may have ten thousand."""

    roles = Role.ADMINS
    model = None

    def get(self, request):
        text = typed_domain(next(iter(request.GET.values()), ""))
        rows = self.model._default_manager.visible_to(request.user).filter(pk__startswith=text)
        names = rows.order_by("pk").values_list("pk", flat=True)[:PICKS]
        return render(request, "crud/pick.html", {"names": names})
