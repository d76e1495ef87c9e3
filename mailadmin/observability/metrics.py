"""Metrics for Prometheus. None of them names a domain or a person."""

import os
from collections.abc import Iterator, Mapping

from django.db import InterfaceError, OperationalError
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from mailadmin import __version__
from mailadmin.jobs.models import Job, WorkerHeartbeat
from mailadmin.mails.models import OutgoingMail
from mailadmin.observability.log_records import LogContext

REGISTRY = CollectorRegistry()
DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
KNOWN_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

REQUEST_SECONDS = Histogram(
    "mailadmin_request_seconds",
    "Duration of requests",
    ["view", "method", "status"],
    buckets=DURATION_BUCKETS,
    registry=REGISTRY,
)
QUERY_COUNT = Counter("mailadmin_queries", "Database statements", ["view"], registry=REGISTRY)
QUERY_SECONDS = Counter(
    "mailadmin_query_seconds", "Time spent in database statements", ["view"], registry=REGISTRY
)
CONNECTION_COUNT = Counter(
    "mailadmin_database_connections", "Database connections opened", registry=REGISTRY
)
DATABASE_ERRORS = Counter(
    "mailadmin_database_errors",
    "Database statements that were aborted",
    ["code"],
    registry=REGISTRY,
)
LOGIN_FAILURES = Counter("mailadmin_login_failures", "Failed logins", ["reason"], registry=REGISTRY)


def observe_request(
    log_context: LogContext, method: str | None, status: int, seconds: float, connections: int
) -> None:
    """Count a request that has been answered."""
    view, method = log_context.page or "-", method if method in KNOWN_METHODS else "OTHER"
    REQUEST_SECONDS.labels(view, method, f"{status // 100}xx").observe(seconds)
    QUERY_COUNT.labels(view).inc(log_context.query_count)
    QUERY_SECONDS.labels(view).inc(log_context.query_seconds)
    CONNECTION_COUNT.inc(connections)


def render_metrics() -> bytes:
    """Return the counters of all processes of the web server, and the database's numbers."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)
    else:
        registry.register(REGISTRY)
    registry.register(DatabaseCollector())
    return generate_latest(registry)


class DatabaseCollector:
    """Numbers that are the same for all processes, read from the database when collected."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield build_gauge("mailadmin_info", "Version of the panel", "version", {__version__: 1})
        gauges, up = [], 1
        try:
            gauges = [*collect_job_metrics(), *collect_mail_metrics(), collect_worker_metric()]
        except (InterfaceError, OperationalError):
            up = 0
        yield GaugeMetricFamily("mailadmin_database_up", "Whether the database answers", up)
        yield from gauges


def build_gauge(
    name: str, documentation: str, label: str, values: Mapping[str, float]
) -> GaugeMetricFamily:
    gauges = GaugeMetricFamily(name, documentation, labels=[label])
    for value, number in values.items():
        gauges.add_metric([value], number)
    return gauges


def collect_job_metrics() -> Iterator[GaugeMetricFamily]:
    """Yield the number of jobs by state, and how long the oldest has waited; no drafts."""
    counted = Job.objects.order_by().values_list("state").annotate(number=Count("pk"))
    states = dict.fromkeys(Job.State.values, 0) | dict(counted)
    del states[Job.State.DRAFT]
    yield build_gauge("mailadmin_jobs", "Jobs by state", "state", states)
    since = Job.objects.filter(state=Job.State.WAITING).aggregate(at=Min("created"))["at"]
    waited = (timezone.now() - since).total_seconds() if since else 0
    yield GaugeMetricFamily(
        "mailadmin_job_waiting_seconds", "Age of the oldest waiting job", waited
    )


def collect_mail_metrics() -> Iterator[GaugeMetricFamily]:
    """Yield the number of mails by state, and how long the oldest has waited."""
    counted = OutgoingMail.objects.order_by().values_list("state").annotate(number=Count("pk"))
    states = dict.fromkeys(OutgoingMail.State.values, 0) | dict(counted)
    yield build_gauge("mailadmin_mails", "Mails of the panel by state", "state", states)
    unsent = OutgoingMail.objects.filter(state__in=OutgoingMail.unfinished_states())
    since = unsent.aggregate(at=Min("created"))["at"]
    waited = (timezone.now() - since).total_seconds() if since else 0
    yield GaugeMetricFamily(
        "mailadmin_mail_waiting_seconds", "Age of the oldest mail that is not sent yet", waited
    )


def collect_worker_metric() -> GaugeMetricFamily:
    seen = {each.machine: each.seen.timestamp() for each in WorkerHeartbeat.objects.all()}
    name = "mailadmin_worker_seen_timestamp_seconds"
    return build_gauge(name, "Last heartbeat of each machine's worker", "machine", seen)
