"""The resource of a table: its rows as JSON, read and written as its screens do."""

import contextlib
import functools
import operator
import re

from django.core.exceptions import ValidationError
from django.http import Http404
from django.urls import path, reverse
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_view
from rest_framework.response import Response
from rest_framework.views import APIView

from mailadmin.accounts.models import Role
from mailadmin.api.field_types import refuse_wrong_types
from mailadmin.api.idempotency import Claim, Repeated
from mailadmin.api.permissions import MayUse
from mailadmin.api.problems import Problem, rows_refused, unprocessable
from mailadmin.api.schema import JOB, MOST, documented
from mailadmin.api.throttling import charge
from mailadmin.changes.perform import Actor, Conflict
from mailadmin.jobs.models import Job
from mailadmin.names import fold
from mailadmin.tables.pages import InvalidCursor
from mailadmin.tables.saving import EditOvertaken, RowsRefused, retry_on_conflict, save_forms
from mailadmin.tables.serialization import (
    add_warnings,
    compute_etag,
    error_codes,
    form_errors,
    seen_by_etag,
    serialize_row,
    serialize_rows,
    to_json_value,
    validation_texts,
)
from mailadmin.tables.table import DELETE

USUAL = 100
LIMIT = re.compile("[0-9]{1,5}")


class Door(APIView):
    """Opens for tokens, by their tables and verbs and by the roles of whom they stand for."""

    permission_classes = [MayUse]
    http_method_names = ["get", "head"]
    table = None  # as tokens call it; none: any token may ask
    roles = Role.ADMINS

    def initial(self, request, *args, **kwargs):
        """What there is not is told before anybody is asked who he is."""
        if request.method.lower() not in self.http_method_names:
            self.http_method_not_allowed(request)
        super().initial(request, *args, **kwargs)
        who = f"{request.user.username}, token {request.auth.pk}"
        request._request.told_person = who  # in the log of requests
        # Read here: Django knows how large it may be, the parser of JSON does not.
        self.body = request._request.body

    def asked_of(self):
        """(table, verb, screen) of this request."""
        return self.table, "read", "list"

    def is_open(self, screen, principal):
        return principal.role in self.roles

    @functools.cached_property
    def actor(self):
        request = self.request
        address = f"{request.client_address}, token {request.auth.pk}"
        return Actor(request.user, request.user.username, address)


class Resource(Door):
    """What the addresses of a table share."""

    crud = None
    verbs = {}  # method → (verb of tokens, screen of the table)

    def asked_of(self):
        return self.crud.slug, *self.verbs.get(self.request.method, ("read", "list"))

    def is_open(self, screen, principal):
        return self.crud.allows(screen, principal)

    def get_row(self):
        """The row of exactly this key, or of the one that was meant: in other case, in Unicode."""
        person, key = self.request.user, self.kwargs["key"]
        row = self.crud.find(person, key) or self.crud.find(person, self.crud.parse_key(key))
        if row is None:
            raise Http404
        return row

    @property
    def role(self):
        return self.request.user.role

    def shown(self, row):
        return serialize_row(self.crud, row, self.role)

    def saved_values(self, rows):
        """Rows that were saved, with what is doubtful about them."""
        values = serialize_rows(self.crud, rows, self.role)
        return add_warnings(self.crud, rows, values, self.request.user)

    def edit_form(self, row, values, seen=None):
        current = self.shown(row)
        return self.crud.form_class.from_values(values, self.actor, row, current, seen)

    def tag(self, row):
        return compute_etag(self.crud, row, self.role)

    def with_etag(self, row):
        return Response(self.shown(row), headers={"ETag": quoted(self.tag(row))})

    def sent(self, screen, *kinds):
        """What was sent: an object, or a list of objects where that may be, of the right types."""
        try:
            sent = self.request.data
        except RecursionError as error:
            raise Problem(400, _("The body is nested too deeply.")) from error
        if not isinstance(sent, kinds):
            raise Problem(400, _("The body has to be a JSON object, or a list of them."))
        rows = sent if isinstance(sent, list) else [sent]
        if not 0 < len(rows) <= MOST:
            raise Problem(422, _("A list has 1 to %(most)s rows.") % {"most": MOST}, errors={})
        refuse_wrong_types(self.crud, screen, sent)
        if len(rows) > 1:
            charge(self.request.user, len(rows))
        return sent


def is_day(text):
    with contextlib.suppress(ValueError):
        return parse_date(text) is not None
    return False


FILTER_CHECKS = {"active": {"0", "1"}.__contains__, "from": is_day, "until": is_day}


def quoted(tag):
    return f'"{tag}"'


def refused(form):
    return unprocessable(form_errors(form), 409 if "taken" in error_codes(form) else 422)


class Rows(Resource):
    """All rows of a table: a page of them, new ones, and several changed at once."""

    verbs = {
        "GET": ("read", "list"),
        "POST": ("create", "create"),
        "PATCH": ("edit", "edit"),
    }

    def get(self, request):
        self.refuse_strange_filters()
        filters, limit = self.crud.filters(self.request.GET), self.limit()
        try:
            after = self.request.GET.get("after")
            page = self.crud.page(self.request.user, filters, limit, after=after)
        except InvalidCursor as error:
            raise Http404 from error
        items = serialize_rows(self.crud, page.rows, self.role)
        return Response({"items": items, "next": page.next_key})

    def refuse_strange_filters(self):
        """A filter that is misspelled would show a program more than it meant to see."""
        known = [*self.crud.filter_names, "after", "limit"]
        given = self.request.GET
        wrong = {name: [_("There is no such filter.")] for name in given if name not in known}
        for name, is_right in FILTER_CHECKS.items():
            if name in given and not is_right(given[name]):
                wrong[name] = [_("This is no value for this filter.")]
        if wrong:
            raise unprocessable(wrong)

    def limit(self):
        text = self.request.GET.get("limit", str(USUAL))
        if not LIMIT.fullmatch(text) or not 0 < int(text) <= MOST:
            text = _("This is a number from 1 to %(most)s.") % {"most": MOST}
            raise unprocessable({"limit": [text]})
        return int(text)

    # New rows

    def post(self, request):
        claim = self.claim()
        if claim and (kept := claim.answer()):
            return self.made(kept, {"Idempotent-Replayed": "true"})
        sent = self.sent("create", dict, list)
        try:
            return self.made(self.create(sent, claim))
        except (Repeated, Problem):
            if claim and (kept := claim.answer()):  # stored by the same request meanwhile
                return self.made(kept, {"Idempotent-Replayed": "true"})
            raise

    def claim(self):
        key = self.request.headers.get("Idempotency-Key")
        if key is None:
            return None
        return Claim(self.request.auth, key, self.request.path.encode() + b"\n" + self.body)

    def create(self, sent, claim):
        """The answer: one row, or the list of rows that a list has become."""
        answer_for = self.answer_for(sent)

        def store_answer(_changes, saved):
            claim.store(answer_for(saved if isinstance(saved, list) else [saved]))

        after = store_answer if claim else None
        if isinstance(sent, list):
            forms = (self.crud.form_class.from_values(values, self.actor) for values in sent)
            return answer_for(saved_rows(self.crud, forms, after))
        form = self.crud.form_class.from_values(sent, self.actor)
        row = form.save(self.crud.services, after) if form.is_valid() else None
        if row is None:
            raise refused(form)
        return answer_for([row])

    def answer_for(self, sent):
        """What tells of the rows made, in the form in which they were sent; with its headers."""

        def told(rows):
            values = self.saved_values(rows)
            if isinstance(sent, list):
                return {"body": {"items": values}, "headers": {}}
            place = reverse(f"api-{self.crud.slug}-row", args=[rows[0].pk])
            headers = {"Location": place, "ETag": quoted(self.tag(rows[0]))}
            return {"body": values[0], "headers": headers}

        return told

    def made(self, answer, headers=None):
        headers = answer["headers"] | (headers or {})
        return Response(answer["body"], status=201, headers=headers)

    # Several at once

    def patch(self, request):
        if "If-Match" in request.headers:
            raise Problem(400, _("If-Match is for one row."))
        sent = self.sent("edit", list)
        try:
            retry_on_conflict(lambda: self.save_edits(sent))
        except EditOvertaken as error:
            raise overtaken() from error
        return Response({"items": self.saved_values(self.named(sent))})

    def save_edits(self, sent):
        rows = self.named(sent)
        forms = (
            self.edit_form(row, without_key(self.crud, given))
            for row, given in zip(rows, sent, strict=True)
        )
        return saved_rows(self.crud, forms)

    def named(self, sent):
        """The rows that the items name, in their order; all of them, and none of them twice."""
        name = self.crud.model._meta.pk.column
        given = [item.get(name) for item in sent]
        keys = [fold(key) if isinstance(key, str) else None for key in given]
        found = self.crud.queryset(self.request.user).filter(pk__in=[key for key in keys if key])
        rows = {fold(row.pk): row for row in found}
        wrong = {n: not_there(name) for n, key in enumerate(keys) if rows.get(key) is None}
        wrong |= {n: twice(name) for n, key in enumerate(keys) if key and key in keys[:n]}
        if wrong:
            raise rows_refused(wrong)
        return [rows[key] for key in keys]


def without_key(crud, given):
    return {name: value for name, value in given.items() if name != crud.model._meta.pk.column}


def not_there(name):
    return {name: [_("It does not exist, or it is not yours.")]}


def twice(name):
    return {name: [_("The same row stands there twice.")]}


def overtaken():
    return Problem(409, _("Others keep changing this row. Nothing was saved; try again."))


def saved_rows(table, forms, after=None):
    try:
        return save_forms(table, forms, after)
    except RowsRefused as error:
        raise rows_refused(error.errors_by_number, error.is_complete) from error


class Row(Resource):
    """One row of a table."""

    verbs = {
        "GET": ("read", "list"),
        "PATCH": ("edit", "edit"),
        "DELETE": ("delete", "delete"),
    }

    def get(self, request, key):
        row = self.get_row()
        response = self.with_etag(row)
        if matches(request.headers.get("If-None-Match"), response.headers["ETag"]):
            return Response(status=304, headers={"ETag": response.headers["ETag"]})
        return response

    def patch(self, request, key):
        sent = self.sent("edit", dict)
        try:
            retry_on_conflict(lambda: self.save_edit(sent))
        except EditOvertaken as error:
            raise overtaken() from error
        row = self.get_row()
        (value,) = self.saved_values([row])
        return Response(value, headers={"ETag": quoted(self.tag(row))})

    def save_edit(self, sent):
        row = self.get_row()
        form = self.edit_form(row, sent, self.seen(row))
        if not form.is_valid() or form.save(self.crud.services) is None:
            raise refused(form)

    def delete(self, request, key):
        row = self.get_row()
        try:
            job = self.crud.run_action(self.actor, DELETE, [row.pk], self.seen(row))
        except Conflict as error:
            raise changed() from error
        except ValidationError as error:
            raise unprocessable(validation_texts(error)) from error
        if job is None:
            return Response(status=204)
        place = reverse("api-job", args=[job.pk])
        return Response({"job": job.pk}, status=202, headers={"Location": place})

    def seen(self, row):
        """What the program says that it has seen; nothing if it says nothing."""
        wanted = self.request.headers.get("If-Match")
        if wanted is None:
            return None
        tag = self.tag(row)
        if not matches(wanted, quoted(tag)):
            raise changed()
        return seen_by_etag(self.crud, row, self.role, tag)


def changed():
    return Problem(412, _("Somebody else changed this in the meantime. Nothing was saved."))


def matches(header, quoted_tag):
    """Whether one of the tags of If-Match or If-None-Match is this row's."""
    given = [part.strip().removeprefix("W/") for part in (header or "").split(",")]
    return "*" in given or quoted_tag in given


@extend_schema_view(get=JOB)
class JobOfToken(Door):
    """How far work is that this token has begun."""

    shown = ("id", "title", "state", "done", "total", "message", "created", "finished")

    def is_open(self, screen, principal):
        return True

    def get(self, request, pk):
        job = Job.objects.filter(pk=pk, token=request.auth).first()
        if job is None:
            raise Http404
        return Response({name: to_json_value(getattr(job, name)) for name in self.shown})


SHAPES = (("rows", "", Rows), ("row", "/<key:key>", Row))


def resources_of(crud):
    """The addresses of a table, with the methods whose screens its roles name."""
    return [
        path(
            f"api/v1/{crud.slug}{route}",
            view_of(crud, kind).as_view(),
            name=f"api-{crud.slug}-{name}",
        )
        for name, route, kind in SHAPES
    ]


def view_of(crud, kind):
    methods = [m.lower() for m, (_verb, screen) in kind.verbs.items() if screen in crud.roles]
    roles = functools.reduce(operator.or_, crud.roles.values())
    own = {"crud": crud, "roles": roles, "http_method_names": [*methods, "head"]}
    return documented(type(f"{type(crud).__name__}{kind.__name__}", (kind,), own))
