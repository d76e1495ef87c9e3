"""Postfix and Dovecot as the panel configures them, separate from those of the machine."""

import os
import pwd
import re
import shutil
import smtplib
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connection

from mailboxes.mailserver.generator import accounts, disk
from mailboxes.mailserver.generator.choices import (
    DATABASE_ACCOUNTS,
    MailServerOptions,
    detect_options,
)
from mailboxes.mailserver.generator.files import generate_files
from tests.dovecot_server import Dovecot, make_certificate, unverified
from tests.mail_receivers import read_mail
from tests.postfix_server import Postfix
from tests.servers import free_port

ROOT = Path(__file__).resolve().parent.parent


needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="Postfix and Dovecot change users, which only root may"
)


# The generated configuration, running


# Common to all: concurrent tests use the same accounts of the same server.
PASSWORDS = {name: f"test{name}" for name in DATABASE_ACCOUNTS}


def store_passwords(folder):
    """Write the passwords as left by an earlier run of `mailserver config`."""
    path = folder / "mailadmin/accounts.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(accounts.iter_account_statements(PASSWORDS)))


class MailServer(Postfix):
    """Postfix and Dovecot set up by `mailserver config`, except for names, ports and folders."""

    def __init__(self, write=None, release=None, **choices):
        """Configure the server; `write(server)` may replace the writing of files."""
        self.release = release
        super().__init__()
        self.ports = {name: free_port() for name in ("submission", "smtps", "imaps", "pop3s")}
        if choices.get("sieve"):
            self.ports["sieve"] = free_port()
        self.dovecot = Dovecot(self.folder, self.ports, release)
        certificate = make_certificate(self.folder)
        (self.folder / "queue/private").mkdir(0o700)
        os.chown(self.folder / "queue/private", pwd.getpwnam("postfix").pw_uid, 0)
        self.choices = MailServerOptions(
            **{
                "hostname": "mail.test",
                "postfix_version": detect_options()["postfix_version"],
                "dovecot_version": detect_options()["dovecot_version"],
                "postfix_directory": str(self.config),
                "dovecot_directory": str(self.folder / "dovecot"),
                "queue_directory": str(self.folder / "queue"),
                "mail_directory": str(self.folder / "mail"),
                "mail_user": "nobody",
                "mail_group": "nogroup",
                "certificate": certificate,
                "key": certificate,
                "alias_maps": "",
                "database_group": "nogroup",
                "autoreply_user": "nobody",
                "autoreply_group": "nogroup",
                "command": str(ROOT / "manage.py"),
                "passwords": PASSWORDS,
            }
            | choices
        )
        self.choices.lda = self.choices.lda.format(dovecot=self.folder / "dovecot/dovecot.conf")
        self.configure(write or type(self)._write)

    def configure(self, write):
        """Write the files, and adapt them for two servers on one machine."""
        write(self)
        self._adapt_postfix()
        self.dovecot.adapt()

    def upgrade(self, release, write, **choices):
        """Stop, and continue with the programs and files of another release."""
        self.stop(keep=True)
        self.release = self.dovecot.release = release
        self.choices = replace(self.choices, **choices)
        self.configure(write)
        return self.run()

    def options(self):
        """Return the options of the command."""
        names = {"postfix_directory": "postfix", "dovecot_directory": "dovecot"}
        arguments = {names.get(name, name): value for name, value in vars(self.choices).items()}
        unnamed = ("proxied", "lda", "passwords", "cram_md5", "sieve", "postfixadmin_app_passwords")
        return {n.replace("_", "-"): value for n, value in arguments.items() if n not in unnamed}

    def _write(self):
        folders = {"postfix": self.config, "dovecot": self.folder / "dovecot"}
        for change in disk.iter_file_changes(generate_files(self.choices), folders):
            disk.write_change(change)

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
        """Return parameters without delays, retries and caches."""
        waits = {"smtpd_error_sleep_time": "0", "minimal_backoff_time": "1", "queue_run_delay": "1"}
        return waits | {"max_use": "1", "service_throttle_time": "1"}

    def mails(self, address, maildir=None):
        """Return the parsed mails of a maildir."""
        name, _at, domain = address.partition("@")
        folder = self.folder / "mail" / (maildir or f"{domain}/{name}")
        found = [path for part in ("new", "cur") for path in folder.glob(f"{part}/*")]
        found.sort(key=lambda path: path.stat().st_mtime_ns)
        return [read_mail(path) for path in found]

    def delete_mails(self):
        """Empty all mailboxes; the folder itself is kept."""
        for path in (self.folder / "mail").iterdir():
            shutil.rmtree(path)

    def settle(self):
        """Wait until all mail has been delivered."""
        self.wait_until(lambda: not self.tool("postqueue", "-j").stdout)

    def submission(self):
        """Return a submission session: encrypted, not yet authenticated."""
        client = self.smtp(self.ports["submission"])
        client.starttls(context=unverified())
        return client

    def smtps(self):
        return smtplib.SMTP_SSL("127.0.0.1", self.ports["smtps"], context=unverified())

    def run(self):
        self.dovecot.run()
        return super().run()

    def stop(self, keep=False):
        self.dovecot.stop(keep)
        super().stop(keep)


def open_database(server, request):
    """Let both servers query the tests' database, with the commands that the panel prints."""
    if connection.vendor == "mysql":
        sql = (server.config / "mailadmin/accounts.sql").read_text()
        request.getfixturevalue("mariadb").execute(sql)
        return
    path = Path(connection.settings_dict["NAME"])
    path.parent.chmod(0o777)
    for file in path.parent.glob(f"{path.name}*"):
        file.chmod(0o666)
