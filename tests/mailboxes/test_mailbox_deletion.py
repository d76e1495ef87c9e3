"""Deletion of mailboxes and domains."""

from domains.models import AliasDomain, TotpException
from mailadmin.changes.models import Change, ChangeSecret, Log
from mailboxes.models import (
    Alias,
    AppPassword,
    Fetchmail,
    Mailbox,
    Usage,
    Vacation,
    VacationNotification,
)
from mailboxes.services.alias_targets import reindex_alias_targets
from mailboxes.services.domains import create_domains, delete_domains
from mailboxes.services.mailboxes import delete_mailboxes
from mailboxes.services.references import find_aliases_pointing_to
from tests.base import PASSWORD
from tests.mailboxes.base import AliasWorld


class MailboxDeletionTests(AliasWorld):
    def belongings(self):
        """Create all kinds of rows related to bob."""
        Usage.objects.create(mailbox=self.bob, bytes=5)
        Vacation.objects.create(mailbox=self.bob, domain_id="example.org", subject="s", body="b")
        VacationNotification.objects.create(vacation_id=self.bob.pk, notified="x@y.example")
        AppPassword.objects.create(mailbox=self.bob, description="d", password_hash="h")
        Fetchmail.objects.create(
            mailbox=self.bob, src_server="s", src_user="u", src_password="p", src_folder=""
        )
        TotpException.objects.create(ip="192.0.2.1", username=self.bob.pk)

    def left(self):
        models = (Usage, Vacation, VacationNotification, AppPassword, Fetchmail, TotpException)
        return [model.__name__ for model in models if model._base_manager.exists()]

    def test_related_rows_of_a_mailbox_are_deleted(self):
        self.belongings()
        self.perform(self.alice, delete_mailboxes, [self.bob.pk])
        self.assertEqual(self.left(), [])
        self.assertFalse(Alias.objects.filter(pk=self.bob.pk).exists())
        self.assertEqual(self.logged(), [("delete_mailbox", "example.org", self.bob.pk)])

    def test_all_rows_of_a_domain_are_deleted_except_the_log(self):
        self.belongings()
        Log.objects.create(
            domain_id="example.org", action="create_domain", data="example.org", username="x"
        )
        self.perform(self.root, delete_domains, ["example.org"])
        self.assertEqual(self.left(), [])
        self.assertFalse(Mailbox.objects.filter(domain="example.org").exists())
        self.assertFalse(Alias.objects.filter(domain="example.org").exists())
        self.assertEqual(Log.objects.filter(domain="example.org").count(), 2)
        self.assertEqual(self.alice.get_assigned_domains(), [])
        self.assertTrue(Mailbox.objects.filter(pk=self.carol.pk).exists())

    def test_inbound_aliases_are_found_in_any_spelling(self):
        written = ['"Bob B." <bob@example.org>', "x@y.test bob@example.org", "bob @ example.org"]
        written += ["x@y.test; bob@example.org.", "bob%example.org", '"bob"@example.org']
        for number, goto in enumerate([*written, "bobby@example.org", '"not bob@example.org"@x.y']):
            Alias.objects.create(
                address=f"n{number}@example.org", goto=goto, domain_id="example.org"
            )
        reindex_alias_targets()
        found = find_aliases_pointing_to(self.alice, ["bob@example.org"])
        self.assertEqual(
            [alias.pk for alias in found],
            ["info@example.org", *(f"n{number}@example.org" for number in range(len(written)))],
        )

    def test_the_confirmation_counts_related_rows(self):
        self.belongings()
        self.alias("friends", "bob@example.org", "x@y.example")
        self.alias("spy", "bob@example.org", person=self.root, domain="example.com")
        self.sign_in(self.alice)
        page = self.client.get(f"/mailboxes/{self.bob.pk}/delete/")
        self.assertEqual(
            dict(page.context["cascade_counts"]),
            {
                "Vacation replies": 1,
                "Fetchmail entries": 1,
                "App passwords": 1,
                "TOTP exceptions": 1,
            },
        )
        self.assertContains(page, "friends@example.org")
        self.assertNotContains(page, "spy@example.com")

    def references(self, key, table="mailboxes"):
        """Return the aliases on the delete page that lose a target.

        First those to which mail will bounce, then those whose mail a catch-all takes, then those
        that deliver to others.
        """
        self.sign_in(self.root)
        found = self.client.get(f"/{table}/{key}/delete/").context["inbound_references"]
        rows = {group.text: [alias.pk for alias in group.rows] for group in found}
        parts = ("will bounce", "to the catch-all", "deliver to others")
        return [sum((rows[text] for text in rows if part in text), []) for part in parts]

    def test_aliases_with_other_targets_are_shown_apart_from_those_that_bounce(self):
        self.alias("both", "bob@example.org", "x@far.test")
        self.alias("dead", "bob@example.org", "nobody@example.org")
        self.alias("root", "bob@example.org", "root", person=self.root)
        Alias.objects.filter(pk=self.carol.pk).update(goto=f"bob@example.org,{self.carol.pk}")
        reindex_alias_targets()
        working = ["both@example.org", "carol@example.com", "root@example.org"]
        broken = ["dead@example.org", "info@example.org"]
        self.assertEqual(self.references(self.bob.pk), [broken, [], working])
        page = self.client.get(f"/mailboxes/{self.bob.pk}/delete/")
        self.assertContains(page, "mail to them will bounce")
        self.assertContains(page, "These aliases lose a target but still deliver to others")
        self.assertNotContains(page, "catch-all")

    def test_aliases_whose_mail_a_catch_all_takes_are_shown_apart(self):
        self.alias("*", "x@far.test")
        self.assertEqual(self.references(self.bob.pk), [[], ["info@example.org"], []])
        page = self.client.get(f"/mailboxes/{self.bob.pk}/delete/")
        self.assertContains(page, "Mail to these aliases will go to the catch-all instead")
        Alias.objects.filter(pk="@example.org").update(goto="bob@example.org")
        reindex_alias_targets()
        lost = ["@example.org", "info@example.org"]
        self.assertEqual(self.references(self.bob.pk), [lost, [], []])

    def test_a_catch_all_that_is_deleted_as_well_takes_no_mail(self):
        self.alias("sales", "x@far.test")
        self.alias("desk", "sales@example.org")
        self.alias("*", "sales@example.org")
        self.sign_in(self.alice)
        bulk = {"action": "delete", "keys": ["sales@example.org", "@example.org"]}
        found = self.client.post("/aliases/bulk/", bulk).context["inbound_references"]
        (group,) = found
        self.assertIn("will bounce", group.text)
        self.assertEqual([alias.pk for alias in group.rows], ["desk@example.org"])

    def test_inactive_aliases_lose_nothing(self):
        self.assertEqual(self.references(self.bob.pk), [["info@example.org"], [], []])
        Alias.objects.filter(pk="info@example.org").update(active=False)
        self.assertEqual(self.references(self.bob.pk), [[], [], []])

    def test_aliases_of_a_deleted_alias_are_split_too(self):
        self.alias("both", "info@example.org", "x@far.test", person=self.root, domain="example.com")
        self.assertEqual(
            self.references("info@example.org", "aliases"), [[], [], ["both@example.com"]]
        )

    def test_mail_to_targets_in_a_deleted_domain_leaves_the_server(self):
        self.alias("far", "bob@example.org", person=self.root, domain="example.com")
        self.alias("off", "bob@example.org", person=self.root, domain="example.com")
        Alias.objects.filter(pk="off@example.com").update(active=False)
        self.sign_in(self.root)
        page = self.client.get("/domains/example.org/delete/")
        self.assertContains(page, "Mail to these targets will be sent to another server")
        self.assertContains(page, "<li>far@example.com</li>")
        self.assertNotContains(page, "off@example.com")
        self.assertNotContains(page, "bounce")

    def test_all_alias_domains_that_stop_a_deletion_are_linked(self):
        names = ("one.test", "two.test")
        self.perform(self.root, create_domains, [{"domain": name} for name in names])
        for name in names:
            AliasDomain.objects.create(alias_domain_id=name, target_domain_id="example.org")
        self.sign_in(self.root)
        page = self.client.get("/domains/example.org/delete/")
        for name in names:
            self.assertContains(page, f'<a href="/alias-domains/{name}/delete/">{name}</a>')
        self.assertNotContains(page, "will also be deleted")
        self.assertNotContains(page, 'class="btn btn-danger"')

    def test_the_deletion_of_an_alias_domain_keeps_the_domain(self):
        self.perform(self.root, create_domains, [{"domain": "one.test"}])
        AliasDomain.objects.create(alias_domain_id="one.test", target_domain_id="example.org")
        self.sign_in(self.root)
        page = self.client.get("/alias-domains/one.test/delete/")
        self.assertContains(page, "<h1>Delete the alias domain one.test?</h1>")
        self.assertContains(page, "The domain and its mailboxes are kept.")
        self.assertContains(page, "will no longer be handled as mail to")

    def test_a_catch_all_that_is_deleted_is_not_its_domain(self):
        self.alias("*", "x@far.test")
        self.alias("far", "bob@example.org", person=self.root, domain="example.com")
        self.assertEqual(self.references("@example.org", "aliases"), [[], [], []])

    def test_many_rows_at_once_show_the_same_groups(self):
        self.alias("both", "bob@example.org", "x@far.test")
        self.sign_in(self.alice)
        data = {"action": "delete", "keys": [self.bob.pk]}
        page = self.client.post("/mailboxes/bulk/", data)
        self.assertContains(page, "<h1>Delete 1 mailbox?</h1>")
        self.assertContains(page, "still deliver to others")
        self.assertContains(page, "mail to them will bounce")

    def test_aliases_are_counted_alike_everywhere(self):
        """Including those of mailboxes."""
        self.sign_in(self.root)
        page = self.client.get("/domains/example.org/")
        self.assertEqual(page.context["object"].state.aliases, 1)
        page = self.client.get("/domains/example.org/delete/")
        self.assertEqual(dict(page.context["cascade_counts"])["Aliases"], 1)
        page = self.client.get(f"/mailboxes/{self.bob.pk}/delete/")
        self.assertNotIn("Aliases", dict(page.context["cascade_counts"]))

    def test_secrets_are_stored_apart_from_change_records(self):
        self.perform(self.alice, delete_mailboxes, [self.bob.pk])
        records = str(list(Change.objects.values()))
        self.assertNotIn(self.bob.password, records)
        kept = ChangeSecret.objects.get(table="mailbox", key=self.bob.pk)
        self.assertEqual(kept.row["password"], self.bob.password)

    def test_a_target_of_alias_domains_cannot_be_deleted(self):
        self.perform(self.root, create_domains, [{"domain": "mirror.example.org"}])
        AliasDomain.objects.create(
            alias_domain_id="mirror.example.org", target_domain_id="example.org"
        )
        text = self.refused(self.root, delete_domains, ["example.org"])
        self.assertIn("mirror.example.org", text)
        self.perform(self.root, delete_domains, ["example.org", "mirror.example.org"])
        self.assertFalse(AliasDomain.objects.exists())

    def test_recreating_a_deleted_address_causes_a_warning(self):
        self.perform(self.alice, delete_mailboxes, [self.bob.pk])
        self.sign_in(self.alice)
        data = {
            "local_part": "bob",
            "domain": "example.org",
            "password": PASSWORD,
            "password2": PASSWORD,
            "quota": "5",
            "active": "on",
        }
        answer = self.client.post("/mailboxes/create/", data, follow=True)
        self.assertContains(answer, "old mail may still be on disk")
