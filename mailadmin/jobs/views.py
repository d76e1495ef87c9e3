"""The pages of background jobs."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.generic import DetailView, ListView

from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.changes.perform import perform
from mailadmin.jobs.models import Job
from mailadmin.jobs.services import dismiss_failed_jobs, dismiss_job, retry_job


class JobDetailView(RoleRequiredMixin, DetailView):
    """The progress of a job; the page reloads itself until the job is finished."""

    roles = Role.ADMINS
    template_name = "job.html"
    context_object_name = "job"

    def get_queryset(self) -> QuerySet[Job]:
        return Job.objects.visible_to(self.request.user)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = self.get_object()
        if request.POST.get("action") == "retry":
            if job.can_retry:
                perform(self.actor, retry_job, job.pk)
            return redirect("job", job.pk)
        perform(self.actor, dismiss_job, job.pk)
        return redirect("jobs")


class JobListView(RoleRequiredMixin, ListView):
    """The latest jobs in scope; the failed ones can be dismissed at once."""

    roles = Role.ADMINS
    template_name = "jobs.html"
    context_object_name = "jobs"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        failed = Job.objects.visible_to(self.request.user).filter(state=Job.State.FAILED).count()
        return super().get_context_data(failed=failed, **kwargs)

    def post(self, request: HttpRequest) -> HttpResponse:
        failed = Job.objects.visible_to(request.user).filter(state=Job.State.FAILED)
        perform(self.actor, dismiss_failed_jobs, list(failed.values_list("pk", flat=True)))
        return redirect("jobs")

    def get_queryset(self) -> QuerySet[Job]:
        return Job.objects.visible_to(self.request.user).defer("arguments").order_by("-pk")[:50]
