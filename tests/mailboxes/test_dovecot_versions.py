"""Differences of Dovecot 2.3 and 2.4: weak schemes, variables of the other version."""

import re
import subprocess

import pytest

from mailadmin.passwords.strength import REJECTED_SCHEMES
from mailboxes.mailserver.checks import Configuration, run_checks
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from tests import mailservers
from tests.dovecot_server import (
    FIRST_LINES,
    Dovecot,
    Shared,
    make_certificate,
    only_with,
    version_tested,
)
from tests.programs import command
from tests.servers import free_port

pytestmark = [pytest.mark.mailserver, mailservers.needs_root]
PASSWORD = "correct-horse-42"
CONFIGURATION = {
    "2.3": """\
passdb {
  driver = passwd-file
  args = username_format=%%u %(folder)s/passwords
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=/nowhere
}
mail_location = maildir:/nowhere
ssl_cert = <%(certificate)s
ssl_key = <%(certificate)s
""",
    "2.4": """\
passdb passwd-file {
  passwd_file_path = %(folder)s/passwords
  passdb_default_password_scheme = CRYPT
}
userdb static {
  fields {
    uid = 65534
    gid = 65534
    home = /nowhere
  }
}
mail_driver = maildir
mail_path = /nowhere
ssl_server_cert_file = %(certificate)s
ssl_server_key_file = %(certificate)s
""",
}


def schemes():
    """Return all schemes of Dovecot except an alias and one that doveadm writes incompletely."""
    said = subprocess.run([command("doveadm"), "pw", "-l"], capture_output=True, text=True)
    return sorted({*said.stdout.split()} - {"ARGON2", "PLAIN-TRUNC"})


def stored(scheme):
    words = ["pw", "-s", scheme, "-p", PASSWORD, "-u", scheme.lower()]
    return subprocess.run([command("doveadm"), *words], capture_output=True, text=True).stdout


def crypt_lines():
    """Yield hashes of crypt(3) that do not name their scheme: with {CRYPT}, and with no prefix."""
    for scheme in ("MD5-CRYPT", "DES-CRYPT", "SHA512-CRYPT"):
        body = stored(scheme).partition("}")[2]
        yield from (f"crypt-{scheme.lower()}:{{CRYPT}}{body}", f"bare-{scheme.lower()}:{body}")


@pytest.fixture
def dovecot():
    ports = {name: free_port() for name in ("imaps", "pop3s")}
    with Shared() as shared, Dovecot(shared.folder, ports) as server:
        values = {"folder": shared.folder, "certificate": make_certificate(shared.folder)}
        text = FIRST_LINES[version_tested()] + CONFIGURATION[version_tested()] % values
        (shared.folder / "dovecot/dovecot.conf").write_text(f"{text}protocols = imap\nssl = yes\n")
        lines = (f"{scheme.lower()}:{stored(scheme)}" for scheme in schemes())
        (shared.folder / "passwords").write_text("".join([*lines, *crypt_lines()]))
        server.adapt()
        yield server.run()


def test_dovecot_refuses_weak_schemes_and_no_others(dovecot):
    def is_let_in(scheme):
        return dovecot.tool("auth", "test", scheme.lower(), PASSWORD).returncode == 0

    refused = {scheme for scheme in schemes() if not is_let_in(scheme)}
    assert refused == (REJECTED_SCHEMES if version_tested() == "2.4" else set())
    log = (dovecot.folder / "dovecot.log").read_text()
    said = set(re.findall(r"Weak password scheme '([^']+)' used and refused", log))
    assert said == refused


def test_dovecot_recognises_weak_hashes_of_crypt_without_their_scheme(dovecot):
    names = {line.partition(":")[0] for line in crypt_lines()}
    refused = {
        name for name in names if dovecot.tool("auth", "test", name, PASSWORD).returncode != 0
    }
    weak = {name for name in names if "sha512" not in name}
    assert refused == (weak if version_tested() == "2.4" else set())


OLD_FILES = """\
protocols = imap
ssl = yes
ssl_server_cert_file = %(certificate)s
ssl_server_key_file = %(certificate)s
mail_driver = maildir
mail_path = ~/
mail_home = /mail/%%d/%%n
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
passdb static {
  password = x
}
userdb static {
  fields {
    quota_rule = *:storage=1M
  }
}
"""


@pytest.fixture
def old_files():
    """Dovecot 2.4 with variables and fields of 2.3, which it does not refuse."""
    only_with("2.4")
    ports = {name: free_port() for name in ("imaps", "pop3s")}
    with Shared() as shared, Dovecot(shared.folder, ports) as server:
        path = shared.folder / "dovecot/dovecot.conf"
        values = {"certificate": make_certificate(shared.folder)}
        path.write_text(FIRST_LINES["2.4"] + OLD_FILES % values)
        server.adapt()
        yield server.run()


def test_2_4_starts_with_variables_of_2_3_and_takes_them_literally(old_files):
    """Why these are errors to `check`."""
    assert old_files.tool("user", "-f", "home", "bob@example.org").stdout.strip() == "/mail/%d/%n"


def test_2_4_ignores_a_quota_in_the_format_of_2_3(old_files):
    said = old_files.tool("user", "bob@example.org").stdout
    assert "quota_rule" in said
    assert "quota_storage_size" not in said
    found = run_checks(Configuration(dovecot_files=DovecotFiles(old_files.shared / "dovecot")))
    codes = {each.check.code for each in found if "dovecot" in each.check.code}
    assert codes == {"variable-of-older-dovecot", "field-of-another-dovecot"}
