"""The table of programs that tests start is complete and checked before the first test."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import install
from mailadmin.conf import BASE_DIR
from tests import programs, releases

STARTERS = {"command", "start", "which"}  # their first argument names a program
RUNNERS = {"run", "Popen", "check_output"}  # theirs is a list that begins with one


def named_programs(path):
    """Return the programs that a test module starts by name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        first = node.args[0]
        if name in RUNNERS and isinstance(first, ast.List) and first.elts:
            first, name = first.elts[0], "command"
        is_text = isinstance(first, ast.Constant) and isinstance(first.value, str)
        if name in STARTERS and is_text and not is_management(node):
            yield Path(first.value).name


def is_management(node):
    """`self.command("worker")` and the like are commands of the panel."""
    owner = getattr(node.func, "value", None)
    return (
        isinstance(owner, ast.Name) and owner.id in ("self", "cls") and node.func.attr == "command"
    )


def test_every_program_that_tests_start_is_in_the_table():
    ours = {path.stem for path in BASE_DIR.glob("*/management/commands/*.py")}
    found = {}
    modules = set(Path(BASE_DIR, "tests").rglob("*.py")) - {Path(__file__)}
    for path in sorted(modules):
        for program in named_programs(path):
            if program not in programs.PACKAGE_OF and program not in ours:
                found.setdefault(program, path.name)
    assert not found, f"name these with their package in tests/programs.py: {found}"


def test_the_search_finds_programs_that_a_test_starts(tmp_path):
    path = tmp_path / "x.py"
    path.write_text('subprocess.run(["one", "-x"])\ncommand("two")\nself.start("three", 1)\n')
    assert list(named_programs(path)) == ["one", "two", "three"]


def test_a_missing_program_is_reported_before_the_first_test():
    code = (
        "from tests import programs\n"
        "programs.PACKAGES['some-package'] = ('no-such-program',)\n"
        "import tests.settings\n"
    )
    command_line = [sys.executable, "-c", code]
    stopped = subprocess.run(command_line, cwd=BASE_DIR, capture_output=True, text=True)
    assert stopped.returncode == 1
    assert "no-such-program (package some-package)" in stopped.stderr


def test_missing_packages_are_those_to_be_installed(monkeypatch):
    gone = programs.POSTFIX / "postfix-pcre.so"
    there = programs.is_available
    monkeypatch.setattr(
        programs, "is_available", lambda program: program != gone and there(program)
    )
    assert programs.missing_packages() == ["postfix-pcre"]
    assert programs.missing_programs() == [f"{gone} (package postfix-pcre)"]


def test_a_program_outside_of_the_table_is_refused():
    with pytest.raises(KeyError):
        programs.command("no-such-program")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start the servers of both releases")
@pytest.mark.mailserver
def test_the_readme_names_the_versions_that_are_tested():
    readme = (BASE_DIR / "README.md").read_text()
    for release in releases.RELEASES:
        (line,) = (line for line in readme.splitlines() if line.startswith(f"| Debian {release} |"))
        _debian, _python, *named = line.strip("| ").split(" | ")
        found = re.findall(r" (\d+\.\d+)", releases.versions(release).partition(": ")[2])
        assert named == found, release


# Of each release


@pytest.mark.release
def test_the_packages_bring_these_programs():
    some = [program for brought in programs.SERVERS.values() for program in brought]
    assert [program for program in some if not is_in_release(program)] == []


def is_in_release(program):
    """Return whether a file exists in the release, where links are broken from outside."""
    named = isinstance(program, str)
    places = [Path(folder, program) for folder in ("/usr/bin", "/usr/sbin")] if named else [program]
    return any(os.path.lexists(programs.installed(place)) for place in places)


@pytest.mark.release
def test_the_packages_have_these_names(tmp_path):
    root = programs.installed("/")
    places = {"State::lists": root / "var/lib/apt/lists", "Etc": root / "etc/apt"}
    options = [f"-oDir::{name}={place}" for name, place in (places | {"Cache": tmp_path}).items()]
    (tmp_path / "archives/partial").mkdir(parents=True)
    command_line = [programs.command("apt-cache"), *options, "dumpavail"]
    output = subprocess.run(command_line, capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"^Package: (.+)$", output, re.MULTILINE))
    if "apt" not in known:
        pytest.skip("apt has no index here")
    needed = programs.PACKAGES.keys() | programs.ESSENTIAL.keys() | install.COMPILER.keys()
    assert needed - known == set()
    assert programs.PACKAGE_OF[programs.RELEASES[releases.tested()].php_fpm] in known
