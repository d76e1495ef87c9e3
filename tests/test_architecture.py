"""The rules of the architecture, and for each a fault that the check has to find."""

import ast

import pytest
from django.apps import apps
from django.contrib.auth.mixins import AccessMixin

from mailadmin.access_matrix import list_pages
from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.accounts.requests import needs_login
from mailadmin.accounts.views import BaseLoginView
from mailadmin.api.base import ApiView
from tests import architecture

pytestmark = pytest.mark.sources

PROVIDER = {"oidc", "oidc-callback", "oidc-logout"}
FOR_MAIL_PROGRAMS = {"autoconfig", "autoconfig-of-domain", "mobileconfig", "autodiscover"}
FOR_MAIL_PROGRAMS |= {"autodiscover-json", "autodiscover-json-address", "xmlrpc"}
PUBLIC = {"healthz", "readyz", "metrics", "set_language", "logout", "api-document", "api-not-found"}
FOR_WEBMAIL = {"password-api", "xmlrpc"}
PUBLIC |= PROVIDER | FOR_MAIL_PROGRAMS | FOR_WEBMAIL | {"recovery-requested", "recover-link"}
PUBLIC |= {"device-link", "device-profile"}
WITHOUT_LOGIN = {
    "login",
    "login-passkey",
    "code",
    "code-passkey",
    "forgot",
    "recovery-requested",
    "recover",
    "recover-link",
    "device",
    "device-link",
    "device-profile",
    "healthz",
    "readyz",
    "metrics",
    "set_language",
} | (PROVIDER | FOR_MAIL_PROGRAMS | FOR_WEBMAIL)

# (check, path of a planted file, its text)
FAULTS = [
    (architecture.upward_imports, "mailadmin/x.py", "from domains.models import Domain"),
    (architecture.upward_imports, "domains/services/x.py", "import mailboxes.models"),
    (architecture.upward_imports, "mailadmin/x.py", "def f():\n    import mailboxes.tables"),
    (architecture.upward_imports, "mailadmin/x.py", 'import_string(f"{settings.ROOT_URLCONF}.X")'),
    (architecture.upward_packages, "mailboxes/postfix/x.py", "import mailboxes.mailserver.views"),
    (architecture.upward_models, "domains/x.py", 'apps.get_model("mailboxes.Alias")'),
    (architecture.upward_models, "domains/x.py", '_meta.get_field("alias_set").related_model'),
    (architecture.classes_made_at_run_time, "mailadmin/x.py", 'type("X", (A, B), {})'),
    (architecture.writes_in_views, "mailboxes/dashboard/views.py", "class V(View):\n x.delete()"),
    (architecture.writes_in_views, "mailadmin/api/x.py", "class V(ApiView):\n row.save()"),
    (
        architecture.writes_in_views,
        "mailadmin/changes/log_page.py",
        "class V(ListView):\n r.update()",
    ),
    (architecture.old_names, "mailadmin/x.py", "class Crud: pass"),
    (architecture.old_names, "mailboxes/transfer/kinds/base.py", ""),
    (architecture.plain_operations, "domains/migrations/0009.py", "migrations.AddField('x')"),
    (architecture.plain_operations, "domains/migrations/0009.py", "migrations.RenameField('x')"),
    (
        architecture.signals_and_overridden_writes,
        "mailboxes/models/mail.py",
        "class M(models.Model):\n def save(self): pass",
    ),
    (
        architecture.signals_and_overridden_writes,
        "domains/models.py",
        "from django.db.models.signals import post_save",
    ),
    (architecture.texts_in_f_strings, "mailadmin/x.py", """f"{x} {_('text')}\""""),
    (
        architecture.lost_translations,
        "domains/services/x.py",
        "from django.utils.translation import gettext_lazy as _",
    ),
    (architecture.nameless_modules, "mailadmin/utils.py", ""),
]
CHECKS = sorted({check for check, _path, _text in FAULTS}, key=lambda check: check.__name__)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_product_keeps_the_rule(check):
    is_of_migrations = check is architecture.plain_operations
    files = architecture.migrations() if is_of_migrations else architecture.product()
    assert list(check(files)) == []


@pytest.mark.parametrize(("check", "path", "text"), FAULTS)
def test_the_check_finds_a_fault(check, path, text):
    assert list(check([(path, ast.parse(text))]))


def test_no_two_classes_share_a_name():
    assert list(architecture.shared_class_names(architecture.product())) == []


def test_a_shared_name_is_found():
    files = [(f"domains/{name}.py", ast.parse("class Row: pass")) for name in ("a", "b")]
    assert list(architecture.shared_class_names(files)) == ["Row: domains/a.py, domains/b.py"]


def patterns():
    return [page.pattern for page in list_pages()]


def missing_roles(pattern):
    """Return why the view of a URL does not say which roles it opens for; empty if it does."""
    if pattern.name in PUBLIC:
        return ""
    view, initkwargs = pattern.callback.view_class, pattern.callback.view_initkwargs
    if not issubclass(view, (RoleRequiredMixin, BaseLoginView, ApiView)):
        return "its view requires no role"
    if issubclass(view, AccessMixin):
        return "its view has Django's permissions besides"
    table = initkwargs.get("table", getattr(view, "table", None))
    has_screen = table is not None and hasattr(view, "screen")
    roles = table.roles[view.screen] if has_screen else getattr(view(**initkwargs), "roles", None)
    return "" if isinstance(roles, Role) and roles else "its view names no roles"


@pytest.mark.parametrize("pattern", patterns(), ids=lambda pattern: str(pattern.pattern))
def test_every_view_names_its_roles(pattern):
    assert missing_roles(pattern) == ""


def test_a_view_without_roles_is_found():
    from django.urls import path
    from django.views.generic import View

    class Forgotten(RoleRequiredMixin, View):
        pass

    assert missing_roles(path("x/", View.as_view())) == "its view requires no role"
    assert missing_roles(path("x/", Forgotten.as_view())) == "its view names no roles"


@pytest.mark.parametrize("pattern", patterns(), ids=lambda pattern: str(pattern.pattern))
def test_every_page_but_the_login_requires_one(pattern):
    is_required = needs_login(pattern.callback)
    if str(pattern.pattern).lstrip("^").startswith("api/"):
        assert is_required is False, "the API requires a token, not a session"
    else:
        assert is_required is (pattern.name not in WITHOUT_LOGIN)


@pytest.mark.parametrize("model", apps.get_models(), ids=lambda model: model._meta.label)
def test_tables_have_a_primary_key_and_no_constraints(model):
    if model._meta.app_label not in architecture.APPS:
        return
    assert model._meta.pk is not None
    for field in model._meta.local_fields:
        if field.remote_field:
            assert field.db_constraint is False, f"{field} is enforced by the database"
