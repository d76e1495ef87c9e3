"""Pages that are also asked for by host names which are not the panel's own.

Django answers 400 to any host name outside ALLOWED_HOSTS. A view with `answers_foreign_hosts`
is the exception; it has to decide itself which names it answers to.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host
from django.urls import Resolver404, resolve


class ForeignHostRequest(HttpRequest):
    """A request that came by a host name which is not the panel's own."""

    foreign_host: str


class ForeignHostMiddleware:
    """Let the views that say so answer to foreign host names, which are kept on the request.

    All others see the name as it was sent, and Django refuses it. Such a response does not bind
    browsers to HTTPS: the name is somebody else's site.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: ForeignHostRequest) -> HttpResponse:
        host, own = parse_foreign_host(request), get_own_host()
        if not (host and own and answers_foreign_hosts(request.path_info)):
            return self.get_response(request)
        request.foreign_host = host
        request.META["HTTP_HOST"] = own
        response = self.get_response(request)
        response.headers.pop("Strict-Transport-Security", None)
        return response


def get_foreign_host(request: HttpRequest) -> str:
    """Return the foreign host name by which a view is asked; empty if it is the panel's own."""
    return str(getattr(request, "foreign_host", ""))


def parse_foreign_host(request: HttpRequest) -> str:
    """Return the host name of a request, without its port; empty if it is the panel's own."""
    host, _port = split_domain_port(request.META.get("HTTP_HOST", ""))
    return "" if validate_host(host, settings.ALLOWED_HOSTS) else host


def get_own_host() -> str:
    """Return a host name of the panel; empty if it has none of its own, or answers to all."""
    hosts = (host.removeprefix(".") for host in settings.ALLOWED_HOSTS if host != "*")
    return next(hosts, "")


def answers_foreign_hosts(path: str) -> bool:
    try:
        view = resolve(path).func
    except Resolver404:
        return False
    return getattr(getattr(view, "view_class", None), "answers_foreign_hosts", False)
