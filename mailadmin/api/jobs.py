"""The resource of background jobs."""

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from mailadmin.api.base import ApiView
from mailadmin.api.operations import (
    WHOLE,
    build_content,
    build_operation,
    build_response,
    problem_responses,
)
from mailadmin.api.responses import json_response
from mailadmin.api.schemas import component_ref
from mailadmin.api.tokens import TokenPrincipal
from mailadmin.jobs.models import Job
from mailadmin.tables.serialization import to_json_value

JOB_OPERATION = build_operation(
    "read_job",
    tag="jobs",
    summary="Progress of a job",
    description="Progress of a job that this token started.",
    parameters=[{"in": "path", "name": "id", "schema": WHOLE, "required": True}],
    responses={
        "200": build_response(content=build_content(component_ref("JobState"))),
        **problem_responses(404),
    },
)


class TokenJobView(ApiView):
    """The progress of a job that this token has started."""

    operations = {"get": JOB_OPERATION}
    response_fields = (
        *("id", "title", "state", "done", "total"),
        *("message", "created", "finished"),
    )

    def allows_screen(self, screen: str, principal: TokenPrincipal) -> bool:
        return True

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = Job.objects.filter(pk=pk, token=self.principal.token).first()
        if job is None:
            raise Http404
        return json_response(
            {name: to_json_value(getattr(job, name)) for name in self.response_fields}
        )


def build_job_response(job: Job) -> dict:
    """Build the response, as it is stored, to a request that a job carries out."""
    location = reverse("api-job", args=[job.pk])
    return {"body": {"job": job.pk}, "headers": {"Location": location}, "status": 202}
