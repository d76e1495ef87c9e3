"""The autoresponder command as Postfix runs it."""

import os
import subprocess
import sys

import pytest

from mailadmin.conf import BASE_DIR
from mailboxes.mailserver import autoresponder
from tests.mailboxes.autoresponder.post import build_mail, environ


def test_the_command_answers_without_django(post):
    code = (
        "import sys, mailadmin\n"
        "try:\n    mailadmin.main()\n"
        "except SystemExit as end:\n"
        "    print(end.code, *[name for name in sys.modules if name.startswith('django')])\n"
    )
    _python, _manage, *arguments = post.command()
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=build_mail(),
        capture_output=True,
        env=environ(),
        cwd=BASE_DIR,
    )
    assert result.stdout == b"0\n", result.stderr
    assert len(post.answers()) == 1


def test_django_runs_the_same_command(post):
    code = "import sys; from django.core.management import execute_from_command_line as run;"
    result = subprocess.run(
        [sys.executable, "-c", f"{code} run(sys.argv)", *post.command()[2:]],
        input=build_mail(),
        capture_output=True,
        env=environ(
            DJANGO_SETTINGS_MODULE="mailadmin.settings", MAILADMIN_SECRET_KEY="for tests" * 9
        ),
        cwd=BASE_DIR,
    )
    assert result.returncode == 0, result.stderr
    assert len(post.answers()) == 1


@pytest.mark.parametrize(
    ("more", "environment"),
    [
        (["--sender"], {}),
        (["--unknown=1"], {}),
        ([], {"MAILADMIN_TIME_ZONE": "Nowhere/Land"}),
        ([], {"MAILADMIN_DATABASE_URL": "mysql://bob:hidden-word@127.0.0.1:1/x"}),
        ([], {"MAILADMIN_DATABASE_URL": "bob:hidden-word"}),
        (["--env-file=/nowhere"], {}),
    ],
)
def test_mail_is_deferred_while_the_command_or_a_setting_is_wrong(post, more, environment):
    """Any other status would cause a bounce that reveals the error to the sender."""
    result = post.run_command(*more, environ=environ(**environment))
    assert result.returncode == 75
    assert b"4.3.0 the vacation responder is not available" in result.stderr
    assert b"hidden-word" not in result.stderr and b"Traceback" not in result.stderr
    assert post.answers() == []


@pytest.mark.parametrize("form", ["--recipient=a --recipient=b", "--recipient a b"])
def test_several_recipients_are_accepted_in_both_forms(form):
    assert autoresponder.build_parser().parse_args(["--sender=", *form.split()]).recipient == [
        "a",
        "b",
    ]


def test_an_internal_error_defers_the_mail(post, tmp_path):
    code = (
        "import sys, mailadmin\n"
        "from mailboxes.mailserver import autoresponder\n"
        "autoresponder.read_message = None\n"
        "mailadmin.main()\n"
    )
    _python, _manage, *arguments = post.command()
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(
        command, input=build_mail(), capture_output=True, env=environ(), cwd=BASE_DIR
    )
    assert result.returncode == 75
    assert b"unexpected error: TypeError in " in result.stderr and b"Traceback" not in result.stderr


def test_the_configuration_file_names_the_database(post, tmp_path):
    path = tmp_path / "autoreply.env"
    url = environ()["MAILADMIN_DATABASE_URL"]
    path.write_text(
        f"MAILADMIN_DATABASE_URL={url}\nMAILADMIN_TIME_ZONE=Europe/Berlin\n"
        "MAILADMIN_SECRET_KEY_FILE=/nowhere/that/is/readable\n"
    )
    bare = {name: os.environ[name] for name in ("PATH",)}
    assert post.run_command(f"--env-file={path}", environ=bare).returncode == 0
    assert len(post.answers()) == 1


def test_it_is_among_the_commands_that_help_lists(post):
    result = subprocess.run(
        [sys.executable, str(BASE_DIR / "manage.py"), "help"], capture_output=True, env=environ()
    )
    assert b"autoreply" in result.stdout.split()
    result = post.run_command("--help", environ=environ())
    assert result.returncode == 0 and b"--original-recipient" in result.stdout
