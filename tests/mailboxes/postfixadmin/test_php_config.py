"""Configuration files of PostfixAdmin, read without PHP: compared with PHP itself."""

import json
import subprocess
from pathlib import Path

import pytest

from mailboxes.postfixadmin.php_config import read_files
from mailboxes.postfixadmin.php_values import PhpSyntaxError, Unknown
from tests.postfixadmin import package
from tests.programs import command

SAMPLE = Path(__file__).with_name("sample.config.php")
ONLY_PHP = {
    "closure": (45, "it is a function of PHP"),
    "arrow": (46, "it is a function of PHP"),
    "version_of_php": (47, "PHP_VERSION_ID is a constant of PHP"),
    "call": (48, "helper() is a function of PHP"),
    "maybe": (49, "it depends on a condition that only PHP can decide"),
    "loop": (50, "it depends on a condition that only PHP can decide"),
    "object": (51, "the result of a function"),
}


def read(tmp_path, *sources):
    paths = [tmp_path / f"{number}.php" for number, _source in enumerate(sources)]
    for path, source in zip(paths, sources, strict=True):
        path.write_text(source)
    return read_files(paths)


def run_php(path):
    """Return $CONF as PHP itself computes it."""
    program = "include $argv[1]; fwrite(STDERR, json_encode($CONF));"
    ran = subprocess.run([command("php"), "-r", program, path], capture_output=True, text=True)
    return json.loads(ran.stderr.splitlines()[-1])


def as_json(value):
    """Return a value as PHP writes it: an array with the keys 0, 1, … is a list."""
    if not isinstance(value, dict):
        return value
    items = {str(key): as_json(item) for key, item in value.items()}
    return list(items.values()) if list(value) == list(range(len(value))) else items


def test_what_is_computed_is_what_php_computes():
    ours, theirs = read_files([SAMPLE]).options, run_php(SAMPLE)
    known = {name: value for name, value in ours.items() if not isinstance(value, Unknown)}
    assert as_json(known) == {name: theirs[name] for name in known}
    assert theirs.keys() - known.keys() == ONLY_PHP.keys()


def test_what_only_php_can_compute_is_named_with_its_line():
    scope = read_files([SAMPLE])
    unknown = {key: value for key, value in scope.options.items() if isinstance(value, Unknown)}
    found = {key: (scope.set_at[key].line, value.reason) for key, value in unknown.items()}
    assert found == ONLY_PHP


def test_debians_configuration_is_read_as_php_reads_it(tmp_path):
    config = tmp_path / "config.inc.php"
    config.write_bytes((package() / "etc/postfixadmin/config.inc.php").read_bytes())
    (tmp_path / "dbconfig.inc.php").write_text(
        "<?php\n##\n## database access settings in php format\n##\n"
        "$dbuser='postfixadmin';\n$dbpass='s3c\\'ret';\n$basepath='';\n$dbname='mail';\n"
        "$dbserver='';\n$dbport='3306';\n$dbtype='mysql';\n"
    )
    (tmp_path / "config.local.php").write_text("<?php $CONF['encrypt'] = 'php_crypt';")
    scope = read_files([config])
    assert as_json(scope.options) == run_php(config)
    assert scope.options["database_password"] == "s3c'ret"
    assert scope.options["database_host"] == "localhost"
    assert scope.options["encrypt"] == "php_crypt"
    assert len(scope.options) > 90
    assert scope.files == [
        str(config),
        str(tmp_path / "dbconfig.inc.php"),
        str(tmp_path / "config.local.php"),
    ]


def test_a_later_file_overrides_an_earlier_one(tmp_path):
    scope = read(tmp_path, "<?php $CONF['a'] = 1; $CONF['b'] = 1;", "<?php $CONF['a'] = 2;")
    assert scope.options == {"a": 2, "b": 1}
    assert scope.set_at["a"].path == str(tmp_path / "1.php")


def test_a_file_named_first_still_overrides_the_one_that_includes_it(tmp_path):
    local, main = tmp_path / "config.local.php", tmp_path / "config.inc.php"
    local.write_text("<?php $CONF['a'] = 'local';")
    main.write_text(
        "<?php $CONF['a'] = 'main'; require_once(dirname(__FILE__) . '/config.local.php');"
    )
    assert read_files([local, main]).options == {"a": "local"}


def test_a_copy_elsewhere_is_included_by_its_name(tmp_path):
    (tmp_path / "copies").mkdir()
    local, main = tmp_path / "copies/config.local.php", tmp_path / "config.inc.php"
    local.write_text("<?php $CONF['a'] = 'local';")
    main.write_text(
        "<?php $CONF['a'] = 'main'; if (file_exists(__DIR__ . '/config.local.php'))"
        " { include __DIR__ . '/config.local.php'; }"
    )
    assert read_files([local, main]).options == {"a": "local"}


def test_an_include_that_cannot_be_followed_is_reported(tmp_path):
    scope = read(tmp_path, "<?php\ninclude 'gone.php';\ninclude find_it();")
    assert scope.notes == [
        f"{tmp_path}/0.php, line 2: gone.php was not found and not read",
        f"{tmp_path}/0.php, line 3: whether a file whose name only PHP can compute is included only"
        " PHP can decide; name it on the command line if so",
    ]


def test_an_environment_variable_is_read_and_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("PFA_DB", "mail")
    scope = read(tmp_path, "<?php $CONF['database_name'] = getenv('PFA_DB') ?: 'postfix';")
    assert scope.options == {"database_name": "mail"}
    assert "getenv('PFA_DB')" in scope.notes[0]


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("<?php\n\n$CONF['a'] = 'x;\n", 3, "a string has no end"),
        ("<?php\n/* x\n", 2, "a comment has no end"),
        ("<?php\n$CONF['a'] = <<<EOM\nx\n", 2, "the text <<<EOM has no end"),
        ("<?php\n$CONF['a'] = array(1, 2;\n", 2, "expected , before ';'"),
        ("<?php\n$CONF['a'] = 1\n$CONF['b'] = 2;\n", 3, "expected ; before '$CONF'"),
        ("<?php\nif (true) {\n$CONF['a'] = 1;\n", 2, "{ is never closed"),
        ("<?php\n$CONF['a'] = ;\n", 2, "unexpected ';'"),
        ("<?php\n$CONF['a'] = \x01;\n", 2, "unexpected '\\x01'"),
        ("<?php\n" + "(" * 5000, 1, "the file is nested too deeply"),
    ],
)
def test_a_file_that_is_no_php_is_refused_with_the_line(tmp_path, source, line, reason):
    with pytest.raises(PhpSyntaxError) as refused:
        read(tmp_path, source)
    assert str(refused.value) == f"{tmp_path}/0.php, line {line}: {reason}"


def test_a_file_that_includes_itself_is_refused(tmp_path):
    with pytest.raises(PhpSyntaxError, match="includes itself"):
        read(tmp_path, "<?php include __FILE__;")
