"""Postfix for tests, separate from that of the machine."""

import contextlib
import os
import pwd
import re
import signal
import smtplib
import subprocess
import time
from pathlib import Path

from tests.servers import PATIENCE, Server, free_port

LATELY = 200_000  # bytes at the end of a log that contain a message just sent


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
    """A separate Postfix: folders, ports, log. Parameters override the defaults of tests."""

    def __init__(self, parameters=(), master=MASTER, **services):
        super().__init__()
        self.folder.chmod(0o755)  # its processes run as other users
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

    def set(self, parameters):
        """Change parameters of main.cf, replacing earlier values."""
        path = self.config / "main.cf"
        text = path.read_text()
        for name in parameters:
            text = re.sub(rf"^{name} *=.*\n", "", text, flags=re.M)
        path.write_text(text + main_cf(parameters))

    def _log_tail(self):
        words = "\n".join(self._lines()[-20:])
        return super()._log_tail() + words

    def write(self, name, text):
        path = self.config / name
        path.write_text(text)
        return path

    def run(self):
        self.start("postfix", "-c", self.config, "start-fg")
        self.wait_until(self._answers)
        self._set_guard(self._master())
        return self

    def _master(self):
        """Return the process group of master, which is not that of its start script."""
        return int((self.folder / "queue/pid/master.pid").read_text())

    def _answers(self):
        try:
            with self.smtp():
                return True
        except (OSError, smtplib.SMTPException):
            return False

    def smtp(self, port=None):
        return smtplib.SMTP("127.0.0.1", port or self.port, local_hostname="client.test")

    def tool(self, name, *arguments, **options):
        """Return the output of `postmap -q`, `postconf` etc. with this configuration."""
        return subprocess.run(
            [self.command(name), "-c", self.config, *arguments],
            capture_output=True,
            text=True,
            **options,
        )

    def log_of(self, queue_id):
        """Return the log lines of a message once it has left the queue."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            lines = self.lines_of(queue_id)
            if any(line.endswith(f"{queue_id}: removed") for line in lines):
                return lines
            time.sleep(0.005)
        raise RuntimeError(f"{queue_id} stays in the queue:\n" + "\n".join(self._lines()[-40:]))

    def lines_of(self, queue_id):
        """Return the log lines of a message so far."""
        return [line for line in self._lines(LATELY) if f" {queue_id}: " in line]

    def _lines(self, size=None):
        """Return the log's lines, or those of its last bytes."""
        if not self.maillog.exists():
            return []
        with self.maillog.open("rb") as log:
            if size and self.maillog.stat().st_size > size:
                log.seek(-size, os.SEEK_END)
            return log.read().decode(errors="replace").splitlines()

    def stop(self, keep=False):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.killpg(self._master(), signal.SIGTERM)
        super().stop(keep)


NOBODY = (65534, 65534)


def main_cf(parameters):
    return "".join(f"{name} = {value}\n" for name, value in parameters.items())


def queue_id(reply):
    return re.search(rb"queued as (\w+)", reply)[1].decode()


def sql_settings(connection):
    """Return the settings by which a map file reaches the test's database."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        open_to_all(Path(settings["NAME"]))
        return {"dbpath": settings["NAME"]}
    return {
        "hosts": f"{settings['HOST']}:{settings['PORT']}",
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "dbname": settings["NAME"],
    }


def open_to_all(database):
    """Let all users open SQLite's file, whose WAL files are created by the first user."""
    database.parent.chmod(0o777)
    for path in database.parent.glob(f"{database.name}*"):
        path.chmod(0o666)


def map_file(settings, query):
    indented = query.replace("\n", "\n ")
    return (
        "".join(f"{name} = {value}\n" for name, value in settings.items()) + f"query = {indented}\n"
    )
