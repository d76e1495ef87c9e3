"""Authenticator apps and recovery codes: set up, asked for, removed."""

import io

from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client

from domains.models import Admin, DomainFactorPolicy
from mailadmin.accounts.factors.models import RecoveryCode, RoleFactorPolicy
from mailadmin.accounts.factors.services import enable_totp, reset_factors, use_recovery_code
from mailadmin.changes.models import Change, Log
from mailboxes.models import Mailbox
from tests.base import PASSWORD
from tests.mailadmin.factor_world import FactorWorld
from tests.mailadmin.login_world import SECRET


class TotpTests(FactorWorld):
    def test_everybody_sets_up_an_app_and_signs_in_with_it(self):
        for person in self.people():
            with self.subTest(person=person.pk):
                secret, codes = self.set_up_totp(self.client_of(person))
                self.assertEqual(type(person).objects.get(pk=person.pk).totp_secret, secret)
                self.assertEqual(len(set(codes)), 10)
                client = Client()
                self.assertRedirects(self.log_in(person.pk, client=client), "/login/code/")
                self.assertFalse(self.is_logged_in(client))
                client.post("/login/code/", {"code": self.code_of(secret, 1)})
                self.assertTrue(self.is_logged_in(client))

    def test_the_page_shows_the_secret_as_qr_code_and_in_groups_of_four(self):
        client = self.client_of(self.bob)
        page = client.get("/account/factors/totp/")
        secret = client.session["mailadmin_totp"]
        groups = [secret[at : at + 4] for at in range(0, 32, 4)]
        self.assertContains(page, " ".join(groups))
        self.assertContains(page, "<svg ")
        uri = f"otpauth://totp/mail.example.net:bob@example.org?secret={secret}"
        self.assertIn(uri, page.context["uri"])
        self.assertEqual(client.get("/account/factors/totp/").context["secret"], " ".join(groups))

    def test_a_wrong_first_code_changes_nothing(self):
        client = self.client_of(self.bob)
        client.get("/account/factors/totp/")
        for code in ("", "000000", "garbage", "１２３４５６", "9" * 31):
            answer = client.post("/account/factors/totp/", {"code": code})
            self.assertEqual(answer.status_code, 422, code)
        self.assertIsNone(Mailbox.objects.get(pk=self.bob.pk).totp_secret)
        self.assertEqual(RecoveryCode.objects.count(), 0)

    def test_the_code_of_the_set_up_does_not_sign_in(self):
        secret, _codes = self.set_up_totp(self.client_of(self.bob))
        client = Client()
        self.log_in(self.bob.pk, client=client)
        client.post("/login/code/", {"code": self.code_of(secret)})
        self.assertFalse(self.is_logged_in(client))

    def test_an_app_is_removed_and_null_is_stored(self):
        client = self.client_of(self.bob)
        self.set_up_totp(client)
        client.post("/account/factors/totp/remove/")
        self.assertIsNone(Mailbox.objects.get(pk=self.bob.pk).totp_secret)
        self.assertEqual(RecoveryCode.objects.count(), 0)
        self.assertTrue(self.is_logged_in(self.client_of(self.bob)))

    def test_the_log_names_what_happened_and_no_record_has_the_secret(self):
        client = self.client_of(self.bob)
        secret, codes = self.set_up_totp(client)
        client.post("/account/factors/totp/remove/")
        self.assertEqual(
            self.logged(),
            [
                ("enable_totp", "example.org", "bob@example.org"),
                ("create_recovery_codes", "example.org", "bob@example.org"),
                ("disable_totp", "example.org", "bob@example.org"),
            ],
        )
        stored = str(list(Change.objects.values())) + str(list(Log.objects.values()))
        for text in (secret, *codes):
            self.assertNotIn(text, stored)

    def test_nobody_sets_a_factor_of_another(self):
        for person, other in ((self.alice, self.carol), (self.bob, self.carol)):
            with self.assertRaises(ValidationError):
                self.perform(person, enable_totp, Mailbox, other.pk, SECRET)


class RecoveryCodeTests(FactorWorld):
    def setUp(self):
        super().setUp()
        self.secret, self.codes = self.set_up_totp(self.client_of(self.bob))

    def try_code(self, code):
        client = Client()
        self.log_in(self.bob.pk, client=client)
        client.post("/login/code/", {"code": code})
        return client

    def test_a_recovery_code_signs_in_once(self):
        self.assertTrue(self.is_logged_in(self.try_code(self.codes[0])))
        self.assertFalse(self.is_logged_in(self.try_code(self.codes[0])))
        self.assertTrue(self.is_logged_in(self.try_code(self.codes[1].upper().replace("-", " "))))
        client = self.client_of(self.bob)
        client.post("/login/code/", {"code": self.code_of(self.secret, 1)})
        self.assertContains(client.get("/account/factors/"), "8 of 10 codes are left.")

    def test_only_hashes_are_stored(self):
        stored = str(list(RecoveryCode.objects.values()))
        for code in self.codes:
            self.assertNotIn(code.replace("-", ""), stored.replace("-", ""))

    def test_the_codes_of_another_are_refused(self):
        _secret, codes = self.set_up_totp(self.client_of(self.carol))
        self.assertFalse(self.is_logged_in(self.try_code(codes[0])))
        with self.assertRaises(ValidationError):
            self.perform(self.bob, use_recovery_code, Mailbox, self.bob.pk, codes[0])

    def test_new_codes_end_the_old_ones(self):
        client = self.try_code(self.code_of(self.secret, 1))
        codes = client.post("/account/factors/codes/").context["codes"]
        self.assertFalse(self.is_logged_in(self.try_code(self.codes[0])))
        self.assertTrue(self.is_logged_in(self.try_code(codes[0])))

    def test_no_page_shows_the_codes_again(self):
        client = self.try_code(self.code_of(self.secret, 1))
        for url in ("/account/factors/", "/account/"):
            self.assertNotContains(client.get(url), self.codes[0])
        self.assertEqual(client.get("/account/factors/codes/").status_code, 405)

    def test_a_recovery_code_opens_no_dangerous_step(self):
        client = self.try_code(self.codes[0])
        answer = client.get("/account/factors/totp/")
        self.assertRedirects(answer, "/account/confirm/?next=%2Faccount%2Ffactors%2Ftotp%2F")
        for code in (self.codes[1], self.code_of(self.secret, 1)):
            self.assertEqual(self.confirm(client, code).status_code, 422)
        self.assertEqual(client.get("/account/factors/totp/").status_code, 302)
        self.confirm(client)
        self.assertEqual(client.get("/account/factors/totp/").status_code, 200)

    def test_a_later_person_of_the_same_name_does_not_inherit_the_codes(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(created="2099-01-01T00:00:00Z")
        self.assertFalse(self.is_logged_in(self.try_code(self.codes[0])))


class ProofTests(FactorWorld):
    STEPS = (
        ("get", "/account/factors/totp/"),
        ("post", "/account/factors/totp/"),
        ("get", "/account/factors/passkeys/add/"),
        ("post", "/account/factors/passkeys/add/"),
        ("post", "/account/factors/totp/remove/"),
        ("post", "/account/factors/passkeys/1/remove/"),
        ("post", "/account/factors/codes/"),
    )

    def test_every_step_asks_again_after_ten_minutes(self):
        for person in self.people():
            client = self.client_of(person)
            self.pass_time(client)
            for method, url in self.STEPS:
                with self.subTest(person=person.pk, url=url, method=method):
                    answer = getattr(client, method)(url)
                    self.assertTrue(answer["Location"].startswith("/account/confirm/"))

    def test_the_own_password_opens_the_step_again(self):
        client = self.client_of(self.bob)
        self.pass_time(client)
        target = "/account/factors/totp/"
        self.assertRedirects(self.confirm(client, target=target), target)

    def test_another_password_does_not(self):
        client = self.client_of(self.bob)
        self.pass_time(client)
        for password in ("", "wrong", PASSWORD + " "):
            self.assertEqual(self.confirm(client, password).status_code, 422)
        self.assertEqual(client.get("/account/factors/totp/").status_code, 302)

    def test_guesses_are_counted(self):
        client = self.client_of(self.bob)
        statuses = [self.confirm(client, f"wrong{n}").status_code for n in range(12)]
        self.assertEqual(statuses[-1], 429)

    def test_the_page_leads_to_no_other_site(self):
        client = self.client_of(self.bob)
        for target in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
            self.assertRedirects(self.confirm(client, target=target), "/account/")


class PolicyTests(FactorWorld):
    def require(self, role):
        RoleFactorPolicy.objects.create(role=role, level="required")

    def test_a_missing_required_factor_leads_to_its_set_up_and_nowhere_else(self):
        for person in self.people():
            with self.subTest(person=person.pk):
                self.require(person.role.name)
                client = self.client_of(person)
                for url in ("/", "/account/", "/mailboxes/", "/account/sessions/", "/nothing/"):
                    self.assertRedirects(client.get(url), "/account/factors/")
                self.set_up_totp(client)
                self.assertTrue(self.is_logged_in(client))

    def test_a_policy_applies_to_sessions_that_have_begun(self):
        client = self.client_of(self.bob)
        self.require("MAILBOX")
        self.assertRedirects(client.get("/"), "/account/factors/")

    def test_a_policy_of_another_role_changes_nothing(self):
        self.require("ADMIN")
        for person in (self.root, self.bob):
            self.assertTrue(self.is_logged_in(self.client_of(person)))

    def test_a_domain_requires_a_factor_of_its_owners_and_admins(self):
        DomainFactorPolicy.objects.create(domain_id="example.org", level="required")
        for person, required in (
            (self.bob, True),
            (self.alice, True),
            (self.carol, False),
            (self.root, False),
        ):
            with self.subTest(person=person.pk):
                self.assertEqual(self.is_logged_in(self.client_of(person)), not required)

    def test_the_level_of_a_domain_replaces_that_of_its_owners(self):
        self.require("MAILBOX")
        DomainFactorPolicy.objects.create(domain_id="example.org", level="offered")
        self.assertTrue(self.is_logged_in(self.client_of(self.bob)))
        self.assertFalse(self.is_logged_in(self.client_of(self.carol)))

    def test_the_last_required_factor_cannot_be_removed(self):
        client = self.client_of(self.bob)
        self.set_up_totp(client)
        self.require("MAILBOX")
        answer = client.post("/account/factors/totp/remove/", follow=True)
        self.assertContains(answer, "Your account needs a second factor.")
        self.assertIsNotNone(Mailbox.objects.get(pk=self.bob.pk).totp_secret)
        self.add_passkey(client)
        client.post("/account/factors/totp/remove/")
        self.assertIsNone(Mailbox.objects.get(pk=self.bob.pk).totp_secret)

    def test_where_none_is_offered_none_is_set_up(self):
        RoleFactorPolicy.objects.create(role="MAILBOX", level="off")
        client = self.client_of(self.bob)
        self.assertContains(client.get("/account/factors/"), "is not offered for your account")
        self.set_up_totp(client)
        self.assertIsNone(Mailbox.objects.get(pk=self.bob.pk).totp_secret)

    def test_a_factor_set_up_before_is_asked_for_even_if_none_is_offered(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        RoleFactorPolicy.objects.create(role="MAILBOX", level="off")
        self.assertFalse(self.is_logged_in(self.client_of(self.bob)))


class ResetTests(FactorWorld):
    def test_a_reset_removes_all_factors(self):
        client = self.client_of(self.bob)
        secret, codes = self.set_up_totp(client)
        self.add_passkey(client)
        self.perform(self.alice, reset_factors, Mailbox, [self.bob.pk])
        self.assertTrue(self.is_logged_in(self.client_of(self.bob)))
        self.assertIn(("reset_factors", "example.org", "bob@example.org"), self.logged())

    def test_the_pages_of_people_show_their_factors_and_reset_them(self):
        self.set_up_totp(self.client_of(self.bob))
        alice = self.client_of(self.alice)
        self.add_passkey(alice)
        for client, url in (
            (alice, "/mailboxes/bob@example.org/"),
            (self.client_of(self.root), "/admins/alice@example.org/"),
        ):
            self.assertContains(client.get(url), "Reset two-factor authentication")
            answer = client.post(f"{url}factors/reset/", follow=True)
            self.assertContains(answer, "was reset.")
            self.assertNotContains(client.get(url), "Reset two-factor authentication")

    def test_the_factors_of_a_mailbox_whose_owner_is_an_admin_are_reset_by_superadmins(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        Admin.objects.create(username=self.bob.pk, password="x", superadmin=True)
        with self.assertRaises(ValidationError):
            self.perform(self.alice, reset_factors, Mailbox, [self.bob.pk])
        self.perform(self.root, reset_factors, Mailbox, [self.bob.pk])
        self.assertIsNone(Mailbox.objects.get(pk=self.bob.pk).totp_secret)

    def test_a_reset_needs_a_recent_proof(self):
        client = self.client_of(self.alice)
        self.pass_time(client)
        answer = client.post("/mailboxes/bob@example.org/factors/reset/")
        target = "/account/confirm/?next=%2Fmailboxes%2Fbob%40example.org%2F"
        self.assertRedirects(answer, target)

    def test_foreign_people_are_not_found(self):
        client = self.client_of(self.alice)
        for url in ("/mailboxes/carol@example.com/factors/reset/", "/mailboxes/x/factors/reset/"):
            self.assertEqual(client.post(url).status_code, 404)
        for url in ("/admins/root@example.net/", "/admins/alice@example.org/"):
            self.assertEqual(client.post(f"{url}factors/reset/").status_code, 403)
        owner = self.client_of(self.bob)
        self.assertEqual(owner.post("/mailboxes/bob@example.org/factors/reset/").status_code, 403)

    def test_nobody_resets_the_factors_of_people_out_of_their_scope(self):
        for actor, model, key in (
            (self.alice, Mailbox, self.carol.pk),
            (self.alice, Admin, self.root.pk),
            (self.bob, Mailbox, self.carol.pk),
        ):
            with self.assertRaises(ValidationError):
                self.perform(actor, reset_factors, model, [key])


class ResetCommandTests(FactorWorld):
    def run_command(self, *arguments):
        output = io.StringIO()
        call_command("reset-factors", *arguments, stdout=output)
        return output.getvalue()

    def test_the_command_resets_the_factors_of_anybody(self):
        for person in self.people():
            client = self.client_of(person)
            self.set_up_totp(client)
            self.add_passkey(client)
            self.assertIn("was reset.", self.run_command(person.pk))
            self.assertTrue(self.is_logged_in(self.client_of(person)))

    def test_the_command_says_why_it_does_nothing(self):
        Admin.objects.create(username=self.bob.pk, password="x", totp_secret=SECRET)
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret=SECRET)
        for address, text in (
            ("nobody@example.org", "There is no active admin or mailbox"),
            (self.carol.pk, "has no second factor"),
            (self.bob.pk, "add --admin or --mailbox"),
        ):
            with self.assertRaisesMessage(CommandError, text):
                self.run_command(address)
        self.run_command(self.bob.pk, "--admin")
        self.assertIsNotNone(Mailbox.objects.get(pk=self.bob.pk).totp_secret)
        self.run_command(self.bob.pk)
        self.assertIsNone(Mailbox.objects.get(pk=self.bob.pk).totp_secret)


class DomainFormTests(FactorWorld):
    def level(self):
        return DomainFactorPolicy.objects.filter(pk="example.org").values_list("level", flat=True)

    def save(self, level):
        client = self.client_of(self.root)
        page = client.get("/domains/example.org/edit/")
        form = page.context["form"]
        data = {name: form[name].value() for name in form.fields if form[name].value() is not None}
        return client.post("/domains/example.org/edit/", data | {"second_factor": level})

    def test_the_form_sets_and_removes_the_level_of_a_domain(self):
        for level in ("required", "off", ""):
            self.assertEqual(self.save(level).status_code, 302)
            self.assertEqual(list(self.level()), [level] if level else [])
            self.assertIn(("edit_domain", "example.org", "example.org"), self.logged())
            Log.objects.all().delete()
        self.save("")
        self.assertEqual(self.logged(), [])

    def test_an_unknown_level_is_refused(self):
        self.assertEqual(self.save("everything").status_code, 422)

    def test_the_api_shows_and_sets_it(self):
        api = self.api(self.root)
        api.patch("domains/example.org", {"second_factor": "required"})
        self.assertEqual(api.get("domains/example.org").json()["second_factor"], "required")
        self.assertEqual(api.get("domains/example.com").json()["second_factor"], "")

    def test_a_domain_made_again_has_no_level(self):
        api = self.api(self.root)
        self.save("required")
        api.delete("domains/example.org")
        api.post("domains", {"domain": "example.org"})
        self.assertEqual(list(self.level()), [])
