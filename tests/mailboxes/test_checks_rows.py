"""`mailserver check`: stored passwords, and what the database holds."""

import subprocess

import pytest

from domains.models import AliasDomain, Domain, Transport
from mailadmin import passwords
from mailboxes.mailserver.checks import rows
from mailboxes.mailserver.checks.hashes import (
    READABLE_FORMATS,
    PasswordHashKind,
    identify_hash,
    is_readable_as,
)
from mailboxes.models import Alias, AppPassword, Mailbox, SenderPermission
from mailboxes.services.app_passwords import create_app_password
from tests.base import World
from tests.mailboxes.sample_configurations import NARROW
from tests.programs import command

# Passwords


def bare(scheme):
    """Return a password stored in a scheme, without its prefix."""
    stored = passwords.make_hash("correct", "bob@example.org", scheme)
    return stored.partition("}")[2] if stored.startswith("{") else stored


@pytest.mark.mailserver
@pytest.mark.parametrize("default", ["CRYPT", "BLF-CRYPT", "MD5-CRYPT", "MD5", "SHA1", "SHA512"])
def test_the_scheme_table_matches_dovecot(default):
    crypts = ["BLF-CRYPT", "MD5-CRYPT", "SHA512-CRYPT", "DES-CRYPT", "ARGON2ID"]
    for scheme in [*crypts, "PLAIN-MD5.HEX", "SHA1.HEX", "SHA256.HEX", "SHA512.HEX"]:
        stored = bare(scheme)
        verified = subprocess.run(
            [command("doveadm"), "pw", "-t", f"{{{default}}}{stored}", "-p", "correct"],
            capture_output=True,
        )
        reads = is_readable_as(identify_hash(stored).name, default)
        assert (verified.returncode == 0) is reads, f"{scheme} under {default}"


def test_kinds_of_stored_passwords_are_distinguished():
    assert identify_hash("{SHA512.HEX}ab") == PasswordHashKind("SHA512", True)
    assert identify_hash("$argon2id$v=19$m=65536,t=3,p=1$c2FsdA$aGFzaA") == PasswordHashKind(
        "ARGON2ID", False
    )
    assert identify_hash("ab" * 64) == PasswordHashKind("HEX:128", False)
    assert identify_hash("{CRYPT}$1$salt$" + "a" * 22) == PasswordHashKind("MD5-CRYPT", True)
    assert identify_hash("{CRYPT}?") == PasswordHashKind("CRYPT", True)
    assert identify_hash("{g}uess") == PasswordHashKind("G", True)
    assert identify_hash("secret") == PasswordHashKind("TEXT", False)
    assert identify_hash("") is None
    assert all(isinstance(shapes, (set, frozenset)) for shapes in READABLE_FORMATS.values())


# The panel's database


class DatabaseTests(World):
    def test_findings_of_the_database_are_reported(self):
        Alias.objects.filter(pk="bob@example.org").delete()
        org = Domain.objects.get(pk="example.org")
        Alias.objects.create(address="@example.org", goto="info@example.org", domain=org)
        Alias.objects.create(address="example.com", goto="bob@example.org", domain=org)
        Domain.objects.create(domain="backup.example", backupmx=True, transport="relay:")
        Domain.objects.create(domain="off.example", active=False)
        Domain.objects.create(domain="branch.example")
        AliasDomain.objects.create(alias_domain_id="branch.example", target_domain_id="example.org")
        Mailbox.objects.filter(pk="carol@example.com").update(password="ab" * 64)
        facts = rows.load_database_facts()
        self.assertEqual(facts.virtual_domains, {"example.org", "example.com", "branch.example"})
        self.assertEqual(facts.alias_domains, {"branch.example"})
        self.assertEqual(facts.catch_alls, {"example.org"})
        self.assertEqual(facts.mailboxes_behind_catch_all, ("bob@example.org",))
        self.assertEqual(facts.domain_only_aliases, ("example.com",))
        self.assertEqual(facts.maildir_layouts, {"%d/%n"})
        self.assertIn("relay:", facts.transports)
        self.assertEqual(facts.star_transport_domains, ())
        self.assertEqual(
            facts.hash_kinds,
            {PasswordHashKind("BLF-CRYPT", False), PasswordHashKind("HEX:128", False)},
        )

    def test_app_passwords_are_counted_by_kind(self):
        facts = rows.load_database_facts()
        self.assertFalse(facts.has_app_passwords)
        for number in range(3):
            AppPassword.objects.create(
                mailbox=self.bob, description=str(number), password_hash="{BLF-CRYPT}x"
            )
        AppPassword.objects.create(mailbox=self.carol, description="x", password_hash="{PLAIN}x")
        self.perform(self.root, create_app_password, self.bob.pk, "Phone", {}, "secret")
        facts = rows.load_database_facts()
        self.assertTrue(facts.has_generated_app_passwords)
        self.assertEqual(facts.most_salted_app_passwords, 3)

    def test_a_wildcard_of_the_panel_matches_domains_without_a_row(self):
        Transport.objects.create(pattern="*", transport="smtp:[mx.hosting.example]")
        Transport.objects.create(pattern="example.com", transport=":")
        facts = rows.load_database_facts()
        self.assertEqual(facts.star_transport_domains, ("example.org",))
        self.assertIn("smtp:[mx.hosting.example]", facts.transports)

    def test_only_active_sender_permissions_need_a_map(self):
        self.assertFalse(rows.load_database_facts().has_sender_permissions)
        names = {"domain_id": "example.org", "mailbox_domain_id": "example.org"}
        row = SenderPermission(address="x@example.org", mailbox=self.bob, active=False, **names)
        row.save()
        self.assertFalse(rows.load_database_facts().has_sender_permissions)
        SenderPermission.objects.update(active=True)
        self.assertTrue(rows.load_database_facts().has_sender_permissions)

    def test_an_inactive_catch_all_matches_nothing(self):
        Alias.objects.filter(pk="bob@example.org").delete()
        org = Domain.objects.get(pk="example.org")
        Alias.objects.create(address="@example.org", goto="x@y.example", domain=org, active=False)
        self.assertEqual(rows.load_database_facts().mailboxes_behind_catch_all, ())


@pytest.mark.mariadb
class CharsetTests(World):
    def test_columns_that_are_not_unicode_are_found(self):
        self.assertEqual(rows.load_database_facts().non_unicode_tables, NARROW)
