"""Parsing of Dovecot's files, compared with the installed Dovecot, 2.3 or 2.4."""

import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.tree import split_list_value
from mailboxes.mailserver.generator import disk
from mailboxes.mailserver.generator.choices import MailServerOptions
from mailboxes.mailserver.generator.files import generate_files
from tests.dovecot_server import FIRST_LINES, make_certificate, only_with, version_tested
from tests.mailboxes.printed_settings import SAMPLES, VERSIONS, compare, run
from tests.mailservers import PASSWORDS
from tests.programs import installed

STOCK = {"2.3": "/usr/share/dovecot", "2.4": "/etc/dovecot"}


def stock(folder, version):
    """Debian's own files, with passwords in SQL."""
    own = installed(STOCK[version])
    shutil.copytree(own / "conf.d", folder / "conf.d")
    shutil.copytree(installed("/usr/share/dovecot/protocols.d"), folder / "protocols.d")
    text = (own / "dovecot.conf").read_text()
    (folder / "dovecot.conf").write_text(text.replace("/usr/share/dovecot/", ""))
    auth = folder / "conf.d/10-auth.conf"
    text = auth.read_text().replace("\n!include auth-system", "\n#!include auth-system")
    auth.write_text(text.replace("#!include auth-sql", "!include auth-sql"))
    sql = folder / "conf.d/auth-sql.conf.ext"
    if version == "2.4":
        sql.write_text(uncommented(sql.read_text()))
    else:
        shutil.copy(own / "dovecot-sql.conf.ext", folder)
        sql.write_text(sql.read_text().replace("/etc/dovecot", str(folder)))


UNCOMMENTED = re.compile(
    r"^#(sql_driver|mysql /|  (?:user|password|dbname) =|\}|passdb sql|  default_password"
    r"|userdb sql|  query = \\|    (?:SELECT|FROM) |  iterate_query|userdb prefetch)",
    re.M,
)


def uncommented(text):
    """Return the examples of the stock file, uncommented."""
    text = text.partition("#passdb static {")[0] + "#userdb prefetch {\n#}\n"
    text = re.sub(r"^#mysql localhost \{\n.*?^#\}\n", "", text, flags=re.M | re.S)
    text = re.sub(r"^#  userdb_ldap \{\n.*?^#  \}\n", "", text, flags=re.M | re.S)
    return UNCOMMENTED.sub(lambda found: found[0].removeprefix("#"), text)


@pytest.mark.mailserver
@pytest.mark.parametrize("version", VERSIONS)
def test_debian_configuration_is_parsed(version, tmp_path):
    only_with(version)
    stock(tmp_path, version)
    files = compare(tmp_path)
    assert files.is_version_2_4 is (version == "2.4")
    assert "imap" in split_list_value(files.value("protocols"))
    assert len(files.passdbs()) == len(files.userdbs()) == 1
    if version == "2.4":
        [passdb] = files.passdbs()
        assert passdb.value("password_query").startswith("SELECT userid as username, domain")
        assert passdb.value("default_pass_scheme") == "SHA256"
        assert passdb.value("driver") == "mysql"


@pytest.mark.mailserver
@pytest.mark.parametrize("cram_md5", [False, True])
@pytest.mark.parametrize("sieve", [False, True])
@pytest.mark.parametrize("delivery", ["lmtp", "lda"])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.django_db
def test_the_configuration_of_the_panel_is_parsed(version, delivery, sieve, cram_md5, tmp_path):
    only_with(version)
    certificate = make_certificate(tmp_path)
    folder = tmp_path / "dovecot"
    choices = MailServerOptions(
        dovecot_version=version,
        dovecot_directory=str(folder),
        delivery=delivery,
        cram_md5=cram_md5,
        sieve=sieve,
        certificate=certificate,
        key=certificate,
        passwords=PASSWORDS,
    )
    for change in disk.iter_file_changes(generate_files(choices), {"dovecot": folder}):
        disk.write_change(change)
    files = compare(folder)
    [passdb], [userdb] = files.passdbs(), files.userdbs()
    assert passdb.value("default_pass_scheme") == "CRYPT"
    assert passdb.value("password_query") and userdb.value("user_query")
    assert ("sieve" in files.value("protocols").split()) is sieve
    assert ("cram-md5" in files.value("auth_mechanisms")) is cram_md5


def version_of(folder):
    is_modern = "dovecot_config_version" in (folder / "dovecot.conf").read_text()
    return "2.4" if is_modern else "2.3"


SAMPLE_NAMES = sorted(path.parent.name for path in SAMPLES.glob("*/dovecot"))
# These name missing things: another machine's files, or a program that Debian does not have.
LEAVE_OUT = re.compile(r"^!include_try /usr/share/dovecot.*\n", re.M)


@pytest.mark.mailserver
@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_configurations_of_guides_are_parsed(name, tmp_path):
    only_with(version_of(SAMPLES / name / "dovecot"))
    folder = tmp_path / "dovecot"
    shutil.copytree(SAMPLES / name / "dovecot", folder)
    for path in folder.rglob("*.conf"):
        text = path.read_text().replace("/etc/dovecot/", f"{folder}/")
        path.write_text(LEAVE_OUT.sub("", text))
    compare(folder)


# Single lines


class Variant(NamedTuple):
    """A spelling of a setting."""

    text: str
    version: str = ""  # "" if both versions accept it
    options: tuple = ()


def variants():
    """name → variant, as the file beside this one lists them."""
    parts = (Path(__file__).parent / "dovecot_variants.conf").read_text().split("\n## ")[1:]
    for part in parts:
        head, _newline, text = part.partition("\n")
        name, version, options = (head.split("; ") + ["", ""])[:3]
        yield name, Variant(f"{text}\n", version, tuple(options.split()))


VARIANTS = dict(variants())


@pytest.mark.mailserver
@pytest.mark.parametrize("name", VARIANTS)
def test_a_line_is_parsed_like_doveconf(name, tmp_path):
    variant = VARIANTS[name]
    only_with(variant.version)
    head = FIRST_LINES[version_tested()]
    (tmp_path / "dovecot.conf").write_text(head + variant.text)
    compare(tmp_path, *variant.options)


INCLUDES = """\
!include conf.d/*.conf
!include_try none.conf
!include_try none*.conf
base_dir = /last
"""


@pytest.mark.mailserver
def test_includes_are_read_at_their_position(tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/20-b.conf").write_text("login_greeting = b\n")
    (tmp_path / "conf.d/10-a.conf").write_text("login_greeting = a\nbase_dir = /a\n")
    head = FIRST_LINES[version_tested()]
    (tmp_path / "dovecot.conf").write_text(head + INCLUDES)
    files = compare(tmp_path)
    assert (files.value("login_greeting"), files.value("base_dir")) == ("b", "/last")


def read(folder, name):
    """The files of a variant of Dovecot 2.4's."""
    (folder / "dovecot.conf").write_text(FIRST_LINES["2.4"] + VARIANTS[name].text)
    return DovecotFiles(folder)


@pytest.mark.parametrize(
    "name, values",
    [
        (
            "a list by words and blocks",
            {"mail_plugins": "b c d", "auth_mechanisms": "plain cram-md5"},
        ),
        ("a line begins a list anew", {"mail_plugins": "b"}),
        ("2.3's variables are words", {"log_path": "$login_greeting x"}),
        ("an earlier setting, named", {"log_path": "x and more$SET:login_greeting"}),
    ],
)
def test_values_of_2_4_are_parsed_without_dovecot_2_4(name, values, tmp_path):
    files = read(tmp_path, name)
    assert {name: files.value(name) for name in values} == values


@pytest.mark.parametrize(
    "name, expected",
    [
        ("short and full names", ["select 1"]),
        ("a passdb by another name", ["select 2 where x = '%{user}'"]),
        ("passdbs of other kinds", ["select 1"]),
        ("one passdb in two blocks", ["select 2"]),
        ("a passdb of a protocol, by its name", ["select 1"]),
        ("global queries", ["select 1"]),
    ],
)
def test_queries_of_2_4_are_found_in_every_block(name, expected, tmp_path):
    passdbs = read(tmp_path, name).passdbs()
    assert [passdb.value("password_query") for passdb in passdbs] == expected


def test_a_local_database_overrides_the_global_one(tmp_path):
    files = read(tmp_path, "a database of its own")
    assert [each.value("driver") for each in files.passdbs()] == ["sqlite"]
    assert [each.value("driver") for each in files.userdbs()] == ["mysql"]


@pytest.mark.mailserver
def test_a_group_is_expanded_to_its_settings(tmp_path):
    only_with("2.4")
    text = "group @g one {\n  mail_home = /x\n  login_greeting = g\n}\n"
    (tmp_path / "dovecot.conf").write_text(
        f"{FIRST_LINES['2.4']}{text}@g = one\nlogin_greeting = own\n"
    )
    files = DovecotFiles(tmp_path)
    assert (files.value("mail_home"), files.value("login_greeting")) == ("/x", "own")
    output = run("doveconf", "-c", str(tmp_path / "dovecot.conf"), "-n").stdout
    assert "group @g one {" in output and "@g = one" in output


REFUSED = [
    ("a block on one line", "userdb x { }\n", 1),
    ("a brace without a space", "userdb{\n}\n", 1),
    ("a brace too many", "base_dir = /x\n}\n", 2),
    ("a word alone", "base_dir = /x\nbase_dir\n", 2),
    ("no file to include", "!include none*.conf\n", 1),
    ("a comment cuts a line", "base_dir = \\\n# x\n /x\n", 3),
]


@pytest.mark.mailserver
@pytest.mark.parametrize("name, text, line", REFUSED, ids=lambda value: str(value)[:30])
def test_errors_of_doveconf_are_problems(name, text, line, tmp_path):
    head = FIRST_LINES[version_tested()]
    (tmp_path / "dovecot.conf").write_text(head + text)
    line += head.count("\n")
    output = run("doveconf", "-c", str(tmp_path / "dovecot.conf"), "-n")
    assert output.returncode != 0
    assert f"line {line}: " in output.stderr
    assert line in [problem.line.number for problem in DovecotFiles(tmp_path).problems]
