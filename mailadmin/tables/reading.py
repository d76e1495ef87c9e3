"""The screens that show rows: the list, its search, its file, and the picker of a form's field."""

import csv
from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import Http404, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import cached_property
from django.views.generic import ListView, View

from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequired
from mailadmin.changes.records import plain
from mailadmin.db.fields import column_holds
from mailadmin.db.pagination import beyond, first_rows, pages
from mailadmin.names import typed_domain
from mailadmin.tables.csv_cells import Echo, cell_text, harmless
from mailadmin.tables.table import Screen

WORDS = 12  # of a search; more would be a query that no database likes
PICKS = 20


class Filtered:
    """The rows a list shows: scope, then domain, state and search."""

    filter_names = ("domain", "active", "q")

    @cached_property
    def filters(self):
        given = {name: self.request.GET.get(name, "").strip() for name in self.filter_names}
        return {name: value for name, value in given.items() if value}

    @property
    def filter_query(self):
        return urlencode(self.filters)

    def filtered(self):
        rows = self.get_queryset()
        if domain := self.filters.get("domain"):
            rows = self.of_domain(rows, typed_domain(domain))
        if (active := self.filters.get("active")) in ("0", "1"):
            rows = rows.filter(active=active == "1")
        return search(rows, self.search_fields, self.filters.get("q", ""))


def search(rows, names, text):
    """Every word in one of the columns; a column that cannot hold a word cannot contain it.

    `bob*` is the beginning of the first of them, which an index finds.
    """
    for word in text.split()[:WORDS]:
        wanted, how, columns = word, "icontains", names
        if len(word) > 1 and word.endswith("*"):
            wanted, how, columns = word[:-1], "istartswith", names[:1]
        fields = [(name, rows.model._meta.get_field(name.split("__")[0])) for name in columns]
        found = [
            Q(**{f"{name}__{how}": spelling})
            for name, field in fields
            for spelling in {wanted, typed_domain(wanted)}
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
        backwards = before is not None
        upwards = self.ascending != backwards
        rows = self.read(size + 1, before if backwards else after, upwards)
        more, rows = len(rows) > size, rows[:size]
        if backwards:
            rows.reverse()
        self.has_previous = more if backwards else after is not None
        self.has_next = more if not backwards else True
        return self.decorate(rows)

    def read(self, count, edge, upwards):
        """So many rows beyond the one of this key, or from the first on."""
        parts = self.parts(self.listed(self.filtered()))
        if edge is not None:
            parts = [beyond(part, self.order, edge, upwards) for part in parts]
        return first_rows(self.model, parts, self.order, count, upwards)

    def parts(self, rows):
        """The rows, in parts that the database reads in order."""
        if "domain" in self.filters:
            return [rows]
        return self.by_domain(rows, self.request.user)

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
    def has_state(self):
        return any(field.name == "active" for field in self.model._meta.fields)


class Export(Filtered, Screen, View):
    """The filtered rows as CSV, made while they are sent."""

    screen = "export"
    route = "export/"

    def get(self, request):
        response = StreamingHttpResponse(self.lines(), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{self.slug}.csv"'
        return response

    @classmethod
    def exported_value(cls, row, name):
        """The value of a row in this column of the file."""
        return plain(cls.public_fields()[name].value_from_object(row))

    def lines(self):
        names = self.exported_columns(self.request.user.role)
        writer = csv.writer(Echo())
        yield writer.writerow(names)
        for page in pages(self.listed(self.filtered())):
            for row in page:
                cells = [cell_text(self.exported_value(row, name)) for name in names]
                yield writer.writerow(map(harmless, cells))


class Import(Screen, View):
    """The way to the page of imports, which is one for all tables."""

    screen = "import"
    route = "import/"

    def get(self, request):
        return redirect(f"{reverse('imports')}?{urlencode({'table': self.slug})}")


class Pick(RoleRequired, View):
    """A few names that begin with what is typed: choices for a field that may have ten thousand."""

    roles = Role.ADMINS
    model = None
    field_names = ()  # of the fields that ask for such a row

    def get(self, request):
        text = typed_domain(self.typed(request.GET))
        rows = self.model._default_manager.visible_to(request.user).filter(pk__istartswith=text)
        names = rows.order_by("pk").values_list("pk", flat=True)[:PICKS]
        return render(request, "crud/pick.html", {"names": names})

    def typed(self, given):
        """What was typed into the field that asks, which each form calls by its own name."""
        return next((given[name] for name in self.field_names if name in given), "")
