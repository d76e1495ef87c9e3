"""The page that XML-RPC clients call: one request, one method."""

import inspect
import xmlrpc.client
from collections.abc import Callable, Mapping
from typing import Any
from xml.parsers.expat import ExpatError

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables
from django.views.generic import View

from mailadmin.accounts.external import ORIGIN_KEY
from mailadmin.accounts.throttling import TooManyLoginFailures
from mailboxes.models import Mailbox
from mailboxes.owner.password_sign_in import is_password_enough
from mailboxes.xmlrpc.methods import LOGIN_METHODS, OWNER_METHODS

MAX_REQUEST_BYTES = 256 * 1024
CONTENT_TYPES = ("text/xml", "application/xml")
# Numbers of faults as Zend's server, which PostfixAdmin uses, has them
UNKNOWN_METHOD, WRONG_PARAMETERS, NOT_XML, TOO_MANY, REFUSED = 620, 623, 651, 429, 403
KINDS = {"targets": list, "interval": int}  # of parameters that are no texts


@method_decorator([login_not_required, csrf_exempt], name="dispatch")
class XmlRpcView(View):
    """Methods of mailbox owners, behind a session that `login` opens.

    There is no token against forged requests: browsers send the cookie of the session to no other
    site's request, and none sends XML to another site without being asked first.
    """

    roles = None
    http_method_names = ["post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.MAILADMIN_XMLRPC:
            raise Http404
        return super().dispatch(request, *args, **kwargs)

    @method_decorator(sensitive_variables())
    def post(self, request: HttpRequest) -> HttpResponse:
        if request.content_type not in CONTENT_TYPES:
            return HttpResponse(status=415)
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_REQUEST_BYTES:
            return HttpResponse(status=413)
        try:
            arguments, name = parse_call(request.body)
            result = call_method(request, name, arguments)
        except xmlrpc.client.Fault as fault:
            return build_response(fault)
        return build_response((result,))


@sensitive_variables()
def parse_call(body: bytes) -> tuple[tuple[Any, ...], str]:
    """Return the arguments and the method of a call; Fault if it is none."""
    # A NUL is part of UTF-16, in which the declaration would have other bytes.
    if b"<!DOCTYPE" in body or b"\0" in body:
        raise xmlrpc.client.Fault(NOT_XML, "Failed to parse request")
    try:
        arguments, name = xmlrpc.client.loads(body, use_builtin_types=True)
    except (ExpatError, xmlrpc.client.Error, ValueError, TypeError, LookupError, ArithmeticError):
        raise xmlrpc.client.Fault(NOT_XML, "Failed to parse request") from None
    return arguments, name or ""


@sensitive_variables()
def call_method(request: HttpRequest, name: str, arguments: tuple[Any, ...]) -> Any:
    """Run a method and return its result; Fault if it does not exist for this caller."""
    method = get_methods(request).get(name)
    if method is None:
        raise xmlrpc.client.Fault(UNKNOWN_METHOD, f'Method "{name[:100]}" does not exist')
    if not accepts(method, arguments):
        raise xmlrpc.client.Fault(WRONG_PARAMETERS, "Calling parameters do not match signature")
    try:
        return method(request, *arguments)
    except TooManyLoginFailures as error:
        text = f"Too many failed attempts. Try again in {error.retry_after} seconds."
        raise xmlrpc.client.Fault(TOO_MANY, text) from None
    except PermissionDenied:
        raise xmlrpc.client.Fault(REFUSED, "Permission denied") from None


def get_methods(request: HttpRequest) -> Mapping[str, Callable[..., Any]]:
    """Return what the caller may call: nothing but `login` before a password was given."""
    person = request.user
    if not isinstance(person, Mailbox) or ORIGIN_KEY in request.session:
        return LOGIN_METHODS  # also after a single sign-on, which is for pages
    if not is_password_enough(request, person):
        return LOGIN_METHODS
    if person.password_has_expired() or person.is_password_requested():
        return {name: OWNER_METHODS[name] for name in ("user.changePassword",)}
    return OWNER_METHODS


def accepts(method: Callable[..., Any], arguments: tuple[Any, ...]) -> bool:
    """Return whether the number and the types of these arguments are those of the method."""
    parameters = list(inspect.signature(method).parameters.values())[1:]
    required = [each for each in parameters if each.default is inspect.Parameter.empty]
    if not len(required) <= len(arguments) <= len(parameters):
        return False
    pairs = zip(parameters, arguments, strict=False)
    return all(has_kind(value, KINDS.get(each.name, str)) for each, value in pairs)


def has_kind(value: Any, kind: type) -> bool:
    """Return whether a value is of this type; lists are of texts."""
    if kind is list:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    return type(value) is kind


def build_response(result: tuple[Any, ...] | xmlrpc.client.Fault) -> HttpResponse:
    text = xmlrpc.client.dumps(result, methodresponse=True, encoding="utf-8", allow_none=False)
    return HttpResponse(text.encode(), content_type="text/xml; charset=utf-8")
