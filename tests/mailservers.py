"""Postfix and Dovecot for tests, beside and apart from those of the machine."""

import imaplib
import os
import poplib
import pwd
import re
import smtplib
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from mailboxes.mailserver.writing import disk
from mailboxes.mailserver.writing.choices import Choices
from mailboxes.mailserver.writing.files import files_of
from tests.servers import PATIENCE, Server, command, free_port

ROOT = Path(__file__).resolve().parent.parent
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

    def set(self, parameters):
        """Change main.cf; what it said of these before is gone."""
        path = self.config / "main.cf"
        text = path.read_text()
        for name in parameters:
            text = re.sub(rf"^{name} *=.*\n", "", text, flags=re.M)
        path.write_text(text + main_cf(parameters))

    def _last_words(self):
        words = "\n".join(self._lines()[-20:])
        return super()._last_words() + words

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


# The panel's own configuration, run


class MailServer(Postfix):
    """Postfix and Dovecot as `mailserver config` sets them up, but for names, ports and folders."""

    PASSWORDS = {name: f"test{name}" for name in ("postfix", "dovecot", "autoreply", "panel")}

    def __init__(self, **choices):
        super().__init__()
        self.ports = {name: free_port() for name in ("submission", "smtps", "imaps", "pop3s")}
        self.dovecot = Dovecot(self.folder, self.ports)
        certificate = self._certificate()
        (self.folder / "queue/private").mkdir(0o700)
        os.chown(self.folder / "queue/private", pwd.getpwnam("postfix").pw_uid, 0)
        self.choices = Choices(
            **{
                "hostname": "mail.test",
                "postfix_directory": str(self.config),
                "dovecot_directory": str(self.folder / "dovecot"),
                "queue_directory": str(self.folder / "queue"),
                "mail_directory": str(self.folder / "mail"),
                "mail_user": "nobody",
                "mail_group": "nogroup",
                "certificate": certificate,
                "key": certificate,
                "alias_maps": "",
                "autoreply_user": "nobody",
                "command": str(ROOT / "manage.py"),
                "passwords": self.PASSWORDS,
            }
            | choices
        )
        self._write()

    def _certificate(self):
        """A certificate of its own with its key, in one file."""
        path = self.folder / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
            + ["-subj", "/CN=mail.test", "-keyout", path, "-out", self.folder / "crt"],
            check=True,
            capture_output=True,
        )
        path.write_bytes(path.read_bytes() + (self.folder / "crt").read_bytes())
        path.chmod(0o644)
        return str(path)

    def _write(self):
        folders = {"postfix": self.config, "dovecot": self.folder / "dovecot"}
        for change in disk.changes(files_of(self.choices), folders):
            disk.write(change)
        self._adapt_postfix()
        self.dovecot.adapt()

    def _adapt_postfix(self):
        own = self._own_parameters() | {"alias_maps": "", "alias_database": ""}
        kept = "data_directory maillog_file maillog_file_prefixes inet_interfaces inet_protocols"
        names = [*kept.split(), "mynetworks", "alias_database", "in_flow_delay"]
        self.set({name: own[name] for name in names} | self.quick())
        master = (self.config / "master.cf").read_text()
        for name, port in {"smtp     ": self.port, **self.ports}.items():
            master = re.sub(rf"^{name} +inet", f"127.0.0.1:{port} inet", master, flags=re.M)
        (self.config / "master.cf").write_text(master)

    def quick(self):
        """Nothing waits for a stranger's mistakes or an hour's retry."""
        return {"smtpd_error_sleep_time": "0", "minimal_backoff_time": "1", "queue_run_delay": "1"}

    def run(self):
        self.dovecot.run()
        return super().run()

    def stop(self, keep=False):
        self.dovecot.stop()
        super().stop(keep)


class Dovecot(Server):
    """Dovecot in a folder that Postfix has as well."""

    def __init__(self, shared, ports):
        super().__init__()
        self.folder.chmod(0o755)
        self.shared, self.ports = shared, ports

    def adapt(self):
        """Ports above 1024, nothing outside the folder; the rest stays as it was written."""
        with (self.shared / "dovecot/dovecot.conf").open("a") as file:
            file.write(
                f"base_dir = {self.folder}/run\nstate_dir = {self.folder}/state\n"
                f"log_path = {self.folder}/dovecot.log\nlisten = 127.0.0.1\n"
                + self._listener("imap", 0)
                + self._listener("imaps", self.ports["imaps"])
                + self._listener("pop3", 0)
                + self._listener("pop3s", self.ports["pop3s"])
            )

    def _listener(self, name, port):
        service = name.removesuffix("s") if name.endswith("s") else name
        return f"service {service}-login {{\n  inet_listener {name} {{\n    port = {port}\n  }}\n}}\n"

    def run(self):
        self.start("dovecot", "-F", "-c", self.shared / "dovecot/dovecot.conf")
        self.wait_until(self._answers)

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
            [command("doveadm"), "-c", self.shared / "dovecot/dovecot.conf", *arguments],
            capture_output=True,
            text=True,
        )


def unverified():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
