"""Postfix and Dovecot for tests, beside and apart from those of the machine."""

import os
import pwd
import re
import smtplib
import subprocess
import time
from pathlib import Path

import pytest

from tests.servers import PATIENCE, Server, command, free_port

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="Postfix and Dovecot change users, which only root may"
)

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix(Server):
    """A Postfix of its own: folders, ports, log. What is set overrides what a test needs."""

    def __init__(self, parameters=(), master=MASTER, **services):
        super().__init__()
        self.folder.chmod(0o755)  # its parts run as other users
        self.port = free_port()
        self.config, self.maillog = self.folder / "etc", self.folder / "maillog"
        self._make_folders()
        self.write("main.cf", main_cf(self._own_parameters() | dict(parameters)))
        self.write("master.cf", master.format(port=self.port, **services))

    def _make_folders(self):
        person = pwd.getpwnam("postfix")
        for name in ("etc", "queue", "data", "mail"):
            (self.folder / name).mkdir()
        os.chown(self.folder / "data", person.pw_uid, person.pw_gid)
        os.chown(self.folder / "mail", *NOBODY)

    def _own_parameters(self):
        return {
            "compatibility_level": "3.6",
            "queue_directory": self.folder / "queue",
            "data_directory": self.folder / "data",
            "maillog_file": self.maillog,
            "maillog_file_prefixes": self.folder,
            "myhostname": "mail.test",
            "myorigin": "mail.test",
            "mydestination": "",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "mynetworks": "",
            "alias_maps": "",
            "virtual_mailbox_base": self.folder / "mail",
            "virtual_uid_maps": f"static:{NOBODY[0]}",
            "virtual_gid_maps": f"static:{NOBODY[1]}",
            "virtual_minimum_uid": "1",
            "smtpd_relay_restrictions": "reject_unauth_destination",
            "smtpd_recipient_limit": "10000",
            "smtpd_error_sleep_time": "0",
            "smtpd_soft_error_limit": "100000",
            "smtpd_hard_error_limit": "1000000",
            "smtpd_peername_lookup": "no",
            "in_flow_delay": "0",
            "disable_vrfy_command": "no",
        }

    def write(self, name, text):
        path = self.config / name
        path.write_text(text)
        return path

    def run(self):
        self.start("postfix", "-c", self.config, "start-fg")
        self.wait_until(self._answers)
        return self

    def _answers(self):
        try:
            with self.smtp():
                return True
        except (OSError, smtplib.SMTPException):
            return False

    def smtp(self, port=None):
        return smtplib.SMTP("127.0.0.1", port or self.port, local_hostname="client.test")

    def tool(self, name, *arguments, **options):
        """What `postmap -q`, `postconf` and their like say with this configuration."""
        return subprocess.run(
            [command(name), "-c", self.config, *arguments],
            capture_output=True,
            text=True,
            **options,
        )

    def log_of(self, queue_id):
        """What became of a message, once nothing of it is left in the queue."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            lines = [line for line in self._lines() if f" {queue_id}: " in line]
            if any(line.endswith(f"{queue_id}: removed") for line in lines):
                return lines
            time.sleep(0.005)
        raise RuntimeError(f"{queue_id} stays in the queue:\n" + "\n".join(self._lines()[-40:]))

    def _lines(self):
        return (
            self.maillog.read_text(errors="replace").splitlines() if self.maillog.exists() else []
        )

    def stop(self, keep=False):
        super().stop(keep)


NOBODY = (65534, 65534)


def main_cf(parameters):
    return "".join(f"{name} = {value}\n" for name, value in parameters.items())


def queue_id(reply):
    return re.search(rb"queued as (\w+)", reply)[1].decode()


def sql_settings(connection):
    """How a map file reaches the test's database."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return {"dbpath": settings["NAME"]}
    return {
        "hosts": f"{settings['HOST']}:{settings['PORT']}",
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "dbname": settings["NAME"],
    }


def map_file(settings, query):
    indented = query.replace("\n", "\n ")
    return (
        "".join(f"{name} = {value}\n" for name, value in settings.items()) + f"query = {indented}\n"
    )


def world_readable(path):
    """Folders above a file that Postfix's own user is to open."""
    for parent in Path(path).parents:
        if parent.owner() == "root" and parent != Path("/"):
            continue
    return path
