"""Settings: secret keys, databases and HTTPS."""

import json
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor

import pytest
from django.conf import settings
from django.db import OperationalError, ProgrammingError, connection

from mailadmin.settings import read_secret_key_file
from tests.legacy_databases import environment
from tests.started_panel import HTTPS, ROOT, SHOW, panel


def test_mysql_requires_a_secret_key():
    stopped = panel(
        "manage.py",
        "check",
        MAILADMIN_DATABASE_URL="mysql://localhost/mail",
        MAILADMIN_SECRET_KEY="",
    )
    assert stopped.returncode == 1
    assert stopped.stderr.startswith("mailadmin: MAILADMIN_SECRET_KEY is required with MySQL")
    assert stopped.stderr.count("\n") == 1


def test_a_missing_driver_is_reported_with_the_install_command():
    stopped = panel(
        "-c",
        "import sys; sys.modules['MySQLdb'] = None; import mailadmin.settings",
        MAILADMIN_DATABASE_URL="mysql://localhost/mail",
    )
    assert stopped.returncode == 1
    assert "pip install mysqlclient" in stopped.stderr
    assert stopped.stderr.count("\n") == 1


def test_sqlite_and_its_secret_key_are_created_once_and_private(tmp_path):
    given = {"MAILADMIN_DATABASE_URL": f"sqlite://{tmp_path}/x", "MAILADMIN_SECRET_KEY": ""}
    first = panel("-c", SHOW.format("SECRET_KEY"), **given)
    second = panel("-c", SHOW.format("SECRET_KEY"), **given)
    assert len(first.stdout) > 50
    assert first.stdout == second.stdout
    made = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert made == {"x": 0o600, "x.secret-key": 0o600}


def test_many_first_starts_agree_on_one_secret_key(tmp_path):
    with ProcessPoolExecutor(8) as starts:
        keys = set(starts.map(read_secret_key_file, [tmp_path / "x"] * 64))
    assert len(keys) == 1


def test_a_missing_directory_is_reported(tmp_path):
    stopped = panel("manage.py", "check", MAILADMIN_DATABASE_URL=f"sqlite://{tmp_path}/no/x")
    assert stopped.returncode == 1
    assert stopped.stderr.startswith("mailadmin: MAILADMIN_DATABASE_URL: the folder")


# Safety


def test_check_deploy_is_clean_with_an_https_address():
    checked = panel(
        "manage.py",
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        MAILADMIN_URL="https://panel.example.org",
    )
    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout


def test_an_https_address_makes_cookies_secure_and_is_an_allowed_host():
    names = (
        "SESSION_COOKIE_SECURE CSRF_COOKIE_SECURE SECURE_SSL_REDIRECT SECURE_HSTS_SECONDS "
        "ALLOWED_HOSTS CSRF_TRUSTED_ORIGINS"
    )
    code = "import json; from mailadmin import settings as s; "
    code += f"print(json.dumps([getattr(s, name) for name in {names.split()!r}]))"
    shown = panel("-c", code, MAILADMIN_URL="https://Panel.example.org/")
    assert json.loads(shown.stdout) == [
        True,
        True,
        True,
        31536000,
        ["localhost", "127.0.0.1", "panel.example.org"],
        ["https://panel.example.org"],
    ]


def test_inline_scripts_and_styles_are_forbidden():
    policy = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    assert policy["default-src"] == ["'self'"]
    assert not [s for sources in policy.values() for s in sources if "unsafe" in s]


@pytest.mark.mariadb
@pytest.mark.django_db
class TestMariaDBConnection:
    def run_query(self, sql):
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def test_a_second_statement_is_refused(self):
        with pytest.raises(ProgrammingError):
            self.run_query("SELECT 1; SELECT 2")

    def test_local_infile_is_disabled(self):
        with pytest.raises(OperationalError, match="disabled|not allowed"):
            self.run_query("LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE django_session")

    def test_writing_is_strict_and_zero_dates_are_read(self):
        assert self.run_query("SELECT @@sql_mode") == (("STRICT_TRANS_TABLES",),)
        assert self.run_query("SELECT CAST('0000-00-00 00:00:00' AS DATETIME)") == ((None,),)

    def test_concurrent_commits_are_visible(self):
        assert self.run_query("SELECT @@tx_isolation") == (("READ-COMMITTED",),)


@pytest.mark.mariadb
def test_the_next_host_serves_when_one_does_not(mariadb):
    hosts = f"127.0.0.1:1,127.0.0.1:{mariadb.port}"
    url = mariadb.url().replace(f"127.0.0.1:{mariadb.port}", hosts)
    code = "import django; django.setup(); from django.db import connection; "
    code += "print(connection.mysql_server_data)"
    django = {"DJANGO_SETTINGS_MODULE": "mailadmin.settings"}
    shown = panel("-c", code, MAILADMIN_DATABASE_URL=url, **django)
    assert "MariaDB" in shown.stdout, shown.stderr


@pytest.mark.parametrize(
    ("choice", "header"),
    [
        ("", "max-age=31536000"),
        ("host", "max-age=31536000"),
        ("subdomains", "max-age=31536000; includeSubDomains"),
        ("preload", "max-age=31536000; includeSubDomains; preload"),
        ("no", None),
    ],
)
def test_hsts_is_sent_as_configured(choice, header):
    """Behind an HTTPS proxy, which is detected by a header of trusted proxies."""
    environ = {"MAILADMIN_URL": HTTPS, "MAILADMIN_TRUSTED_PROXIES": "127.0.0.1"}
    found = answer_of(environ | ({"MAILADMIN_HSTS": choice} if choice else {}))
    assert found["status"] == 200
    assert found["headers"].get("Strict-Transport-Security") == header
    assert "Secure" in found["cookies"]


def test_plain_http_is_redirected_unless_a_trusted_proxy_marks_it_secure():
    found = answer_of({"MAILADMIN_URL": HTTPS, "MAILADMIN_TRUSTED_PROXIES": "192.0.2.1"})
    assert found["status"] == 301
    assert found["headers"]["Location"] == "https://panel.example.org/login/"


def test_no_page_shows_details_in_production():
    """Neither an error nor a missing page shows settings, paths or source code."""
    for page, status in (("/nothing/", 404), ("/healthz?%00", 200), ("/login/%ff", 404)):
        found = answer_of({}, page)
        assert found["status"] == status
        for word in ("Traceback", "MAILADMIN_", "urlpatterns", "DEBUG", "settings.py"):
            assert word not in found["text"]


ANSWER = """
import json, sys
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.test import Client
client = Client(raise_request_exception=False, SERVER_NAME="panel.example.org")
answer = client.get(sys.argv[1], HTTP_X_FORWARDED_PROTO="https", HTTP_HOST=sys.argv[2])
print(json.dumps({
    "status": answer.status_code, "headers": dict(answer.headers),
    "cookies": str(answer.cookies), "text": answer.content.decode(),
}))
"""


def answer_of(environ, page="/login/"):
    """Return the response of a panel with these variables."""
    host = "panel.example.org" if "MAILADMIN_URL" in environ else "localhost"
    with tempfile.TemporaryDirectory() as folder:
        own = environment(MAILADMIN_DATABASE_URL=f"sqlite://{folder}/test.sqlite3", **environ)
        done = subprocess.run(
            [sys.executable, "-c", ANSWER, page, host],
            cwd=ROOT,
            env=own,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
