"""Dovecot for tests, separate from that of the machine."""

import imaplib
import poplib
import re
import ssl
import subprocess
from pathlib import Path

import pytest

from mailboxes.mailserver.generator.choices import (
    detect_options,
)
from tests.servers import Server


def version_tested():
    """Return the version of the Dovecot under test: 2.3 or 2.4."""
    return detect_options()["dovecot_version"]


def only_with(version):
    """Skip if the Dovecot under test has another version; "" matches any."""
    if version and version != version_tested():
        pytest.skip(
            f"the Dovecot under test is {version_tested()}, and these are files for {version}"
        )


def make_certificate(folder):
    """A certificate of its own with its key, in one file."""
    path = folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        + ["-subj", "/CN=mail.test", "-keyout", path, "-out", folder / "crt"],
        check=True,
        capture_output=True,
    )
    path.write_bytes(path.read_bytes() + (folder / "crt").read_bytes())
    path.chmod(0o644)
    return str(path)


class Dovecot(Server):
    """Dovecot in a folder shared with Postfix."""

    def __init__(self, shared, ports, release=None):
        self.release = release or self.release
        super().__init__()
        self.folder.chmod(0o755)
        self.shared, self.ports = shared, ports

    def adapt(self):
        """Use ports above 1024 and nothing outside the folder; keep the rest unchanged."""
        (self.folder / "dovecot.log").touch()
        (self.folder / "dovecot.log").chmod(0o666)  # the delivery program runs unprivileged
        with (self.shared / "dovecot/dovecot.conf").open("a") as file:
            file.write(
                f"base_dir = {self.folder}/run\nstate_dir = {self.folder}/state\n"
                f"log_path = {self.folder}/dovecot.log\nlisten = 127.0.0.1\n"
                + self._listener("imap", 0)
                + self._listener("imaps", self.ports["imaps"])
                + self._listener("pop3", 0)
                + self._listener("pop3s", self.ports["pop3s"])
                + (self._listener("sieve", self.ports["sieve"]) if "sieve" in self.ports else "")
                + NO_PENALTY
            )

    @property
    def is_modern(self):
        """Return whether its files are those of Dovecot 2.4."""
        text = (self.shared / "dovecot/dovecot.conf").read_text()
        return "\ndovecot_config_version = " in text

    @property
    def queries_file(self):
        """Return the file with Dovecot's queries."""
        names = ("dovecot-sql.conf.ext", "mailadmin-sql.conf.ext")  # of 2.3, and of 2.4
        return next(filter(Path.exists, (self.shared / "dovecot" / name for name in names)))

    def query_lines(self):
        """Return the name of each query → its line in the file."""
        lines = self.queries_file.read_text().splitlines()
        found = [line for line in lines if re.match(r" *(\w+_)?query = ", line)]
        return dict(zip(("password", "user", "iterate"), found, strict=True))

    def _listener(self, name, port):
        service = {"imaps": "imap", "pop3s": "pop3", "sieve": "managesieve"}.get(name, name)
        return (
            f"service {service}-login {{\n  inet_listener {name} {{\n    port = {port}\n  }}\n}}\n"
        )

    def run(self):
        self.start("dovecot", "-F", "-c", self.shared / "dovecot/dovecot.conf")
        self.wait_until(self._answers)
        return self

    def _answers(self):
        try:
            self.imap().shutdown()
        except OSError:
            return False
        return True

    def imap(self):
        return imaplib.IMAP4_SSL("127.0.0.1", self.ports["imaps"], ssl_context=unverified())

    def pop(self):
        return poplib.POP3_SSL("127.0.0.1", self.ports["pop3s"], context=unverified())

    def tool(self, *arguments):
        return subprocess.run(
            [self.command("doveadm"), "-c", self.shared / "dovecot/dovecot.conf", *arguments],
            capture_output=True,
            text=True,
        )


class Shared(Server):
    """A folder that Dovecot's parts may enter."""

    def __init__(self):
        super().__init__()
        self.folder.chmod(0o755)
        (self.folder / "dovecot").mkdir()


# First settings of every configuration of a version.
FIRST_LINES = {
    "2.3": "",
    "2.4": "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n",
}
# No delay after failed logins.
NO_PENALTY = """\
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
"""


def unverified():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
