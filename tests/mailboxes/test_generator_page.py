"""The page of the generated configuration."""

import io
import zipfile
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from mailboxes.mailserver import views as mailserver_views
from mailboxes.models import Mailbox
from tests.base import World
from tests.mailboxes.generated_files import DOVECOT, MAPS, NAME

IS_MYSQL = connection.vendor == "mysql"


class PageTests(World):
    form_data = {
        "hostname": NAME,
        "mail_directory": "/srv/mail",
        "mail_user": "vmail",
        "delivery": "lmtp",
        "dovecot_version": "2.4",
        "proxied": "on",
    }

    def test_only_superadmins_see_it(self):
        for person, status in ((self.root, 200), (self.alice, 403), (self.bob, 403)):
            self.sign_in(person)
            self.assertEqual(self.client.get("/mailserver/", self.form_data).status_code, status)
        self.client.logout()
        response = self.client.get("/mailserver/", self.form_data | {"download": "1"})
        self.assertTrue(response["Location"].startswith("/login/"))

    def test_every_file_is_shown_with_placeholders_for_passwords(self):
        self.sign_in(self.root)
        page = self.client.get("/mailserver/", self.form_data)
        for name in ("main.cf", "master.cf", "virtual_alias.cf", "mailadmin-sql.conf.ext"):
            self.assertContains(page, name)
        self.assertContains(page, "/srv/mail")
        self.assert_no_password(page.content.decode())

    def test_the_download_contains_no_password(self):
        self.sign_in(self.root)
        response = self.client.get("/mailserver/", self.form_data | {"download": "1"})
        self.assertEqual(response["Content-Type"], "application/zip")
        archive = zipfile.ZipFile(io.BytesIO(response.content))
        names = set(archive.namelist())
        self.assertGreaterEqual(names, {f"postfix/mailadmin/{name}.cf" for name in MAPS})
        self.assertGreaterEqual(names, {f"dovecot/{name}" for name in DOVECOT["2.4"]})
        for entry in archive.infolist():
            text = archive.read(entry).decode()
            self.assert_no_password(text)
            if "PASSWORD-OF-" in text:
                self.assertFalse(entry.external_attr >> 16 & 0o007, entry.filename)

    def assert_no_password(self, text):
        self.assertNotIn(connection.settings_dict["PASSWORD"] or "never", text)
        if IS_MYSQL:
            self.assertNotRegex(text, r"(?i)\b(password|identified by)\b ?=? ?'?[0-9a-f]{32}")

    def test_invalid_host_names_are_refused(self):
        self.sign_in(self.root)
        for name, value in (
            ("hostname", "mail.test\nmynetworks = 0.0.0.0/0"),
            ("hostname", ""),
            ("mail_directory", "srv/mail"),
            ("mail_user", "root; rm"),
            ("delivery", "pigeon"),
            ("dovecot_version", "3"),
        ):
            page = self.client.get("/mailserver/", self.form_data | {name: value, "download": "1"})
            self.assertContains(page, "invalid-feedback")
            self.assertNotContains(page, "smtpd_relay_restrictions")

    def opened_with(self, hostname):
        """Return the form's initial values on a machine with this host name."""
        self.sign_in(self.root)
        with mock.patch.object(
            mailserver_views, "detect_options", return_value={"hostname": hostname}
        ):
            form = self.client.get("/mailserver/").context["form"]
        return form.initial

    def test_the_initial_values_are_valid(self):
        for hostname in ("localhost", "vm", "", "example.org", "mx.hosting.example"):
            initial = {name: value for name, value in self.opened_with(hostname).items() if value}
            page = self.client.get("/mailserver/", initial)
            self.assertNotContains(page, "invalid-feedback")
            self.assertContains(page, "smtpd_relay_restrictions")
        self.assertEqual(initial["hostname"], "mx.hosting.example")

    def test_an_error_message_does_not_mention_saving(self):
        self.sign_in(self.root)
        page = self.client.get("/mailserver/", self.form_data | {"hostname": "localhost"})
        self.assertContains(page, "Please fix the highlighted fields")
        self.assertNotContains(page, "Nothing was saved")

    def test_sieve_is_written_if_selected(self):
        self.sign_in(self.root)
        for version in ("2.3", "2.4"):
            form_data = self.form_data | {"dovecot_version": version}
            self.assertNotContains(self.client.get("/mailserver/", form_data), "lmtp sieve")
            page = self.client.get("/mailserver/", form_data | {"sieve": "on"})
            self.assertContains(page, "protocols = imap pop3 lmtp sieve")

    def test_cram_md5_is_offered_if_the_scheme_allows_it(self):
        self.sign_in(self.root)
        form_data = self.form_data | {"cram_md5": "on"}
        for version in ("2.3", "2.4"):
            page = self.client.get("/mailserver/", form_data | {"dovecot_version": version})
            self.assertContains(page, "CRAM-MD5 needs passwords stored as CRAM-MD5")
            with self.settings(MAILADMIN_PASSWORD_SCHEME="CRAM-MD5"):
                page = self.client.get("/mailserver/", form_data | {"dovecot_version": version})
                self.assertContains(page, "auth_mechanisms = plain login cram-md5")
        Mailbox.objects.filter(pk="bob@example.org").update(password="{CRAM-MD5}" + "ab" * 32)
        self.assertContains(self.client.get("/mailserver/", form_data), "plain login cram-md5")
        self.assertNotContains(self.client.get("/mailserver/", self.form_data), "cram-md5\n")


@pytest.mark.django_db
def test_the_command_offers_cram_md5_if_the_scheme_allows_it(tmp_path, settings):
    options = [f"--dovecot={tmp_path}/dovecot", f"--postfix={tmp_path}/postfix"]
    options += ["--hostname=mail.test", "--cram-md5", "--dovecot-version=2.3"]
    with pytest.raises(CommandError, match="MAILADMIN_PASSWORD_SCHEME is BLF-CRYPT"):
        call_command("mailserver", "config", *options, stdout=io.StringIO())
    assert not (tmp_path / "dovecot").exists()
    settings.MAILADMIN_PASSWORD_SCHEME = "PLAIN"
    call_command("mailserver", "config", *options, stdout=io.StringIO())
    text = (tmp_path / "dovecot/dovecot.conf").read_text()
    assert "auth_mechanisms = plain login cram-md5\n" in text
