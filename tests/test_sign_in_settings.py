"""Settings of single sign-on, and a panel that runs with them."""

import http.client
import subprocess
import sys

import pytest

from mailadmin.conf import BASE_DIR
from tests.legacy_databases import environment
from tests.servers import Server, free_port
from tests.started_panel import HTTPS, panel, value

OIDC = {
    "MAILADMIN_URL": HTTPS,
    "MAILADMIN_OIDC_ISSUER": "https://login.example.org/realms/mail",
    "MAILADMIN_OIDC_CLIENT_ID": "panel",
    "MAILADMIN_OIDC_CLIENT_SECRET": "hunter2",
}
LOADED = """
import django, sys
django.setup()
import mailadmin.wsgi, mailadmin.urls
print("authlib" in sys.modules)
"""
PREPARE = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from tests.base import build_world
build_world()
"""


@pytest.mark.parametrize(
    ("name", "nonsense"),
    [
        ("MAILADMIN_OIDC_ISSUER", "login.example.org"),
        ("MAILADMIN_OIDC_ISSUER", "http://login.example.org"),
        ("MAILADMIN_OIDC_ISSUER", "https://"),
        ("MAILADMIN_OIDC_ISSUER", "https://user:secret@login.example.org"),
        ("MAILADMIN_OIDC_ISSUER", "https://login.example.org/?realm=mail"),
        ("MAILADMIN_OIDC_ISSUER", "https://login.example.org:https"),
        ("MAILADMIN_OIDC_ISSUER", "https://login.example.org/a b"),
        ("MAILADMIN_OIDC_SCOPES", "email profile"),
        ("MAILADMIN_OIDC_ADDRESS_CLAIM", ""),
        ("MAILADMIN_OIDC_VERIFIED_CLAIM", "email verified"),
        ("MAILADMIN_OIDC_SUPERADMIN_CLAIM", "groups"),
        ("MAILADMIN_OIDC_SUPERADMIN_CLAIM", "groups="),
        ("MAILADMIN_OIDC_SUPERADMIN_CLAIM", "=mail-root"),
        ("MAILADMIN_LOCAL_SIGN_IN", "nobody"),
        ("MAILADMIN_SIGN_IN_HEADER", "X_Remote_User"),
        ("MAILADMIN_SIGN_IN_HEADER", "X-Remote-User: bob"),
        ("MAILADMIN_SIGN_IN_HEADER_SUPERADMINS", "perhaps"),
    ],
)
def test_an_invalid_value_stops_the_start_and_names_the_variable(name, nonsense):
    with pytest.raises(SystemExit) as stopped:
        value(name, nonsense)
    assert str(stopped.value).startswith(f"mailadmin: {name} ")
    assert "\n" not in str(stopped.value)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("MAILADMIN_OIDC_ISSUER", "https://login.example.org:8443/application/o/mail/"),
        ("MAILADMIN_OIDC_ISSUER", "http://127.0.0.1:8080"),
        ("MAILADMIN_OIDC_ISSUER", "http://[::1]:8080/realms/mail"),
        ("MAILADMIN_OIDC_ISSUER", "http://localhost:8080"),
        ("MAILADMIN_OIDC_SCOPES", "openid email groups"),
        ("MAILADMIN_SIGN_IN_HEADER", "REMOTE_USER"),
    ],
)
def test_valid_values_stay_as_they_are(name, given):
    assert value(name, given) == given


def test_a_claim_and_its_value_are_parsed():
    assert value("MAILADMIN_OIDC_SUPERADMIN_CLAIM", "groups = a=b") == ("groups", "a=b")
    assert value("MAILADMIN_OIDC_SUPERADMIN_CLAIM", "") is None


@pytest.mark.parametrize("name", sorted(OIDC))
def test_a_provider_needs_all_of_its_settings(name):
    stopped = panel("manage.py", "check", **{**OIDC, name: ""})
    assert stopped.returncode == 1
    assert stopped.stderr.startswith(f"mailadmin: {name} is required with ")
    assert stopped.stderr.count("\n") == 1
    assert "hunter2" not in stopped.stderr


def test_a_header_needs_trusted_proxies():
    stopped = panel("manage.py", "check", MAILADMIN_SIGN_IN_HEADER="X-Remote-User")
    assert stopped.returncode == 1
    assert stopped.stderr.startswith("mailadmin: MAILADMIN_TRUSTED_PROXIES is required with ")


def test_passwords_are_left_to_superadmins_only_if_others_can_sign_in():
    stopped = panel("manage.py", "check", MAILADMIN_LOCAL_SIGN_IN="superadmins")
    assert stopped.returncode == 1
    assert stopped.stderr.startswith("mailadmin: MAILADMIN_LOCAL_SIGN_IN is 'superadmins'")
    assert panel("manage.py", "check", MAILADMIN_LOCAL_SIGN_IN="superadmins", **OIDC).stderr == ""


@pytest.mark.parametrize(("settings", "is_loaded"), [({}, "False"), (OIDC, "True")])
def test_authlib_is_loaded_only_with_a_provider(settings, is_loaded):
    settings = settings | {"DJANGO_SETTINGS_MODULE": "mailadmin.settings"}
    shown = panel("-c", LOADED, **settings)
    assert shown.stdout.strip() == is_loaded, shown.stderr


class HeaderPanel(Server):
    """gunicorn as the service runs it, behind a proxy on this machine that names people."""

    def run(self):
        self.port = free_port()
        environ = environment(
            MAILADMIN_DATABASE_URL=f"sqlite://{self.folder}/panel.sqlite3",
            MAILADMIN_BIND=f"127.0.0.1:{self.port}",
            MAILADMIN_SIGN_IN_HEADER="X-Remote-User",
            MAILADMIN_TRUSTED_PROXIES="127.0.0.1",
            GUNICORN_CMD_ARGS="--workers 1 --threads 2",
        )
        subprocess.run([sys.executable, "-c", PREPARE], cwd=BASE_DIR, env=environ, check=True)
        arguments = ("-m", "gunicorn", "--config", BASE_DIR / "deploy/gunicorn.conf.py")
        self.start(sys.executable, *arguments, cwd=BASE_DIR, env=environ)
        self.wait_until(lambda: self.get_status("/readyz") == 200)

    def get_status(self, path, *headers):
        """Return the status of a request with these headers, in this spelling and order."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            client.putrequest("GET", path)
            for name, text in headers:
                client.putheader(name, text)
            client.endheaders()
            return client.getresponse().status
        except OSError:
            return None
        finally:
            client.close()


@pytest.mark.sqlite
def test_only_the_header_itself_signs_in_whatever_its_spelling():
    alice, bob = "alice@example.org", "bob@example.org"
    with HeaderPanel() as running:
        running.run()
        for name in ("X-Remote-User", "x-remote-user", "X-REMOTE-USER"):
            assert running.get_status("/login/", (name, bob)) == 302
        for name in (
            "X_Remote_User",
            "X-Remote_User",
            "x_remote-user",
            "Remote-User",
            "REMOTE_USER",
        ):
            assert running.get_status("/login/", (name, bob)) == 200
        # What a client adds to the header of the proxy names nobody, and replaces nobody.
        both = ("X-Remote-User", alice), ("X-Remote-User", bob)
        assert running.get_status("/login/", *both) == 403
        for name in ("X_Remote_User", "X-Remote_User"):
            for order in (1, -1):
                mixed = (("X-Remote-User", "dave@example.org"), (name, bob))[::order]
                assert running.get_status("/login/", *mixed) == 403
