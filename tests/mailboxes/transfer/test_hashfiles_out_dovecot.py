"""Exports of map files: passwords of Dovecot."""

import datetime
import subprocess

import pytest
from django.utils import timezone

from domains.models import Domain
from mailadmin import passwords
from mailboxes.mailserver.generator.choices import detect_options
from mailboxes.models import Mailbox
from tests import dovecot_server, servers
from tests.mailboxes.transfer.exported_maps import compiled, export, look_up_with_postmap

pytestmark = [pytest.mark.mailserver, pytest.mark.django_db]


# version → fields of Dovecot for a quota of 5000 bytes, and for an mbox
USER_FIELDS = {
    "2.3": {
        "quota_rule": "*:bytes=5000",
        "mail": "mbox:/var/vmail/old/50%d.home/mail:INBOX=/var/vmail/old/50%d",
    },
    "2.4": {
        "quota_storage_size": "5000B",
        "quota_storage_grace": "500B",
        "mail_driver": "mbox",
        "mail_path": "/var/vmail/old/50%d.home/mail",
        "mail_inbox_path": "/var/vmail/old/50%d",
    },
}


def test_all_users_log_in_by_the_passwd_file_with_their_passwords(folder):
    domain = Domain.objects.create(domain="example.org", password_expiry=30)
    stored = {
        "plain": "{PLAIN}a:b c",
        "crypt": passwords.make_hash("correct-horse-42"),
        "off": passwords.make_hash("correct-horse-42"),
        "file": "{PLAIN}file",
    }
    paths = {"crypt": "old mail/100%/", "file": "old/50%d"}
    for name, hashed in stored.items():
        Mailbox.objects.create(
            username=f"{name}@example.org",
            local_part=name,
            domain=domain,
            password=hashed,
            maildir=paths.get(name, f"example.org/{name}/"),
            quota=5000,
            active=name != "off",
            password_expiry=timezone.now() + datetime.timedelta(days=1),
        )
    export(folder)
    with Dovecot(folder / "dovecot") as dovecot:
        assert dovecot.accepts("plain@example.org", "a:b c")
        assert not dovecot.accepts("plain@example.org", "a")
        assert dovecot.accepts("crypt@example.org", "correct-horse-42")
        assert not dovecot.accepts("off@example.org", "correct-horse-42")
        said, paths = (
            dovecot.get_fields("crypt@example.org"),
            dovecot.get_fields("file@example.org"),
        )
        assert "/var/vmail/old mail/100%/" in said
        for name, text in USER_FIELDS[detect_options()["dovecot_version"]].items():
            assert f"{name}\t{text}\n" in said + paths


def test_an_expired_password_is_refused(folder):
    domain = Domain.objects.create(domain="example.org", password_expiry=30)
    Mailbox.objects.create(
        username="bob@example.org",
        local_part="bob",
        domain=domain,
        password="{PLAIN}secret-of-bob",
        maildir="example.org/bob/",
        password_expiry=timezone.now() - datetime.timedelta(days=1),
    )
    assert "secret-of-bob" not in (export(folder) / "dovecot/users").read_text()


def test_a_user_without_smtp_access_is_refused_by_postfix(folder):
    domain = Domain.objects.create(domain="example.org")
    for name, may in (("bob", True), ("carol", False)):
        Mailbox.objects.create(
            username=f"{name}@example.org",
            local_part=name,
            domain=domain,
            smtp_active=may,
            maildir="x/",
        )
    compiled(export(folder))
    table = f"hash:{folder}/access/logins"
    keys = ["bob@example.org", "carol@example.org"]
    assert look_up_with_postmap(folder, table, keys) == {"carol@example.org": "REJECT"}


class Dovecot(servers.Server):
    """A Dovecot for logins only, with the exported lines."""

    def __init__(self, lines):
        super().__init__()
        self.folder.chmod(0o755)
        text = (lines / "dovecot.conf").read_text().replace("/etc/dovecot", str(lines))
        self.conf = self.folder / "dovecot.conf"
        self.conf.write_text(
            dovecot_server.FIRST_LINES[detect_options()["dovecot_version"]]
            + f"base_dir = {self.folder}/run\nstate_dir = {self.folder}/state\nprotocols =\n"
            f"log_path = {self.folder}/said\nssl = no\nmail_uid = 1000\nmail_gid = 1000\n"
            "service auth {\n  user = root\n}\n" + text
        )
        self.start("dovecot", "-F", "-c", self.conf)
        self.wait_until(lambda: (self.folder / "run/auth-userdb").exists())

    def tool(self, *arguments):
        return subprocess.run(
            [servers.command("doveadm"), "-c", self.conf, *arguments],
            capture_output=True,
            text=True,
        )

    def accepts(self, user, password):
        return self.tool("auth", "test", user, password).returncode == 0

    def get_fields(self, user):
        return self.tool("user", user).stdout
