"""The OpenAPI document: made from the forms and columns that the resources read and write."""

import functools

from django.forms import BooleanField
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
    extend_schema_view,
)
from rest_framework import serializers

from mailadmin.accounts.models import Role
from mailadmin.api.field_types import Text, Texts, Whole, serializer, typed, typed_column
from mailadmin.tables.forms import program_fields

MOST = 1000


class BearerToken(OpenApiAuthenticationExtension):
    target_class = "mailadmin.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema):
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of one's own, made on the page /account/tokens/.",
        }


# What rows are


@functools.cache
def row_serializer(crud):
    """A row as it is answered: without bounds, which old rows may be outside of."""
    asked = program_fields(crud.form_class, "edit") if crud.form_class else {}
    asked |= program_fields(crud.form_class, "create") if crud.form_class else {}
    columns = crud.public_fields()
    names = crud.api_columns(Role.SUPERADMIN)
    for_all = set(crud.api_columns(Role.ADMIN))
    fields = {}
    for name in names:
        required = name in for_all
        if name in asked and not is_nullable(columns.get(name)):
            fields[name] = typed(asked[name], bounds=False, required=required)
        else:
            fields[name] = typed_column(columns[name], required=required)
    fields[WARNINGS] = Texts(required=False, help_text=DOUBTFUL)
    return serializer(word(crud), fields)


WARNINGS = "warnings"
DOUBTFUL = "What is doubtful about a row that was just saved, if anything is."


def is_nullable(column):
    return column is not None and column.null


def word(crud):
    return crud.model.__name__


@functools.cache
def new_serializer(crud):
    asked = program_fields(crud.form_class, "create")
    fields = {name: typed(field, required=is_needed(field)) for name, field in asked.items()}
    if "password" in fields:
        fields["password"] = Text(required=False, max_length=1024, help_text=PLAIN)
    return serializer(f"New{word(crud)}", with_password_hash(fields))


def is_needed(asked):
    """A box not ticked is no; what has a value to begin with may be left out."""
    return asked.required and asked.initial is None and not isinstance(asked, BooleanField)


@functools.cache
def changes_serializer(crud, many=False):
    """What may be changed of a row; of several, each with its key."""
    asked = program_fields(crud.form_class, "edit")
    fields = with_password_hash({name: typed(f, required=False) for name, f in asked.items()})
    if not many:
        return serializer(f"{word(crud)}Changes", fields)
    key = crud.model._meta.pk.column
    return serializer(f"{word(crud)}ChangesByKey", {key: Text()} | fields)


PLAIN = "In plain words; needed unless `password_hash` is given. It is stored as a hash."


def with_password_hash(fields):
    if "password" not in fields:
        return fields
    told = "The password as it is stored, in a Dovecot scheme. Superadmins only."
    return fields | {"password_hash": Text(required=False, max_length=255, help_text=told)}


@functools.cache
def page_serializer(crud):
    following = Whole if crud.newest_first else Text
    fields = {
        "items": row_serializer(crud)(many=True),
        "next": following(allow_null=True, help_text="`after` of the next page, if there is one."),
    }
    return serializer(f"{word(crud)}Page", fields)


@functools.cache
def list_serializer(crud):
    return serializer(f"{word(crud)}List", {"items": row_serializer(crud)(many=True)})


class ErrorsOfRow(serializers.Serializer):
    index = serializers.IntegerField(help_text="Which of the rows sent, from 0.")
    errors = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))


class Problem(serializers.Serializer):
    """RFC 9457."""

    status = serializers.IntegerField()
    title = serializers.CharField(help_text="What is wrong, in the language asked for.")
    errors = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="Column → texts.",
    )
    items = ErrorsOfRow(many=True, required=False)


class JobBegun(serializers.Serializer):
    job = serializers.IntegerField(help_text="Its progress: /api/v1/jobs/{job}")


class JobState(serializers.Serializer):
    id = serializers.IntegerField()
    title = serializers.CharField()
    state = serializers.ChoiceField(["draft", "waiting", "running", "done", "failed"])
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    message = serializers.CharField()
    created = serializers.DateTimeField()
    finished = serializers.DateTimeField(allow_null=True)


# What operations share

PROBLEMS = {
    400: "This is not JSON, or not a JSON object.",
    401: "No token, or one that is not valid here.",
    403: "The token, or whom it stands for, may not do this.",
    404: "It does not exist, or it is not yours.",
    409: "It exists already, or others keep changing it.",
    412: "The row is no longer as `If-Match` says.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    422: "Refused by a rule; `errors` tells which column.",
    429: "Too fast: `Retry-After` tells how many seconds to wait.",
    503: "The database does not answer, or it did not say whether it has saved.",
}


def problems(*statuses):
    return {
        (status, "application/problem+json"): OpenApiResponse(
            Problem, description=PROBLEMS[status], examples=[problem_example(status)]
        )
        for status in sorted({401, 403, 429, 503, *statuses})
    }


def problem_example(status):
    value = {"status": status, "title": PROBLEMS[status]}
    if status == 422:
        value |= {"errors": {"quota": ["The largest mailbox in this domain has 1,024 MB."]}}
    return OpenApiExample(f"problem {status}", value=value, response_only=True)


def header(name, description):
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=description)


def query(name, description, kind=str, **options):
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=description, **options)


def whole(**bounds):
    return {"type": "integer"} | bounds


FILTERS = {
    "domain": query("domain", "Rows of this domain."),
    "active": query("active", "In force or not.", enum=["0", "1"]),
    "q": query("q", "Rows that contain all of these words; `bob*` is the beginning of an address."),
    "admin": query("admin", "Lines of this admin."),
    "action": query("action", "Lines of this action, such as `create_mailbox`."),
    "from": query("from", "Lines since this day.", OpenApiTypes.DATE),
    "until": query("until", "Lines up to this day.", OpenApiTypes.DATE),
}
AFTER = query("after", "The `next` of the page before.")
LIMIT = query("limit", "Rows on a page.", whole(minimum=1, maximum=MOST, default=100))
IF_NONE_MATCH = header("If-None-Match", "The row's `ETag`: answered 304 while it is still so.")
UNCHANGED = OpenApiResponse(None, description="The row is still as `If-None-Match` says.")
IF_MATCH = header("If-Match", "The row's `ETag`: it is changed only if it is still so.")
ETAG = OpenApiParameter(
    "ETag", str, OpenApiParameter.HEADER, response=[200, 201], description="Names these values."
)
LOCATION = OpenApiParameter(
    "Location", str, OpenApiParameter.HEADER, response=[201, 202], description="Where it is."
)
REPLAYED = OpenApiParameter(
    "Idempotent-Replayed",
    str,
    OpenApiParameter.HEADER,
    response=[201],
    description="`true` where this is the answer to an earlier request of the same key.",
)
RETRY = OpenApiParameter(
    "Retry-After",
    int,
    OpenApiParameter.HEADER,
    response=[429, 503],
    description="Seconds to wait.",
)
ONCE = header(
    "Idempotency-Key",
    "A text of your own. The same request, sent again with it within a day, is done once.",
)


# Operations


def documented(view):
    """The view with what the document says of its methods."""
    described = DESCRIBED["rows" if hasattr(view, "post") else "row"]
    return extend_schema_view(
        **{
            method: operation(view.crud)
            for method, operation in described.items()
            if method in view.http_method_names
        }
    )(view)


def name_of(verb, crud, ending=""):
    return f"{verb}_{crud.slug.replace('-', '_')}{ending}"


def listing(crud):
    return described(
        crud,
        operation_id=name_of("list", crud),
        summary=f"A page of {crud.slug}",
        description=(
            "Ordered by key. `next` is the `after` of the page that follows, null on the last one."
        ),
        parameters=[*(FILTERS[name] for name in filters_of(crud)), AFTER, LIMIT],
        responses={200: page_serializer(crud), **problems(404, 422)},
        examples=told_example(crud, "200", lambda row: {"items": [row], "next": None}),
    )


def filters_of(crud):
    names = getattr(crud, "filter_names", ("domain", "active", "q"))
    return [name for name in names if name in FILTERS]


def creation(crud):
    new, row = new_serializer(crud), row_serializer(crud)
    return described(
        crud,
        operation_id=name_of("create", crud),
        summary=f"Make one of {crud.slug}, or up to {MOST}: all of them or none",
        description=(
            "An object makes one row, a list of objects several. What is not given is as "
            "the panel's form proposes it."
        ),
        request=either(f"New{word(crud)}OrList", new, new(many=True)),
        parameters=[ONCE, ETAG, LOCATION, REPLAYED],
        responses={
            201: either(f"{word(crud)}OrList", row, list_serializer(crud)),
            **problems(400, 409, 413, 415, 422),
        },
        examples=sent_example(crud) + told_example(crud, "201"),
    )


def described(crud, parameters=(), **options):
    return extend_schema(tags=[crud.slug], parameters=[*parameters, RETRY], **options)


def either(name, *kinds):
    return PolymorphicProxySerializer(
        component_name=name, serializers=list(kinds), resource_type_field_name=None, many=False
    )


def sent_example(crud, names=None):
    """What a program sends: a new row, or of a row what may be changed."""
    value = {n: v for n, v in crud.example_values.items() if names is None or n in names}
    return [OpenApiExample(f"sent: {word(crud)}", value=value, request_only=True)]


def told_example(crud, status, wrap=lambda row: row):
    """What it is answered."""
    value = wrap(example_row(crud))
    return [
        OpenApiExample(
            f"answer: {word(crud)}", value=value, response_only=True, status_codes=[status]
        )
    ]


def example_row(crud):
    fields = row_serializer(crud)().fields
    row = {name: told_value(f) for name, f in fields.items() if name != WARNINGS}
    row |= {name: value for name, value in crud.example_values.items() if name in row}
    if {"local_part", "domain"} <= set(row):
        row[crud.model._meta.pk.column] = f"{row['local_part']}@{row['domain']}"
    return row


def told_value(field):
    match field:
        case serializers.BooleanField():
            return True
        case serializers.ListField():
            return []
        case serializers.DateTimeField():
            return "2026-01-31T12:00:00+01:00"
        case serializers.IntegerField() | serializers.FloatField():
            return 0
    return ""


def changing_many(crud):
    return described(
        crud,
        operation_id=name_of("edit", crud, "_list"),
        summary=f"Change up to {MOST} of {crud.slug}: all of them or none",
        description="Each object names its row by its key, and what of it is to change.",
        request=changes_serializer(crud, many=True)(many=True),
        responses={200: list_serializer(crud), **problems(400, 409, 413, 415, 422)},
    )


def reading(crud):
    return described(
        crud,
        operation_id=name_of("read", crud, "_row"),
        summary=f"One of {crud.slug}",
        description=(
            "The `ETag` names these values; with it in `If-None-Match` the answer is 304 "
            "while they are so."
        ),
        parameters=[key_parameter(crud), IF_NONE_MATCH, ETAG],
        responses={200: row_serializer(crud), 304: UNCHANGED, **problems(404)},
        examples=told_example(crud, "200"),
    )


def key_parameter(crud):
    kind = int if crud.newest_first else str
    return OpenApiParameter("key", kind, OpenApiParameter.PATH, description="Its key.")


def changing(crud):
    return described(
        crud,
        operation_id=name_of("edit", crud, "_row"),
        summary=f"Change one of {crud.slug}",
        description=(
            "What is not named stays. A row may be sent back as it came: what cannot be "
            "changed may stand in it as it is."
        ),
        request=changes_serializer(crud),
        examples=sent_example(crud, program_fields(crud.form_class, "edit"))
        + told_example(crud, "200"),
        parameters=[key_parameter(crud), IF_MATCH, ETAG],
        responses={200: row_serializer(crud), **problems(400, 404, 409, 412, 413, 415, 422)},
    )


def deletion(crud):
    begun = OpenApiResponse(JobBegun, description="Much is deleted by a job, which has begun.")
    return described(
        crud,
        operation_id=name_of("delete", crud, "_row"),
        summary=f"Delete one of {crud.slug} with all that hangs on it",
        description="What would take long is taken out of force at once and deleted by a job.",
        parameters=[key_parameter(crud), IF_MATCH, LOCATION],
        responses={204: None, 202: begun, **problems(404, 412, 422)},
    )


DESCRIBED = {
    "rows": {"get": listing, "post": creation, "patch": changing_many},
    "row": {"get": reading, "patch": changing, "delete": deletion},
}
JOB = extend_schema(
    operation_id="read_job",
    tags=["jobs"],
    summary="How far work is that this token has begun",
    responses={200: JobState, **problems(404)},
)
