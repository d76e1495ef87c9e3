"""The guards of the design: what no reviewer should have to look for."""

import ast
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.mixins import AccessMixin
from django.urls import URLPattern, get_resolver

from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.accounts.views import BaseLoginView
from mailadmin.api.base import ApiView

ROOT = Path(settings.BASE_DIR)
FLOORS = ["mailadmin", "domains", "mailboxes"]
ROOF = {"mailadmin/urls.py", "mailadmin/settings.py", "mailadmin/wsgi.py"}
WRITES = {"save", "delete", "create", "update", "bulk_create", "bulk_update", "get_or_create"}
OPEN = {"healthz", "readyz", "metrics", "set_language", "logout", "api-document", "api-nowhere"}


def sources(*floors):
    for floor in floors:
        for path in sorted((ROOT / floor).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def imports_upward(path, tree):
    above = FLOORS[FLOORS.index(path.split("/")[0]) + 1 :]
    return [name for name in imported(tree) if name.split(".")[0] in above]


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node


def is_view(path):
    names = ("/views.py", "/pages.py", "/own.py", "/forms.py")
    return path.endswith(names) or "/personal.py" in path or "/crud/" in path


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_point_down(floor):
    upward = {
        path: found
        for path, tree in sources(floor)
        if path not in ROOF and "/management/" not in path and "/migrations/" not in path
        for found in [imports_upward(path, tree)]
        if found
    }
    assert upward == {}


# Who signs in, and columns that are keys: Django takes these by name.
NAMED = {"mailadmin/settings.py", "mailadmin/accounts/backends.py", "mailadmin/changes/models.py"}
NAMED |= {"mailadmin/api/models.py", "mailadmin/api/tokens.py"}


@pytest.mark.parametrize("floor", FLOORS[:-1])
def test_no_model_of_a_higher_app_is_asked_for_by_name_or_reflection(floor):
    above = "|".join(FLOORS[FLOORS.index(floor) + 1 :])
    found = [
        f"{path}:{node.lineno} {ast.unparse(node)}"
        for path, tree in sources(floor)
        if path not in NAMED and "/migrations/" not in path
        for node in ast.walk(tree)
        if reaches_up(node, above)
    ]
    assert found == []


def reaches_up(node, above):
    """`apps.get_model("domains.Domain")` and `get_field("alias_set").related_model`."""
    if isinstance(node, ast.Attribute) and node.attr == "related_model":
        return "get_field(" in ast.unparse(node)
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return is_text and bool(re.fullmatch(rf"({above})\.[A-Z]\w+", node.value))


@pytest.mark.parametrize(
    "text", ['apps.get_model("mailboxes.Alias")', 'Domain._meta.get_field("x").related_model']
)
def test_reaching_up_is_noticed(text):
    assert any(reaches_up(node, "mailboxes") for node in ast.walk(ast.parse(text)))


def test_views_write_nothing():
    written = [
        f"{path}:{call.lineno} .{call.func.attr}()"
        for path, tree in sources(*FLOORS)
        if is_view(path)
        for call in calls(tree)
        if call.func.attr in WRITES and not is_harmless(call)
    ]
    assert written == []


def is_harmless(call):
    """`save()` of a form runs the service; `given.update(…)` of a dict or a digest is no row."""
    target = ast.unparse(call.func.value)
    return target in ("form", "self.form", "draft", "request.session") or target.startswith(
        "super()"
    )


def patterns(resolver=None, prefix=""):
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLPattern):
            yield pattern
        else:
            yield from patterns(pattern)


@pytest.mark.parametrize("pattern", list(patterns()), ids=lambda pattern: str(pattern.pattern))
def test_every_view_names_its_roles(pattern):
    if pattern.name in OPEN:
        return
    view = pattern.callback.view_class
    assert issubclass(view, (RoleRequiredMixin, BaseLoginView, ApiView)), "a view without a door"
    assert not issubclass(view, AccessMixin)
    initkwargs = pattern.callback.view_initkwargs
    table = initkwargs.get("table")
    has_screen = table is not None and hasattr(view, "screen")
    roles = table.roles[view.screen] if has_screen else view(**initkwargs).roles
    assert isinstance(roles, Role)
    assert roles


@pytest.mark.parametrize("pattern", list(patterns()), ids=lambda pattern: str(pattern.pattern))
def test_a_login_is_asked_for_everywhere_but_at_the_door(pattern):
    needs_login = getattr(pattern.callback, "login_required", True)
    if str(pattern.pattern).lstrip("^").startswith("api/"):
        assert needs_login is False, "a token is asked for, and no session"
        return
    assert needs_login is (
        pattern.name not in {"login", "code", "healthz", "readyz", "metrics", "set_language"}
    )


@pytest.mark.parametrize("app", FLOORS)
def test_every_migration_can_adopt(app):
    plain = [
        f"{path}:{call.lineno} {call.func.attr}"
        for path, tree in sources(f"{app}/migrations")
        for call in calls(tree)
        if call.func.attr in ("CreateModel", "AddField", "AlterField", "RemoveField", "DeleteModel")
    ]
    assert plain == []


@pytest.mark.parametrize("model", apps.get_models(), ids=lambda model: model._meta.label)
def test_tables_have_a_key_no_constraint_and_a_name_of_ours(model):
    if model._meta.app_label not in FLOORS:
        return
    assert model._meta.pk is not None
    for field in model._meta.local_fields:
        if field.remote_field:
            assert field.db_constraint is False, f"{field} is enforced by the database"


def test_nothing_is_called_utils():
    for path, _tree in sources(*FLOORS):
        assert Path(path).stem not in ("utils", "helpers", "common", "core", "signals")


def test_there_are_no_signals_and_no_overridden_save():
    for path, tree in sources(*FLOORS):
        assert not any(name.startswith("django.db.models.signals") for name in imported(tree)), path
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and path.endswith("models.py"):
                own = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
                assert not own & {"save", "delete"}, f"{path}: {node.name}"
