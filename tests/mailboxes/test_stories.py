"""What mailboxes, aliases, forwardings and vacations do to each other."""

import datetime
from unittest import mock

from django.core.exceptions import ValidationError
from django.test import override_settings
from django.utils import timezone

from domains.models import AliasDomain, Domain, TotpException
from mailadmin import passwords
from mailadmin.changes.models import Change, ChangeSecret, Log
from mailadmin.db.fields import ColumnFacts
from mailboxes.models import (
    Alias,
    AppPassword,
    Fetchmail,
    Mailbox,
    Usage,
    Vacation,
    VacationNotification,
)
from mailboxes.services.aliases import create_aliases, delete_aliases, edit_alias
from mailboxes.services.domains import create_domains, delete_domains
from mailboxes.services.forwardings import set_forwarding
from mailboxes.services.mailboxes import delete_mailboxes
from mailboxes.services.references import find_aliases_pointing_to
from tests.base import PASSWORD, World

AWAY = "bob#example.org@autoreply.localhost"


class Stories(World):
    def refused(self, person, service, *arguments):
        with self.assertRaises(ValidationError) as caught:
            self.perform(person, service, *arguments)
        return " ".join(caught.exception.messages)

    def row(self, name, *goto, domain="example.org"):
        return {"local_part": name, "domain": Domain.objects.get(pk=domain), "goto": list(goto)}

    def alias(self, name, *goto, person=None, domain="example.org"):
        row = self.row(name, *goto, domain=domain)
        return self.perform(person or self.alice, create_aliases, [row])

    def goto(self, key="bob@example.org"):
        return Alias.objects.get(pk=key).goto


class AliasStories(Stories):
    def create(self, **data):
        self.sign_in(self.alice)
        given = {"local_part": "x", "domain": "example.org", "goto": "bob@example.org"}
        return self.client.post("/aliases/create/", given | data)

    def test_a_catch_all_by_tick_or_by_star(self):
        self.create(local_part="", catch_all="on")
        self.assertEqual(self.goto("@example.org"), "bob@example.org")
        self.perform(self.alice, delete_aliases, ["@example.org"])
        self.create(local_part="*")
        self.assertTrue(Alias.objects.filter(pk="@example.org").exists())

    def test_only_a_catch_all_leads_to_a_whole_domain(self):
        self.assert_refused(self.create(goto="@elsewhere.example"), "Only a catch-all")
        self.create(local_part="*", goto="@elsewhere.example")
        self.assertEqual(self.goto("@example.org"), "@elsewhere.example")

    def test_targets_are_normalised_and_named_once(self):
        self.create(goto=" BOB@Example.ORG \n\nbob@example.org, x@München.example")
        self.assertEqual(self.goto("x@example.org"), "bob@example.org,x@xn--mnchen-3ya.example")

    def test_users_of_the_servers_own_system_are_the_superadmins(self):
        self.assert_refused(self.create(goto="root"), "Only superadmins can forward to “root”")
        row = {"local_part": "x", "domain": "example.org", "goto": ["root"]}
        self.assertEqual(self.api(self.alice).post("aliases", row).status_code, 422)
        names = ["root@localhost", "ROOT@LocalHost.LocalDomain", "root@[127.0.0.1]"]
        for goto in (["root"], ["bob@example.org", "root"], *([name] for name in names)):
            self.refused(self.alice, edit_alias, "info@example.org", {"goto": goto})
        self.refused(self.bob, set_forwarding, self.bob.pk, ["root"], True)
        self.alias("a", "root", person=self.root)
        self.perform(self.alice, edit_alias, "a@example.org", {"goto": ["root", "x@far.test"]})
        with override_settings(MAILADMIN_SYSTEM_USERS="admins"):
            self.create(goto="root")
            self.assertEqual(self.goto("x@example.org"), "root")
            self.refused(self.bob, set_forwarding, self.bob.pk, ["root"], True)

    def test_targets_may_be_pasted_from_a_mail(self):
        for goto in (
            "bob@example.org; x@y.example",
            "bob@example.org;x@y.example;",
            "bob@example.org\r\n\r\nx@y.example",
            "bob@example.org x@y.example",
            "Bob Builder <bob@example.org>, <x@y.example>",
            '"Builder, Bob" <BOB@example.org>\nx@y.example (at work)',
        ):
            with self.subTest(goto=goto):
                self.create(goto=goto)
                self.assertEqual(self.goto("x@example.org"), "bob@example.org,x@y.example")
                self.perform(self.alice, delete_aliases, ["x@example.org"])
                body = {"local_part": "x", "domain": "example.org", "goto": [goto]}
                self.assertEqual(self.api(self.alice).post("aliases", body).status_code, 201)
                self.assertEqual(self.goto("x@example.org"), "bob@example.org,x@y.example")
                self.perform(self.alice, delete_aliases, ["x@example.org"])

    def test_what_is_no_target_is_refused(self):
        for goto, text in (
            ("", "at least one target"),
            ("x@example.org", "lead to itself"),
            ("a..b@example.org", "cannot stand before the @"),
            ("bob@@example.org", "cannot stand before the @"),
            ("bob@nodot", "is not a domain name"),
            ("two words@example.org", "cannot stand before the @"),
            ("Bob bob@example.org", "cannot stand before the @"),
            ('Bob "B" bob@example.org', "cannot stand before the @"),
            ("bob (at work)", "is not an address"),
            ("bob.smith", "is not an address"),
            ('"a b"@example.org', "cannot stand before the @"),
            ("<bob@example.org", "cannot stand before the @"),
            (AWAY, "set on the vacation page"),
            ("bob@example.org\x00", ""),
            ("bob@example.org\x07", ""),
            ("пример@example.org", "cannot stand before the @"),
        ):
            with self.subTest(goto=goto):
                self.assert_refused(self.create(goto=goto), text)
        self.assertFalse(Alias.objects.filter(pk="x@example.org").exists())

    def test_an_address_is_taken_once(self):
        for name in ("bob", "info", "INFO"):
            self.assert_refused(self.create(local_part=name), "exists already")

    def test_bad_names_are_refused(self):
        for name in ("", "a..b", ".a", "a b", "a/b", "a@b", "ü", "x" * 65, 'a"b', "a,b"):
            with self.subTest(name=name):
                self.assert_refused(self.create(local_part=name))

    def test_a_loop_is_refused_and_shown(self):
        self.alias("a", "b@example.org")
        self.alias("b", "c@example.org")
        text = self.refused(
            self.alice,
            create_aliases,
            [
                {
                    "local_part": "c",
                    "domain": Domain.objects.get(pk="example.org"),
                    "goto": ["a@example.org"],
                }
            ],
        )
        self.assertIn("c@example.org → a@example.org → b@example.org → c@example.org", text)

    def test_a_loop_through_an_adopted_list_is_refused(self):
        for goto in ("x@y.test b@example.org", "B <b@example.org>", "x@y.test;b@example.org"):
            with self.subTest(goto=goto):
                row = Alias(address="a@example.org", goto=goto, domain_id="example.org")
                row.save()
                self.assertIn(
                    "a@example.org → b@example.org",
                    self.refused(
                        self.alice,
                        create_aliases,
                        [self.row("b", "a@example.org")],
                    ),
                )

    def test_a_circle_that_adds_an_extension_at_every_turn_is_refused(self):
        self.alias("a", "bob+x@example.org")
        values = {"goto": ["a@example.org"], "goto_mailbox": True}
        text = self.refused(self.alice, edit_alias, "bob@example.org", values)
        self.assertIn("a+…@example.org → bob+x+…@example.org", text)

    def test_a_circle_that_only_an_extension_enters_is_refused(self):
        """bob has an alias for his shop, but bob+x would lead to bob+shop+x, +shop+shop+x …"""
        self.alias("sales+shop", "carol@example.com")
        row = {"local_part": "sales", "domain": Domain.objects.get(pk="example.org")}
        row["goto"] = ["sales+shop@example.org"]
        self.assertIn("sales+shop+…@example.org", self.refused(self.alice, create_aliases, [row]))

    def test_nobodys_vacation_is_a_target_that_is_typed(self):
        target = "carol#example.com@autoreply.localhost"
        row = {
            "local_part": "spy",
            "domain": Domain.objects.get(pk="example.org"),
            "goto": [target],
        }
        text = self.refused(self.alice, create_aliases, [row])
        self.assertIn("is set on the vacation page", text)
        values = {"goto": [target], "goto_mailbox": True}
        self.refused(self.alice, edit_alias, "bob@example.org", values)

    def test_a_circle_in_which_an_address_names_itself_is_none(self):
        self.perform(
            self.alice,
            edit_alias,
            "bob@example.org",
            {"goto": ["info@example.org"], "goto_mailbox": True},
        )
        self.assertEqual(self.goto(), "info@example.org,bob@example.org")

    def test_a_loop_without_a_copy_is_refused(self):
        text = self.refused(
            self.alice,
            edit_alias,
            "bob@example.org",
            {"goto": ["info@example.org"], "goto_mailbox": False},
        )
        self.assertIn("loop", text)
        self.assertEqual(self.goto(), "bob@example.org")

    def test_a_loop_through_extension_catch_all_or_alias_domain_is_found(self):
        self.perform(self.root, create_domains, [{"domain": "mirror.example.org"}])
        AliasDomain.objects.create(
            alias_domain_id="mirror.example.org", target_domain_id="example.org"
        )
        for target in ("a+x@example.org", "a@mirror.example.org"):
            with self.subTest(target=target):
                row = {"local_part": "a", "domain": Domain.objects.get(pk="example.org")}
                self.assertIn(
                    "loop", self.refused(self.alice, create_aliases, [row | {"goto": [target]}])
                )

    def test_a_catch_all_to_a_name_it_catches_itself_is_no_loop(self):
        self.alias("*", "nobody@example.org")
        self.assertEqual(self.goto("@example.org"), "nobody@example.org")

    def test_default_aliases_are_the_superadmins(self):
        self.alias("postmaster", "bob@example.org", person=self.root)
        for service, *rest in ((edit_alias, {"goto": ["x@y.example"]}), (delete_aliases,)):
            key = "postmaster@example.org"
            keys = key if service is edit_alias else [key]
            self.assertIn("protected", self.refused(self.alice, service, keys, *rest))
        with override_settings(MAILADMIN_SPECIAL_ALIAS_CONTROL=True):
            self.perform(self.alice, delete_aliases, ["postmaster@example.org"])

    def test_the_alias_of_a_mailbox_goes_with_it_only(self):
        text = self.refused(self.root, delete_aliases, ["bob@example.org"])
        self.assertIn("belongs to a mailbox", text)

    @override_settings(MAILADMIN_ALIAS_CONTROL_ADMIN=False)
    def test_forwarding_of_mailboxes_may_be_the_superadmins(self):
        text = self.refused(self.alice, edit_alias, "bob@example.org", {"goto": ["x@y.example"]})
        self.assertIn("superadmins", text)


class ForwardingStories(Stories):
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

    def test_mail_must_go_somewhere(self):
        self.assert_refused(self.forward(keep=False), "somewhere else")

    def test_an_auto_reply_keeps_no_mail(self):
        """Its target is no place where mail is kept, whatever is typed beside it."""
        Alias.objects.filter(pk=self.bob.pk).update(goto=f"{AWAY},{self.bob.pk}")
        for goto in ("", "bob@example.org", "BOB@example.org"):
            for person, url in (
                (self.bob, "/account/forwarding/"),
                (self.alice, "/mailboxes/bob@example.org/forwarding/"),
            ):
                with self.subTest(goto=goto, url=url):
                    self.assert_refused(
                        self.forward(goto, keep=False, person=person, url=url), "somewhere else"
                    )
        self.sign_in(self.alice)
        url = "/aliases/bob@example.org/edit/"
        seen = self.client.get(url).context["form"].initial["seen"]
        answer = self.client.post(url, {"goto": "bob@example.org", "seen": seen})
        self.assert_refused(answer, "somewhere else")
        for goto in ([], ["bob@example.org"]):
            answer = self.api(self.alice).patch(
                "aliases/bob@example.org", {"goto": goto, "goto_mailbox": False}
            )
            self.assertEqual(answer.status_code, 422, answer.content)
        self.assertEqual(self.goto(), f"{AWAY},bob@example.org")

    def test_mail_that_is_only_answered_has_to_be_asked_for(self):
        Alias.objects.filter(pk=self.bob.pk).update(goto=f"{AWAY},{self.bob.pk}")
        self.refused(self.bob, set_forwarding, self.bob.pk, [], False)
        self.perform(self.bob, set_forwarding, self.bob.pk, [], False, True)
        self.assertEqual(self.goto(), AWAY)
        self.perform(self.bob, edit_alias, self.bob.pk, {"description": "as it was", "goto": []})
        self.assertEqual(self.goto(), f"{AWAY},bob@example.org")

    def test_adopted_mail_that_is_only_answered_is_shown_and_stays_editable(self):
        Alias.objects.filter(pk=self.bob.pk).update(goto=AWAY)
        self.sign_in(self.bob)
        self.assertContains(self.client.get("/"), "Your mail is kept nowhere")
        self.assertNotContains(self.client.get("/"), "Your mail stays in your mailbox.")
        self.sign_in(self.alice)
        self.assertContains(self.client.get("/mailboxes/"), "answered only")
        answer = self.api(self.alice).patch("aliases/bob@example.org", {"description": "x"})
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertEqual(self.goto(), AWAY)

    def test_the_vacation_target_is_neither_lost_nor_forged(self):
        Alias.objects.filter(pk=self.bob.pk).update(goto=f"{AWAY},{self.bob.pk}")
        self.forward("x@elsewhere.example")
        self.assertEqual(self.goto(), f"x@elsewhere.example,{AWAY},bob@example.org")
        self.assert_refused(self.forward(AWAY), "vacation page")

    def test_alice_does_it_for_bob_and_not_for_carol(self):
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
    def test_the_operator_may_keep_forwarding_from_owners(self):
        self.sign_in(self.bob)
        self.assertEqual(self.client.get("/account/forwarding/").status_code, 403)


class VacationStories(Stories):
    def leave(self, active=True, **changed):
        self.sign_in(self.bob)
        page = self.client.get("/account/vacation/")
        start = timezone.localtime()
        end = start + datetime.timedelta(days=7)
        data = {
            "activefrom": start.strftime("%Y-%m-%dT%H:%M"),
            "activeuntil": end.strftime("%Y-%m-%dT%H:%M"),
            "subject": "Away",
            "body": "I am away.\nBack soon: пока 💥",
            "interval_time": "0",
            "seen": page.context["form"].initial.get("seen", ""),
        }
        return self.client.post(
            "/account/vacation/", data | ({"active": "on"} if active else {}) | changed
        )

    def test_bob_goes_and_comes_back(self):
        self.assertRedirects(self.leave(), "/account/vacation/")
        self.assertEqual(self.goto(), f"{AWAY},bob@example.org")
        vacation = Vacation.objects.get(pk=self.bob.pk)
        self.assertTrue(vacation.active)
        self.assertEqual((vacation.domain_id, vacation.cache), ("example.org", ""))
        self.leave(active=False)
        self.assertEqual(self.goto(), "bob@example.org")
        self.assertFalse(Vacation.objects.get(pk=self.bob.pk).active)

    def test_a_vacation_keeps_the_mail_of_an_alias_without_targets(self):
        Alias.objects.filter(pk=self.bob.pk).update(goto="")
        self.leave()
        self.assertEqual(self.goto(), f"{AWAY},bob@example.org")

    def test_a_list_of_targets_that_leaves_no_room_for_the_answer_is_said_to_be_too_long(self):
        targets = ",".join(f"someone.{n:04}@far.test" for n in range(2990))
        Alias.objects.filter(pk=self.bob.pk).update(goto=f"{targets[:65500]},bob@example.org")
        narrow = {("alias", "goto"): ColumnFacts("latin1", "text", "latin1_general_ci")}
        with mock.patch("mailadmin.db.fields.load_column_facts", return_value=narrow):
            self.assert_refused(self.leave(), "longer than this database")
        self.assertFalse(Vacation.objects.exists())

    def test_everybody_is_told_anew(self):
        self.leave()
        VacationNotification.objects.create(vacation_id=self.bob.pk, notified="x@y.example")
        self.leave(subject="Away again")
        self.assertFalse(VacationNotification.objects.exists())

    def test_other_targets_stay_in_postfixadmins_order(self):
        Alias.objects.filter(pk=self.bob.pk).update(goto="bob@example.org,x@y.example")
        self.leave()
        self.assertEqual(self.goto(), f"x@y.example,{AWAY},bob@example.org")

    def test_dates_that_make_no_sense_are_refused(self):
        for changed in (
            {"activeuntil": "2020-01-01T00:00"},
            {"activefrom": "2030-01-01T00:00", "activeuntil": "2029-01-01T00:00"},
            {"activeuntil": "2099-01-01T00:00"},
            {"activeuntil": "tomorrow"},
            {"interval_time": "-5"},
            {"subject": ""},
        ):
            with self.subTest(changed=changed):
                self.assert_refused(self.leave(**changed))
        self.assertFalse(Vacation.objects.exists())


class CascadeStories(Stories):
    def belongings(self):
        """All that hangs on bob."""
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

    def test_a_mailbox_takes_all_that_is_its_own(self):
        self.belongings()
        self.perform(self.alice, delete_mailboxes, [self.bob.pk])
        self.assertEqual(self.left(), [])
        self.assertFalse(Alias.objects.filter(pk=self.bob.pk).exists())
        self.assertEqual(self.logged(), [("delete_mailbox", "example.org", self.bob.pk)])

    def test_a_domain_takes_all_that_is_in_it_and_leaves_the_log(self):
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

    def test_aliases_that_point_here_are_found_however_they_are_written(self):
        written = ['"Bob B." <bob@example.org>', "x@y.test bob@example.org", "bob @ example.org"]
        written += ["x@y.test; bob@example.org.", "bob%example.org", '"bob"@example.org']
        for number, goto in enumerate([*written, "bobby@example.org", '"not bob@example.org"@x.y']):
            Alias.objects.create(
                address=f"n{number}@example.org", goto=goto, domain_id="example.org"
            )
        found = find_aliases_pointing_to(self.alice, ["bob@example.org"])
        self.assertEqual(
            [alias.pk for alias in found],
            ["info@example.org", *(f"n{number}@example.org" for number in range(len(written)))],
        )

    def test_the_confirm_page_counts_what_will_go(self):
        self.belongings()
        self.alias("friends", "bob@example.org", "x@y.example")
        self.alias("spy", "bob@example.org", person=self.root, domain="example.com")
        self.sign_in(self.alice)
        page = self.client.get(f"/mailboxes/{self.bob.pk}/delete/")
        self.assertEqual(
            dict(page.context["cascade_counts"]),
            {
                "Vacations": 1,
                "Fetchmail entries": 1,
                "App passwords": 1,
                "TOTP exceptions": 1,
            },
        )
        self.assertContains(page, "friends@example.org")
        self.assertNotContains(page, "spy@example.com")

    def test_aliases_are_counted_alike_everywhere(self):
        """Those of mailboxes are a part of them."""
        self.sign_in(self.root)
        page = self.client.get("/domains/example.org/")
        self.assertEqual(page.context["object"].state.aliases, 1)
        page = self.client.get("/domains/example.org/delete/")
        self.assertEqual(dict(page.context["cascade_counts"])["Aliases"], 1)
        page = self.client.get(f"/mailboxes/{self.bob.pk}/delete/")
        self.assertNotIn("Aliases", dict(page.context["cascade_counts"]))

    def test_secrets_are_kept_apart_from_what_is_told(self):
        self.perform(self.alice, delete_mailboxes, [self.bob.pk])
        told = str(list(Change.objects.values()))
        self.assertNotIn(self.bob.password, told)
        kept = ChangeSecret.objects.get(table="mailbox", key=self.bob.pk)
        self.assertEqual(kept.row["password"], self.bob.password)

    def test_a_target_of_alias_domains_stays(self):
        self.perform(self.root, create_domains, [{"domain": "mirror.example.org"}])
        AliasDomain.objects.create(
            alias_domain_id="mirror.example.org", target_domain_id="example.org"
        )
        text = self.refused(self.root, delete_domains, ["example.org"])
        self.assertIn("mirror.example.org", text)
        self.perform(self.root, delete_domains, ["example.org", "mirror.example.org"])
        self.assertFalse(AliasDomain.objects.exists())

    def test_what_existed_before_is_warned_of(self):
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
        self.assertContains(answer, "old mail may still lie on the disk")


class LogStories(Stories):
    def test_each_line_opens_to_what_changed(self):
        self.sign_in(self.alice)
        page = self.client.get("/aliases/info@example.org/edit/")
        data = {
            "goto": "new@elsewhere.example",
            "active": "on",
            "seen": page.context["form"].initial["seen"],
        }
        self.client.post("/aliases/info@example.org/edit/", data)
        page = self.client.get("/log/")
        self.assertContains(page, "<del>bob@example.org</del>", html=True)
        self.assertContains(page, "<ins>new@elsewhere.example</ins>", html=True)

    def test_a_password_is_told_to_have_changed_and_no_more(self):
        self.sign_in(self.bob)
        self.client.post(
            "/account/password/",
            {"old_password": PASSWORD, "password": "new-pass-99", "password2": "new-pass-99"},
        )
        self.assertEqual(self.logged(), [("edit_password", "example.org", self.bob.pk)])
        change = Change.objects.get(verb="edit")
        self.assertEqual(change.values["password"], [])
        self.assertTrue(
            passwords.verify("new-pass-99", Mailbox.objects.get(pk=self.bob.pk).password)
        )

    def test_the_log_of_a_domain_made_again_begins_anew(self):
        old = timezone.now() - datetime.timedelta(days=400)
        Log.objects.create(
            domain_id="example.org",
            action="create_mailbox",
            data="old@example.org",
            username="x",
            timestamp=old,
        )
        self.sign_in(self.alice)
        self.assertNotContains(self.client.get("/log/"), "old@example.org")
        self.sign_in(self.root)
        self.assertContains(self.client.get("/log/"), "old@example.org")

    def test_filters(self):
        for number, action in enumerate(("create_mailbox", "delete_mailbox")):
            Log.objects.create(
                domain_id="example.org",
                action=action,
                data=f"m{number}@example.org",
                username="root (x)",
            )
        self.sign_in(self.root)
        today = timezone.localdate().isoformat()
        for query, first, second in (
            ("action=create_mailbox", True, False),
            ("q=m1", False, True),
            ("admin=root", True, True),
            ("admin=alice", False, False),
            ("domain=example.com", False, False),
            (f"from={today}", True, True),
            ("until=2001-01-01", False, False),
            ("from=garbage&until=2026-99-99", True, True),
            ("q=пример", False, False),
        ):
            with self.subTest(query=query):
                text = self.client.get(f"/log/?{query}").content.decode()
                self.assertEqual(
                    ("m0@example.org" in text, "m1@example.org" in text), (first, second)
                )

    def test_a_new_domain_of_an_admin_is_told(self):
        self.sign_in(self.root)
        page = self.client.get("/admins/alice@example.org/edit/")
        data = {"domains": "example.com", "active": "on"}
        seen = page.context["form"].initial["seen"]
        self.client.post("/admins/alice@example.org/edit/", data | {"seen": seen})
        page = self.client.get("/log/?action=edit_admin")
        self.assertContains(page, "<ins>example.com</ins>", html=True)
        self.assertContains(page, "<del>example.org</del>", html=True)
