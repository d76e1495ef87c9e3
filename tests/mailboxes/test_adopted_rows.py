"""Rows of other programs."""

from django.core.exceptions import ValidationError

from domains.models import Domain, DomainState
from mailboxes.models import Alias, Mailbox
from mailboxes.services.aliases import edit_alias
from mailboxes.services.mailboxes import delete_mailboxes, edit_mailbox
from mailboxes.services.tallies import recount_tallies
from tests.base import World


class AdoptedRowTests(World):
    """Rows written by PostfixAdmin and other programs."""

    def test_a_mailbox_without_its_domain_can_be_fixed_and_deleted(self):
        Domain.objects.filter(pk="example.org")._raw_delete("default")
        self.sign_in(self.root)
        for page in ("edit", "forwarding", "vacation"):
            url = f"/mailboxes/bob@example.org/{page}/"
            form = self.client.get(url).context["form"]
            data = {name: form.get_initial_for_field(f, name) for name, f in form.fields.items()}
            data = {k: v for k, v in data.items() if v is not None and v is not False and v != []}
            for name in {"activefrom", "activeuntil"} & set(data):
                data[name] = data[name].strftime("%Y-%m-%dT%H:%M")
            self.assertEqual(self.client.post(url, data).status_code, 302, url)
        self.assertEqual(self.client.post("/mailboxes/bob@example.org/delete/").status_code, 302)
        self.assertEqual(self.client.get("/").status_code, 200)

    def test_an_alias_that_names_itself_keeps_doing_so(self):
        Alias.objects.filter(pk="info@example.org").update(goto="info@example.org,bob@example.org")
        self.perform(
            self.alice, edit_alias, "info@example.org", {"goto": ["x@y.example"], "active": True}
        )
        self.assertEqual(
            Alias.objects.get(pk="info@example.org").goto, "x@y.example,info@example.org"
        )

    def test_an_unchanged_quota_keeps_every_byte(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(quota=52428801)
        self.sign_in(self.alice)
        page = self.client.get("/mailboxes/bob@example.org/edit/")
        data = {"name": "R", "active": "on", "seen": page.context["form"].initial["seen"]}
        data["quota"] = str(page.context["form"].initial["quota"])
        self.client.post("/mailboxes/bob@example.org/edit/", data)
        self.assertEqual(Mailbox.objects.get(pk=self.bob.pk).quota, 52428801)

    def test_a_quota_can_be_reduced_in_an_overcommitted_domain(self):
        self.perform(self.root, edit_mailbox, self.bob.pk, {"quota": 1000})
        Domain.objects.filter(pk="example.org").update(quota=500)
        self.perform(self.alice, edit_mailbox, self.bob.pk, {"quota": 600})
        with self.assertRaises(ValidationError):
            self.perform(self.alice, edit_mailbox, self.bob.pk, {"quota": 601})

    def test_a_domain_without_tallies_is_counted_first(self):
        DomainState.objects.all().delete()
        self.perform(self.root, delete_mailboxes, [self.bob.pk])
        state = DomainState.objects.get(pk="example.org")
        self.assertEqual((state.mailboxes, state.aliases, state.quota_assigned), (0, 1, 0))

    def test_tallies_of_domains_deleted_elsewhere_are_purged(self):
        Domain.objects.filter(pk="example.com")._raw_delete("default")
        recount_tallies()
        self.assertFalse(DomainState.objects.filter(pk="example.com").exists())

    def test_limits_below_minus_one_do_not_prevent_an_edit(self):
        Domain.objects.filter(pk="example.org").update(aliases=-5)
        self.sign_in(self.root)
        form = self.client.get("/domains/example.org/edit/").context["form"]
        data = {k: v for k, v in form.initial.items() if v is not None and v is not False}
        answer = self.client.post("/domains/example.org/edit/", data | {"description": "new"})
        self.assertEqual(answer.status_code, 302)
