"""Checks of the structure, on syntax trees: each yields what breaks a rule of the architecture."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.views.generic import View

ROOT = Path(settings.BASE_DIR)
APPS = ["mailadmin", "domains", "mailboxes"]  # each may import those before it
HIGHER_PACKAGES = {"mailboxes/postfix": "mailboxes.mailserver"}
ENTRY_POINTS = {
    "mailadmin/__init__.py",
    "mailadmin/urls.py",
    "mailadmin/settings.py",
    "mailadmin/wsgi.py",
}
# Django takes user models and foreign keys by name.
MODELS_BY_NAME = {
    "mailadmin/settings.py",
    "mailadmin/accounts/backends.py",
    "mailadmin/api/models.py",
    "mailadmin/api/tokens.py",
    "mailadmin/changes/models.py",
    "mailadmin/mails/models.py",
}
TRANSLATING_FUNCTIONS = ("gettext", "gettext_lazy", "ngettext", "ngettext_lazy")
PACKAGES_OF_STORED_TEXTS = (
    "mailadmin/jobs/",
    "domains/services/",
    "mailboxes/services/",
    "mailboxes/transfer/plan/",
    "mailboxes/transfer/readers/",
    "mailboxes/transfer/row_types/",
    "mailboxes/mailserver/verifier/",
)
WRITES = {"save", "delete", "create", "update", "bulk_create", "bulk_update", "get_or_create"}
# Names of the first edition, which are not technical terms.
OLD_NAMES = re.compile(
    r"(?:Crud|Asked|Rows|view_of|Screen|Draft|told_losses|Door|DoorMiddleware|admit|forgive|knock"
    r"|Claim|Repeated|Answer|Console|at_present|has_happened|CommitUnknown|is_undone|choosy|Kept"
    r"|LoneAlias|keep_lone|what_goes|pointing_at|objections|carry_out|refuse_strangers"
    r"|refuse_dying|Sight|Silent|OtherMap|manners|Room|Rooms|make_true|Description"
    r"|forget_answers|forget_plans)"
)
OLD_MODULES = re.compile(
    r"(?:crud|telling|doors|once|writes|record|history|patience|watching|numbers|keeping"
    r"|attention|personal|own|companions|beside|explaining|sight|circles|asking|knocking|reading"
    r"|checking|writing|verifying|autoreply|letters|kinds|exporting|compat|rooms|truth"
    r"|describing|planning|applying|returning|rejects|guessing|lexing)"
)

Source = tuple[str, ast.Module]  # path from the root of the project, its syntax tree


def sources(*apps: str) -> Iterator[Source]:
    for app in apps or APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def product() -> list[Source]:
    return [(path, tree) for path, tree in sources() if "/migrations/" not in path]


def migrations() -> list[Source]:
    return [(path, tree) for path, tree in sources() if "/migrations/" in path]


def higher_apps(path: str) -> list[str]:
    return APPS[APPS.index(path.split("/")[0]) + 1 :]


def upward_imports(files: Iterable[Source]) -> Iterator[str]:
    """Yield imports of a higher app, written as imports or as strings."""
    for path, tree in files:
        if path in ENTRY_POINTS:
            continue
        for node in ast.walk(tree):
            names = imported_names(node)
            if any(name.split(".")[0] in higher_apps(path) for name in names) or is_dynamic(node):
                yield f"{path}:{node.lineno} {ast.unparse(node)}"


def upward_packages(files: Iterable[Source]) -> Iterator[str]:
    """Yield imports of a package that builds on the importing one."""
    for path, tree in files:
        higher = HIGHER_PACKAGES.get("/".join(path.split("/")[:2]), "none")
        for node in ast.walk(tree):
            if any(f"{name}.".startswith(f"{higher}.") for name in imported_names(node)):
                yield f"{path}:{node.lineno} {ast.unparse(node)}"


def imported_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def is_dynamic(node: ast.AST) -> bool:
    return is_call(node, "import_string", "import_module", "__import__")


def is_call(node: ast.AST, *names: str) -> bool:
    if not isinstance(node, ast.Call):
        return False
    return getattr(node.func, "id", getattr(node.func, "attr", "")) in names


def upward_models(files: Iterable[Source]) -> Iterator[str]:
    """Yield models of a higher app that are named by a string or found by reflection."""
    for path, tree in files:
        pattern = rf"({'|'.join(higher_apps(path)) or 'none'})\.[A-Z]\w+"
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) else ""
            is_named = isinstance(text, str) and re.fullmatch(pattern, text)
            if is_named and path not in MODELS_BY_NAME or is_reflection(node):
                yield f"{path}:{node.lineno} {ast.unparse(node)}"


def is_reflection(node: ast.AST) -> bool:
    is_related = isinstance(node, ast.Attribute) and node.attr == "related_model"
    return is_related and "get_field(" in ast.unparse(node)


def classes_made_at_run_time(files: Iterable[Source]) -> Iterator[str]:
    for path, tree in files:
        for node in ast.walk(tree):
            if is_call(node, "type") and len(node.args) == 3:
                yield f"{path}:{node.lineno}"


def shared_class_names(files: Iterable[Source]) -> Iterator[str]:
    """Yield public classes that have their name in several modules."""
    modules = defaultdict(set)
    for path, tree in files:
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                modules[node.name].add(path)
    for name, paths in modules.items():
        if len(paths) > 1 and name != "Command":  # Django's name for every command
            yield f"{name}: {', '.join(sorted(paths))}"


def view_classes(files: Iterable[Source]) -> Iterator[tuple[str, ast.ClassDef]]:
    """Yield classes that are views, by what they inherit and not by their file."""
    classes = [
        (path, node) for path, tree in files for node in tree.body if isinstance(node, ast.ClassDef)
    ]
    known = {"View", *(view.__name__ for view in all_subclasses(View))}
    found = -1
    while found != len(known):
        found = len(known)
        known |= {node.name for _path, node in classes if bases(node) & known}
    return ((path, node) for path, node in classes if node.name in known)


def all_subclasses(kind: type) -> Iterator[type]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from all_subclasses(subclass)


def bases(node: ast.ClassDef) -> set[str]:
    return {ast.unparse(base).rpartition(".")[2] for base in node.bases}


def writes_in_views(files: Iterable[Source]) -> Iterator[str]:
    """Yield calls by which a view would change rows without a service."""
    for path, view in view_classes(list(files)):
        for node in ast.walk(view):
            if is_call(node, *WRITES) and not is_harmless(node):
                yield f"{path}:{node.lineno} {ast.unparse(node)[:60]}"


def is_harmless(call: ast.Call) -> bool:
    """`save()` of a form runs the service; updating a dict or a digest is no row."""
    target = ast.unparse(call.func)
    return target.startswith(("form.save", "self.form.save", "request.session", "super()"))


def old_names(files: Iterable[Source]) -> Iterator[str]:
    """Yield modules, classes and functions that are called as in the first edition."""
    for path, tree in files:
        parts = path.removesuffix(".py").split("/")[1:]
        if any(OLD_MODULES.fullmatch(part) for part in parts) and "management" not in parts:
            yield path
        for node in ast.walk(tree):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and OLD_NAMES.fullmatch(node.name):
                yield f"{path}:{node.lineno} {node.name}"


def plain_operations(files: Iterable[Source]) -> Iterator[str]:
    """Yield operations of migrations that cannot adopt a table or column that exists.

    Those that change only Django's state touch neither.
    """
    plain = ("CreateModel", "AddField", "AlterField", "RemoveField", "DeleteModel")
    plain += ("RenameModel", "RenameField")
    for path, tree in files:
        of_state = {
            id(node)
            for keyword in ast.walk(tree)
            if isinstance(keyword, ast.keyword) and keyword.arg == "state_operations"
            for node in ast.walk(keyword)
        }
        for node in ast.walk(tree):
            if is_call(node, *plain) and id(node) not in of_state:
                yield f"{path}:{node.lineno} {ast.unparse(node.func)}"


def signals_and_overridden_writes(files: Iterable[Source]) -> Iterator[str]:
    """Yield uses of model signals, and models that override `save` or `delete`."""
    for path, tree in files:
        for node in ast.walk(tree):
            for name in imported_names(node):
                if name.startswith("django.db.models.signals"):
                    yield f"{path}:{node.lineno} {name}"
            if isinstance(node, ast.ClassDef) and any(
                base.endswith("Model") for base in bases(node)
            ):
                own = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
                for name in sorted(own & {"save", "delete"}):
                    yield f"{path}:{node.lineno} {node.name}.{name}"


def is_model(node: ast.ClassDef) -> bool:
    return any(base.endswith("Model") for base in bases(node))


def texts_in_f_strings(files: Iterable[Source]) -> Iterator[str]:
    """Yield gettext calls in f-strings, where older versions of xgettext do not see them."""
    for path, tree in files:
        for string in ast.walk(tree):
            if not isinstance(string, ast.JoinedStr):
                continue
            for node in ast.walk(string):
                if is_call(node, "_", "gettext", "gettext_lazy", "ngettext"):
                    yield f"{path}:{string.lineno} {ast.unparse(node)}"


def lost_translations(files: Iterable[Source]) -> Iterator[str]:
    """Texts of these packages are stored: see mailadmin/translation.py."""
    for path, tree in files:
        if path.startswith(PACKAGES_OF_STORED_TEXTS):
            yield from (
                f"{path}: {alias.name}"
                for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
                for alias in node.names
                if alias.name in TRANSLATING_FUNCTIONS
            )


def nameless_modules(files: Iterable[Source]) -> Iterator[str]:
    for path, _tree in files:
        if Path(path).stem in ("utils", "helpers", "common", "core", "signals"):
            yield path
