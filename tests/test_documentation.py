"""The documentation: links, settings, the site and files of the repository."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from mailadmin import conf
from mailadmin.conf.settings_page import generate_settings
from tests import documentation
from tests.documented_commands import COMMANDS, ROOT


def test_every_block_names_its_language():
    known = {documentation.COMMANDS, documentation.STATEMENTS, *documentation.OTHER_LANGUAGES}
    for path in documentation.find_pages():
        found = {language for language, _text in documentation.blocks(path.read_text("utf-8"))}
        assert found <= known, path.name


@pytest.mark.parametrize("path", documentation.find_pages(), ids=documentation.page_name)
def test_links_lead_to_files_and_headings(path):
    for link in documentation.find_links(path):
        name, _sign, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        assert ROOT in target.parents, link
        assert not anchor or anchor in documentation.heading_anchors(target), link


def test_the_readme_fits_on_a_screen_and_a_half():
    assert len((ROOT / "README.md").read_bytes()) < 7000


def test_the_settings_page_is_the_generated_one():
    """`make docs` or `python -m mailadmin.conf docs/settings.md` writes it."""
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    assert page == generate_settings(page)
    assert page.count("\n| `MAILADMIN_") == len(conf.SETTINGS)
    assert "Other settings" not in page, "name its topic in mailadmin/conf/settings_page.py"


def test_every_setting_that_a_page_names_exists():
    declared = {setting.name for setting in conf.SETTINGS}
    declared |= {f"{setting.name}_FILE" for setting in conf.SETTINGS if setting.secret}
    others = {"MAILADMIN_ENV_FILE", "MAILADMIN_TEST_DATABASE", "MAILADMIN_TEST_DEBIAN"}
    for path in documentation.find_pages():
        named = set(re.findall(r"\bMAILADMIN_[A-Z0-9_]*[A-Z0-9]", path.read_text("utf-8")))
        assert named - declared - others == set(), path.name


ATTACKS_RE = re.compile(r"^\| attack \| tests \|\n(.*?)\n\n", re.MULTILINE | re.DOTALL)


def attack_tests():
    """Yield (file, name of a test in it) of the table of attacks; the name may be empty."""
    table = ATTACKS_RE.search((ROOT / "docs/security.md").read_text("utf-8"))[1]
    for row in table.splitlines()[1:]:
        tests = row.rstrip(" |").rpartition(" | ")[2]
        for part in tests.split("; "):
            path, *names = re.findall(r"`([^`]+)`", part)
            yield from ((path, name) for name in names or [""])


def find_missing_tests(named):
    """Return those of (file, name) that there are not."""
    for path, name in named:
        text = (ROOT / path).read_text("utf-8") if (ROOT / path).is_file() else None
        is_there = text is not None and (not name or re.search(rf"^\s*def {name}\(", text, re.M))
        if not is_there:
            yield path, name


def test_every_test_that_the_page_on_attacks_names_exists():
    named = [*attack_tests()]
    assert len(named) > 80
    assert [*find_missing_tests(named)] == []


def test_every_file_of_attacks_is_on_the_page():
    files = {f"tests/attacks/{path.name}" for path in (ROOT / "tests/attacks").glob("test_*.py")}
    assert files <= {path for path, _name in attack_tests()}


def test_the_check_finds_a_missing_test():
    here = "tests/test_documentation.py"
    wrong = [(here, "test_nothing"), ("tests/test_nothing.py", "")]
    assert [*find_missing_tests([(here, ""), (here, "attack_tests"), *wrong])] == wrong


# The site


class ResourceParser(HTMLParser):
    """Collects what a browser loads with a page."""

    def __init__(self):
        super().__init__()
        self.loaded = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "link" and values.get("rel") in ("canonical", "next", "prev"):
            return
        loads = {"link": "href", "script": "src", "img": "src", "iframe": "src"}
        self.loaded.append(values.get(loads.get(tag)) or "")


def build_site(folder):
    program = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    built = subprocess.run(
        [*program, "--site-dir", folder], cwd=ROOT, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    return sorted(Path(folder).rglob("*.html"))


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path):
    pages = build_site(tmp_path)
    assert {"index.html", "settings.html", "2026-11-20.html"} <= {page.name for page in pages}
    for page in pages:
        parser = ResourceParser()
        parser.feed(page.read_text("utf-8"))
        assert [each for each in parser.loaded if re.match(r"(\w+:)?//", each)] == [], page.name
    for sheet in tmp_path.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//|@import", sheet.read_text("utf-8")), sheet


# Contributors


def test_hooks_have_the_versions_of_the_lock_file():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    lock = dict(re.findall(r"^(\S+)==(\S+)", (ROOT / "tests/requirements.lock").read_text(), re.M))
    found = {each["repo"].rpartition("/")[2].split("-")[0]: each for each in hooks}
    for name in ("ruff", "djade"):
        assert found[name]["rev"].removeprefix("v") == lock[name]


def test_yaml_files_are_valid_and_the_matrix_has_both_databases():
    files = [*(ROOT / ".github").rglob("*.yml"), ROOT / "mkdocs.yml"]
    parsed = {path.name: yaml.safe_load(path.read_text()) for path in files}
    job = parsed["tests.yml"]["jobs"]["tests"]
    assert job["strategy"]["matrix"]["database"] == ["sqlite", "mariadb"]
    assert any(step.get("run", "").startswith("tests/run ") for step in job["steps"])


def test_the_makefile_has_the_documented_targets():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {each.text.split()[1] for each in COMMANDS if each.text.startswith("make ")}
    assert named <= targets
    assert {"run", "test", "lint", "messages", "docs", "lock"} <= targets
