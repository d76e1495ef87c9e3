"""What one table declares: model, form, columns, roles; and what all its screens share."""

from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db import models
from django.db.models import Count, Value
from django.http import Http404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy

from mailadmin.accounts.models import Role, is_scoped
from mailadmin.accounts.permissions import RoleRequired
from mailadmin.changes.perform import perform
from mailadmin.db.bulk import chunks
from mailadmin.db.pagination import can_join_heads
from mailadmin.jobs.runner import start_job, start_selection
from mailadmin.names import typed_address, typed_domain
from mailadmin.templatetags.mailadmin import key_url

BULK = "bulk"  # the kind of job that does something to many rows
AT_ONCE = 200  # more rows than this are a job's matter
PARTS = 100  # up to so many domains a page is read from each; of more, passing over others' is less


@dataclass(frozen=True)
class Column:
    """A column of a list that is not simply a field: its heading, and what draws its cells.

    That is one of the kinds of `templatetags.rows`, a function like theirs, or a template.
    """

    name: str
    label: str
    cell: object


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
    search_fields = ()
    domain_lookup = "domain"
    roles = {}
    toggles = {"active": gettext_lazy("active")}
    actions = (ACTIVATE, DEACTIVATE, DELETE)
    newest_first = False
    order = ("pk",)  # one of PostfixAdmin's or our indexes has to have it
    is_many_a_domain = False  # so that an admin's rows are better read domain by domain
    empty_text = gettext_lazy("There is nothing here yet.")
    delete_service = None
    set_service = None
    # Column → who has it in files and by programs: those that an import takes from them. None: all
    # that is public.
    exported = {}
    also_shown = ()  # what programs are shown besides
    example = {}  # a new row, as the API's document shows it
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

    @classmethod
    def found(cls, rows):
        """The rows that the search of everything shows."""
        return cls.listed(rows)

    @classmethod
    def by_domain(cls, rows, principal):
        """The rows of each domain of an admin's by themselves: each lie in order in an index."""
        if not (cls.is_many_a_domain and principal.role is Role.ADMIN and can_join_heads()):
            return [rows]
        names = principal.managed_domains()
        if not isinstance(names, list) or not 1 < len(names) <= PARTS:
            return [rows]
        return [rows.filter(**{cls.domain_lookup: name}) for name in names]

    def of_domain(self, rows, name):
        return rows.filter(**{self.domain_lookup: name})

    # Many rows

    @classmethod
    def carry_out(cls, actor, action, keys, seen=None):
        """Do it at once; what is too much for one request becomes a job, which is returned."""
        if len(keys) <= AT_ONCE:
            service, *arguments = cls.step(action, keys)
            perform(actor, service, *arguments, seen=seen)
            return None
        title, arguments = cls.bulk_job(action, len(keys))
        return start_job(actor, BULK, title, arguments, len(keys), keys)

    @classmethod
    def carry_out_selection(cls, actor, action, selection):
        """Start the job of a large selection, whose keys are stored already."""
        title, arguments = cls.bulk_job(action, selection.total)
        return perform(actor, start_selection, selection, BULK, title, arguments)

    @classmethod
    def bulk_job(cls, action, count):
        """The title and the arguments of the job that does this to so many rows."""
        title = f"{action.label}: {count} × {cls.label()}"
        return title, {"table": cls.slug, "action": action.name}

    @classmethod
    def step(cls, action, keys):
        """The service that does it, with its arguments."""
        if action is DELETE:
            return cls.delete_service, keys
        return cls.set_service, keys, action.field, action.value

    # Columns outside of pages

    @classmethod
    def public_fields(cls):
        fields = cls.model._meta.concrete_fields
        return {field.column: field for field in fields if not getattr(field, "secret", False)}

    @classmethod
    def exported_columns(cls, role):
        own = [name for name, roles in cls.exported.items() if role in roles]
        return own or list(cls.public_fields())

    @classmethod
    def shown_columns(cls, role):
        """What programs are shown of a row."""
        return list(dict.fromkeys([*cls.exported_columns(role), *cls.also_shown]))

    @classmethod
    def printed_columns(cls):
        """Those that a terminal has room for: what the page shows."""
        names = [getattr(column, "name", column) for column in cls.columns]
        shown = cls.shown_columns(Role.SUPERADMIN)
        return [name for name in names if name in shown]

    @classmethod
    def key_of(cls, text):
        """The key of a row as somebody types it."""
        return typed_address(text) if "@" in text else typed_domain(text)

    @classmethod
    def prepared(cls, rows):
        """The rows with what their values need of other tables, asked for all of them at once."""
        return rows

    @classmethod
    def value(cls, row, name):
        """What programs are shown of this column: what they would give to have it so."""
        return cls.public_fields()[name].value_from_object(row)

    @classmethod
    def warnings(cls, principal, rows) -> dict[str, list[str]]:
        """Key → what is doubtful about a row, though it may be saved; asked for many at once."""
        return {}

    # Names

    @classmethod
    def url(cls, screen, key=None):
        name = f"{cls.slug}-{screen}"
        return reverse(name) if key is None else key_url(name, key)

    @classmethod
    def url_beside(cls, row):
        """The list again, where it shows the rows of the same domain."""
        domain = getattr(row, "domain_id", None)
        return cls.url("list") + (f"?{urlencode({'domain': domain})}" if domain else "")

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
        return Column(name, capfirst(field.verbose_name), cell_kind(field))

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

    def objections(self, keys):
        """Why these cannot be deleted, if it is known before anybody asks."""
        return []

    def pointing_at(self, keys):
        """Rows elsewhere, of those this person may see, that name what goes."""
        return []


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
