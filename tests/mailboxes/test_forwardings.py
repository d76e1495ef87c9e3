"""Forwarding of mailboxes."""

from django.test import override_settings

from domains.models import AliasDomain
from mailboxes.models import Alias
from mailboxes.services.aliases import edit_alias
from mailboxes.services.forwardings import set_forwarding
from tests.mailboxes.base import VACATION_TARGET, AliasWorld


class ForwardingTests(AliasWorld):
    def forward(self, *goto, keep=True, person=None, url="/account/forwarding/"):
        self.sign_in(person or self.bob)
        page = self.client.get(url)
        data = {"goto": "\n".join(goto), "seen": page.context["form"].initial["seen"]}
        return self.client.post(url, data | ({"goto_mailbox": "on"} if keep else {}))

    def test_bob_forwards_with_and_without_a_copy(self):
        self.forward("x@elsewhere.example")
        self.assertEqual(self.goto(), "x@elsewhere.example,bob@example.org")
        self.forward("x@elsewhere.example", keep=False)
        self.assertEqual(self.goto(), "x@elsewhere.example")
        self.forward()
        self.assertEqual(self.goto(), "bob@example.org")
        self.assertEqual({action for action, _d, _k in self.logged()}, {"edit_alias"})

    def test_forwarding_without_a_destination_is_refused(self):
        self.assert_refused(self.forward(keep=False), "Enter an address to forward to")

    def test_an_autoreply_does_not_count_as_a_destination(self):
        """Its target keeps no mail, whatever other targets are entered."""
        Alias.objects.filter(pk=self.bob.pk).update(goto=f"{VACATION_TARGET},{self.bob.pk}")
        for person, url in (
            (self.bob, "/account/forwarding/"),
            (self.alice, "/mailboxes/bob@example.org/forwarding/"),
        ):
            with self.subTest(url=url):
                self.assert_refused(
                    self.forward("", keep=False, person=person, url=url),
                    "Enter an address to forward to",
                )
        self.sign_in(self.alice)
        url = "/aliases/bob@example.org/edit/"
        seen = self.client.get(url).context["form"].initial["seen"]
        answer = self.client.post(url, {"goto": "bob@example.org", "seen": seen})
        self.assert_refused(answer, "Enter an address to forward to")
        for goto in ([], ["bob@example.org"]):
            answer = self.api(self.alice).patch(
                "aliases/bob@example.org", {"goto": goto, "goto_mailbox": False}
            )
            self.assertEqual(answer.status_code, 422, answer.content)
        self.assertEqual(self.goto(), f"{VACATION_TARGET},bob@example.org")

    def test_answering_without_keeping_mail_must_be_explicit(self):
        Alias.objects.filter(pk=self.bob.pk).update(goto=f"{VACATION_TARGET},{self.bob.pk}")
        self.refused(self.bob, set_forwarding, self.bob.pk, [], False)
        self.perform(self.bob, set_forwarding, self.bob.pk, [], False, True)
        self.assertEqual(self.goto(), VACATION_TARGET)
        self.perform(self.bob, edit_alias, self.bob.pk, {"description": "as it was", "goto": []})
        self.assertEqual(self.goto(), f"{VACATION_TARGET},bob@example.org")

    def test_adopted_answer_only_mailboxes_stay_editable(self):
        Alias.objects.filter(pk=self.bob.pk).update(goto=VACATION_TARGET)
        self.sign_in(self.bob)
        self.assertContains(self.client.get("/"), "Your mail is not kept")
        self.assertNotContains(self.client.get("/"), "Your mail stays in your mailbox.")
        self.sign_in(self.alice)
        self.assertContains(self.client.get("/mailboxes/"), "vacation reply only")
        answer = self.api(self.alice).patch("aliases/bob@example.org", {"description": "x"})
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertEqual(self.goto(), VACATION_TARGET)

    def warned(self, *goto, person=None, url="/account/forwarding/"):
        self.forward(*goto, person=person, url=url)
        messages = self.client.get("/account/").context["messages"]
        return [str(each) for each in messages if each.level_tag == "warning"]

    def test_owners_are_warned_of_addresses_that_do_not_exist_in_their_domain(self):
        self.assertEqual(
            self.warned("bbo@example.org", "info@example.org", "x@far.test"),
            ["bbo@example.org does not exist; mail to it will bounce."],
        )
        self.assertEqual(self.goto(), "bbo@example.org,info@example.org,x@far.test,bob@example.org")

    def test_owners_learn_nothing_about_other_domains(self):
        self.assertEqual(self.warned("nobody@example.com"), [])
        AliasDomain.objects.create(alias_domain_id="example.org", target_domain_id="example.com")
        self.assertEqual(self.warned("nobody@example.org"), [])

    def test_admins_are_warned_of_addresses_that_do_not_exist_in_their_domains(self):
        url = "/mailboxes/bob@example.org/forwarding/"
        text = "nobody@example.%s does not exist; mail to it will bounce."
        both = ["nobody@example.com", "nobody@example.org"]
        self.assertEqual(self.warned(*both, person=self.alice, url=url), [text % "org"])
        self.assertEqual(
            self.warned(*both, person=self.root, url=url), [text % "com", text % "org"]
        )

    def test_a_conflict_shows_the_stored_targets_one_per_line(self):
        goto = f"a@far.test,b@far.test,{VACATION_TARGET},{self.bob.pk}"
        Alias.objects.filter(pk=self.bob.pk).update(goto=goto)
        for person, url in (
            (self.bob, "/account/forwarding/"),
            (self.alice, "/mailboxes/bob@example.org/forwarding/"),
            (self.alice, "/aliases/bob@example.org/edit/"),
        ):
            self.sign_in(person)
            page = self.client.post(url, {"goto": "x@far.test", "seen": "of another day"})
            self.assertContains(page, "<dd>a@far.test<br>b@far.test</dd>", status_code=422)
            self.assertContains(page, "<dt>Keep a copy in the mailbox</dt>", status_code=422)
            self.assertNotContains(page, "autoreply.localhost", status_code=422)

    def test_the_own_address_as_a_target_keeps_a_copy(self):
        self.sign_in(self.bob)
        url = "/account/forwarding/"
        for goto, stored in (
            ("Bob@example.org", "bob@example.org"),
            ("x@far.test\nbob@example.org", "x@far.test,bob@example.org"),
        ):
            seen = self.client.get(url).context["form"].initial["seen"]
            answer = self.client.post(url, {"goto": goto, "seen": seen})
            self.assertEqual(answer.status_code, 302)
            self.assertEqual(self.goto(), stored)

    def test_the_vacation_target_is_neither_lost_nor_forged(self):
        Alias.objects.filter(pk=self.bob.pk).update(goto=f"{VACATION_TARGET},{self.bob.pk}")
        self.forward("x@elsewhere.example")
        self.assertEqual(self.goto(), f"x@elsewhere.example,{VACATION_TARGET},bob@example.org")
        self.assert_refused(self.forward(VACATION_TARGET), "vacation reply page")

    def test_alice_sets_forwarding_for_bob_but_not_for_carol(self):
        url = "/mailboxes/bob@example.org/forwarding/"
        self.forward("x@elsewhere.example", person=self.alice, url=url)
        self.assertEqual(self.goto(), "x@elsewhere.example,bob@example.org")
        for page in ("forwarding", "vacation"):
            answer = self.client.post(
                f"/mailboxes/carol@example.com/{page}/", {"goto": "x@y.example"}
            )
            self.assertEqual(answer.status_code, 404)

    def test_a_change_of_another_tab_is_not_overwritten(self):
        self.sign_in(self.bob)
        page = self.client.get("/account/forwarding/")
        seen = page.context["form"].initial["seen"]
        self.forward("x@elsewhere.example")
        answer = self.client.post(
            "/account/forwarding/",
            {"goto": "y@elsewhere.example", "goto_mailbox": "on", "seen": seen},
        )
        self.assert_refused(answer, "changed this in the meantime")
        self.assertContains(answer, "x@elsewhere.example", status_code=422)

    @override_settings(MAILADMIN_EDIT_ALIAS=False)
    def test_forwarding_by_owners_can_be_disabled(self):
        self.sign_in(self.bob)
        self.assertEqual(self.client.get("/account/forwarding/").status_code, 403)
