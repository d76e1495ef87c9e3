"""The documents that mail programs ask for, without a login.

Each is the same whether an address exists or not: only the domain counts.
"""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from mailadmin.foreign_hosts import get_foreign_host
from mailboxes.client_setup import autoconfig, autodiscover, mobileconfig
from mailboxes.client_setup.hosted_domains import (
    HostedDomain,
    find_hosted_domains,
    get_domains_of_host,
    parse_address,
    parse_domain_name,
)
from mailboxes.client_setup.servers import get_client_servers

XML = "text/xml; charset=utf-8"
MAX_REQUEST_BYTES = 8192  # Outlook's requests have about 400


@method_decorator(login_not_required, name="dispatch")
class ClientDocumentView(View):
    """A document for the mail programs of a domain, at host names of hosted domains as well."""

    roles = None
    answers_foreign_hosts = True
    http_method_names = ["get", "head", "options"]

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if not settings.MAILADMIN_MAIL_HOST:
            return build_not_found()
        return super().dispatch(request, *args, **kwargs)

    def find_domain(self, name: str = "") -> HostedDomain | None:
        """Return the domain of this name, or that of the host name; None if it is not hosted.

        A host name that is neither the panel's nor that of a hosted domain gets nothing.
        """
        foreign_host = get_foreign_host(self.request)
        host = foreign_host or split_domain_port(self.request.get_host())[0]
        host_names = get_domains_of_host(host)
        hosted = find_hosted_domains([*filter(None, [name]), *host_names])
        of_host = next((hosted[each] for each in host_names if each in hosted), None)
        if foreign_host and of_host is None:
            return None
        return hosted.get(name) if name else of_host


class AutoconfigView(ClientDocumentView):
    """The document for Thunderbird and others; also by HTTP, since many domains have no HTTPS."""

    def get(self, request: HttpRequest) -> HttpResponse:
        sent = request.GET.get("emailaddress", "")
        domain = self.find_domain(parse_domain_name(sent.rpartition("@")[2]))
        servers = get_client_servers(domain.name) if domain else None
        if domain is None or servers is None:
            return build_not_found()
        return HttpResponse(autoconfig.build_autoconfig(domain, servers), content_type=XML)


@method_decorator(csrf_exempt, name="dispatch")
class AutodiscoverView(ClientDocumentView):
    """The document for Outlook, in XML."""

    http_method_names = ["get", "head", "post", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Say where the document is: without HTTPS, Outlook asks only to be redirected."""
        if get_foreign_host(request) and self.find_domain() is None:
            return build_not_found()
        if not request.is_secure() and is_panel_secure():
            return HttpResponseRedirect(f"{settings.MAILADMIN_URL}{request.path}")
        return build_error(autodiscover.INVALID_REQUEST)

    def post(self, request: HttpRequest) -> HttpResponse:
        body = request.read(MAX_REQUEST_BYTES + 1)
        if len(body) > MAX_REQUEST_BYTES:
            return HttpResponse(status=413)
        try:
            asked = autodiscover.RequestParser().parse(body)
        except ValueError:
            return build_error(autodiscover.INVALID_REQUEST, 400)
        if not (address := parse_address(asked.address)):
            return build_error(autodiscover.INVALID_REQUEST, 400)
        domain = self.find_domain(address.rpartition("@")[2])
        servers = get_client_servers(domain.name) if domain else None
        if domain is None or servers is None:
            return build_not_found()
        if asked.schema not in ("", autodiscover.OUTLOOK_SCHEMA):
            return build_error(autodiscover.UNKNOWN_PROVIDER)
        document = autodiscover.build_response(domain, servers, address)
        return HttpResponse(document, content_type=XML)


class AutodiscoverJsonView(ClientDocumentView):
    """Where the document for Outlook is, in JSON: version 2 of the protocol."""

    def get(self, request: HttpRequest, address: str = "") -> HttpResponse:
        parsed = parse_address(address or request.GET.get("Email", ""))
        domain = self.find_domain(parsed.rpartition("@")[2]) if parsed else None
        if domain is None:
            return build_not_found()
        host = get_foreign_host(request) or request.get_host()
        base = settings.MAILADMIN_URL if is_panel_secure() else f"https://{host}"
        answer, status = autodiscover.build_json(
            request.GET.get("Protocol", ""), f"{base}/autodiscover/autodiscover.xml"
        )
        return JsonResponse(answer, status=status)


class MobileconfigView(ClientDocumentView):
    """The profile for Apple's devices, which ask for the password themselves."""

    def get(self, request: HttpRequest) -> HttpResponse:
        address = parse_address(request.GET.get("emailaddress", ""))
        domain = self.find_domain(address.rpartition("@")[2]) if address else None
        if domain is None:
            return build_not_found()
        login = domain.get_login(address)
        profile = mobileconfig.build_mobileconfig(address, address, domain.name, login=login)
        return build_profile_response(profile)


def is_panel_secure() -> bool:
    return (settings.MAILADMIN_URL or "").startswith("https://")


def build_profile_response(profile: bytes | None) -> HttpResponse:
    return HttpResponse(
        profile,
        content_type=mobileconfig.CONTENT_TYPE,
        headers={"Content-Disposition": 'attachment; filename="mail.mobileconfig"'},
    )


def build_error(error: tuple[int, str], status: int = 200) -> HttpResponse:
    return HttpResponse(autodiscover.build_error(error), content_type=XML, status=status)


def build_not_found() -> HttpResponse:
    """Return 404 as short as it can be: programs ask, and nobody reads it."""
    return HttpResponse("Not found.\n", content_type="text/plain", status=404)
