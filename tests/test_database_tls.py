"""TLS with the database: what the options of its URL make the driver do."""

import subprocess
import sys

import pytest

from mailadmin.conf import BASE_DIR
from tests.certificates import write_authorities
from tests.legacy_databases import environment
from tests.servers import MariaDB

pytestmark = pytest.mark.mariadb
ASK = """
from django.db import connection
from mailadmin import settings
import django
django.setup()
with connection.cursor() as cursor:
    cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
    print(cursor.fetchone()[1] or "not encrypted")
"""


class EncryptedMariaDB(MariaDB):
    """A server whose users have to use TLS."""

    def __init__(self, folder):
        self.certificates = folder
        super().__init__()

    def _run(self, *more):
        pem = self.certificates / "server.pem"
        super()._run(*more, f"--ssl-cert={pem}", f"--ssl-key={pem}")


class UnencryptedMariaDB(MariaDB):
    def _run(self, *more):
        super()._run(*more, "--skip-ssl")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_authorities(tmp_path_factory.mktemp("database_tls"))


@pytest.fixture(scope="module")
def server(folder):
    with EncryptedMariaDB(folder) as server:
        server.client.execute(f"ALTER USER '{server.client.user}'@'%' REQUIRE SSL")
        yield server


@pytest.fixture(scope="module")
def unencrypted_server():
    with UnencryptedMariaDB() as server:
        yield server


def ask(server, options):
    """Return the cipher of a connection, or the error."""
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env=environment(MAILADMIN_DATABASE_URL=server.client.url() + options),
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_a_certificate_is_verified_by_the_authority_that_is_given(server, folder):
    assert "TLS" in ask(server, f"?ssl_ca={folder}/ca.pem")
    assert "OperationalError" in ask(server, f"?ssl_ca={folder}/other.pem")


def test_without_verification_the_connection_is_encrypted_still(server):
    assert "TLS" in ask(server, "?ssl_verify=no")
    assert "Access denied" in ask(server, "")


@pytest.mark.parametrize(
    "options", ["ssl_verify=no", "ssl_cert={pem}&ssl_key={pem}", "ssl_ca={folder}/ca.pem"]
)
def test_a_server_without_tls_is_refused(unencrypted_server, folder, options):
    assert ask(unencrypted_server, "") == "not encrypted"
    options = options.format(folder=folder, pem=folder / "server.pem")
    assert "is required, but the server" in ask(unencrypted_server, f"?{options}")


def test_a_cipher_may_be_chosen(server, folder):
    cipher = "ECDHE-ECDSA-AES128-GCM-SHA256"
    shown = ask(server, f"?ssl_ca={folder}/ca.pem&ssl_cipher={cipher}")
    assert shown in (cipher, "TLS_AES_256_GCM_SHA384")  # TLS 1.3 has ciphers of its own


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("?ssl_verify=maybe", "neither yes nor no"),
        ("?ssl_ca=/etc/passwd&ssl_verify=no", "would not use"),
        ("?ssl_capath=/nowhere", "cannot be read"),
        ("?ssl=1", "unknown option"),
    ],
)
def test_options_that_make_no_sense_are_refused(server, options, text):
    assert text in ask(server, options)
