"""Settings as doveconf prints them, and as the parser reads them."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.lines import ConfigSetting
from mailboxes.mailserver.config_parser.tree import LIST_SETTINGS, ConfigBlock, split_list_value
from tests.dovecot_server import version_tested
from tests.programs import command

SAMPLES = Path(__file__).parent / "configurations"
VERSIONS = ("2.3", "2.4")


def run(program, *arguments):
    return subprocess.run([command(program), *arguments], capture_output=True, text=True)


# Output of doveconf


@dataclass
class Printed:
    """A block as doveconf prints it."""

    kind: str
    name: str
    children: list


def doveconf(folder, *options):
    output = run("doveconf", "-c", str(folder / "dovecot.conf"), "-a", "-P", *options)
    assert output.returncode == 0, output.stderr
    root = Printed("", "", [])
    stack = [root]
    for line in output.stdout.splitlines():
        text = line.strip()
        if not text or line.startswith("# "):
            continue
        if text == "}":
            stack.pop()
        elif block := re.fullmatch(r"([^=]+?)(?: (\S+|\".*\"))? \{", text):
            stack.append(Printed(block[1], printed(block[2] or ""), []))
            stack[-2].children.append(stack[-1])
        else:
            name, _equals, value = text.partition(" =")
            stack[-1].children.append((name, printed(value.strip())))
    return root


def printed(value):
    """Return a value without the quotes that doveconf adds to some."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def flat(block, path=(), prefix=""):
    """Return (blocks around, full name) → value; block names are omitted from names."""
    is_modern, counted = version_tested() == "2.4", {}
    for child in block.children:
        if isinstance(child, ConfigSetting | tuple):
            name, value = (child.name, child.value) if isinstance(child, ConfigSetting) else child
            yield (*path, short(prefix + name, path)), value
        elif child.kind in LIST_SETTINGS:
            yield from ()  # lists of the parser are read by name
        elif child.name or child.kind in ("passdb", "userdb"):
            kind = short(f"{prefix}{child.kind}", path)
            number = counted[kind] = counted.get(kind, 0) + 1
            is_counted = not is_modern and child.kind in ("passdb", "userdb")
            name = str(number) if is_counted else child.name
            yield from flat(child, (*path, (kind, name)))
        elif is_modern and child.kind != "plugin":
            yield from flat(child, path, f"{prefix}{child.kind}_")
        else:
            yield from flat(child, (*path, (child.kind, "")))


def short(name, path):
    if not path or name == "sql_driver":
        return name
    kind, block = path[-1]
    for prefix in (f"{kind}_{block}_", f"{kind}_", f"{block}_" if kind != "protocol" else ""):
        if prefix and name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def lists(block, path=()):
    """(blocks around, name) → words, of the lists that blocks may add to."""
    for name in LIST_SETTINGS:
        if isinstance(block, ConfigBlock) and block.setting(name):
            yield (*path, name), split_list_value(block.value(name))
        elif isinstance(block, Printed) and (words := words_of(block, name)) is not None:
            yield (*path, name), words
    for child in block.children:
        if isinstance(child, ConfigBlock | Printed) and child.kind not in LIST_SETTINGS:
            yield from lists(child, (*path, (child.kind, child.name)))


def words_of(block, name):
    words = None
    for child in block.children:
        if isinstance(child, Printed) and child.kind == name:
            words = [word for word, is_in in child.children if is_in == "yes"]
        elif isinstance(child, tuple) and child[0] == name:
            words = split_list_value(child[1])
    return words


def compare(folder, *options):
    """Assert that every parsed value is the one that doveconf prints."""
    files, output = DovecotFiles(folder), doveconf(folder, *options)
    assert files.problems == []
    ours = {key: value for key, value in flat(files.root) if key[-1] not in LIST_SETTINGS}
    theirs = dict(flat(output))
    different = {key: (value, theirs.get(key)) for key, value in ours.items()}
    assert [pair for pair in different.items() if pair[1][0] != pair[1][1]] == []
    ours, theirs = dict(lists(files.root)), dict(lists(output))
    different = {key: (sorted(value), sorted(theirs[key])) for key, value in ours.items()}
    assert [pair for pair in different.items() if pair[1][0] != pair[1][1]] == []
    queries = [database.value("password_query") for database in files.passdbs()]
    if files.is_version_2_4:
        assert set(queries) <= {v for key, v in flat(output) if "query" in key[-1]}
    return files
