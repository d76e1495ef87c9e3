import pytest
from django.test import override_settings

from domains.models import Domain
from mailboxes.models import Alias, Mailbox
from mailboxes.services.mailboxes import create_mailboxes
from tests.base import PASSWORD, World
from tests.table_tests import TableTests

pytestmark = pytest.mark.mysql


class MailboxTests(TableTests, World):
    slug = "mailboxes"
    own_key, foreign_key = "bob@example.org", "carol@example.com"
    create_data = {
        "local_part": "Dave",
        "domain": "example.org",
        "password": PASSWORD,
        "password2": PASSWORD,
        "name": "Dave",
        "quota": 100,
        "active": "on",
        "smtp_active": "on",
    }
    created_key = "dave@example.org"
    create_verb, delete_verb = "create_mailbox", "delete_mailbox"
    edit_data = {"name": "Robert", "quota": 200, "active": "on", "smtp_active": "on"}
    edited = {"name": "Robert", "quota": 200 * 1024000}
    api_edited = {"quota": 200}

    def more_rows(self, count):
        domain = Domain.objects.get(pk="example.org")
        rows = [
            {"local_part": f"m{n:02}", "domain": domain, "password": "x", "quota": 1}
            for n in range(count)
        ]
        self.perform(self.root, create_mailboxes, rows)

    def test_a_new_mailbox_has_an_alias_and_a_maildir(self):
        self.sign_in(self.alice)
        self.client.post(self.url("create"), self.create_data)
        mailbox = Mailbox.objects.get(pk=self.created_key)
        self.assertEqual(mailbox.maildir, "example.org/dave/")
        self.assertEqual(mailbox.quota, 100 * 1024000)
        alias = Alias.objects.get(pk=self.created_key)
        self.assertEqual((alias.goto, alias.active), (self.created_key, True))

    def test_the_alias_is_active_as_long_as_the_mailbox(self):
        self.sign_in(self.alice)
        for value in ("0", "1"):
            self.client.post(
                self.url("toggle", "bob@example.org"), {"field": "active", "value": value}
            )
            self.assertEqual(Alias.objects.get(pk="bob@example.org").active, value == "1")

    def test_errors_are_short_and_name_the_fields_as_their_labels(self):
        self.sign_in(self.alice)
        data = self.create_data | {"quota": "-7", "local_part": "a b", "password": "a"}
        page = self.client.post(self.url("create"), data | {"password2": "a"})
        self.assert_refused(page, "Enter -1 or more.")
        self.assertContains(page, '"#id_local_part">Address</a>', status_code=422)
        form = page.context["form"]
        self.assertGreater(len(form.errors["password"]), 1)
        for text in form.errors["password"]:  # in the summary and beside the field
            self.assertContains(page, text, count=2, status_code=422)
        self.assertEqual(form["password"].help_text, "")

    def test_alice_cannot_create_a_mailbox_in_a_foreign_domain(self):
        self.sign_in(self.alice)
        data = self.create_data | {"domain": "example.com"}
        self.assert_refused(
            self.client.post(self.url("create"), data), "You do not manage a domain"
        )
        self.assertFalse(Mailbox.objects.filter(pk="dave@example.com").exists())

    def test_a_name_with_an_extension_is_refused(self):
        self.sign_in(self.root)
        for name in ("a+b", "+lead", "+", "a+"):
            data = self.create_data | {"local_part": name}
            answer = self.client.post("/mailboxes/create/", data)
            self.assert_refused(answer, "treats everything after + as an address extension")

    @override_settings(MAILADMIN_RECIPIENT_DELIMITER="-+")
    def test_a_list_name_with_a_delimiter_is_an_extension_for_dovecot(self):
        self.sign_in(self.root)
        for name in ("owner-bob", "bob-request"):
            data = self.create_data | {"local_part": name}
            answer = self.client.post("/mailboxes/create/", data)
            self.assert_refused(answer, "treats everything after - as an address extension")

    def test_a_long_name_is_refused_and_not_truncated(self):
        self.sign_in(self.root)
        for url, names in {
            "mailboxes": ["local_part"],
            "aliases": ["local_part"],
            "domains": ["domain", "default_aliases_to"],
            "admins": ["username"],
            "transports": ["pattern"],
        }.items():
            form = self.client.get(f"/{url}/create/").context["form"]
            for name in names:
                self.assertNotIn("maxlength", str(form[name]))
        data = self.create_data | {"local_part": "x" * 65}
        self.assert_refused(self.client.post("/mailboxes/create/", data), "at most 64")

    def test_names_that_postfix_refuses_are_refused(self):
        self.sign_in(self.root)
        alias = {"domain": "example.org", "goto": "bob@example.org", "active": "on"}
        for name in ("-x", "a%b", "a!b", "a/b"):
            for url, data in (("mailboxes", self.create_data), ("aliases", alias)):
                answer = self.client.post(f"/{url}/create/", data | {"local_part": name})
                text = "is not a valid local part" if "/" in name else "Postfix rejects mail to"
                self.assert_refused(answer, text)


class StoredPasswordTests(World):
    PAGE = "/mailboxes/bob@example.org/edit/"

    def test_a_scheme_that_is_not_supported_is_shown(self):
        self.sign_in(self.alice)
        self.assertNotContains(self.client.get(self.PAGE), "unsupported scheme")
        Mailbox.objects.filter(pk="bob@example.org").update(
            password="{NTLM}8846F7EAEE8FB117AD06BDD830B7586C"
        )
        page = self.client.get(self.PAGE)
        self.assertContains(page, "in a scheme that cannot be verified (NTLM)")
        self.assertNotContains(page, "8846F7EA")
