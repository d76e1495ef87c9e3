"""Mails are queued with what they are about: recipients, languages, secrets, notices."""

import datetime

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone, translation

from domains.models import Admin
from mailadmin.changes.perform import Actor, perform
from mailadmin.mails.languages import remember_language
from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.notices import notify_person
from mailadmin.mails.queue import NewMail, queue_mail, queue_mails
from mailadmin.mails.values import unseal_values
from mailadmin.translation import gettext as _
from mailboxes.models import Mailbox
from tests.base import World
from tests.mailadmin.mails.queued import EVENT, queued


class QueueTests(World):
    def test_a_mail_exists_exactly_if_its_service_is_committed(self):
        def refused(changes):
            queue_mail("new_sign_in", "bob@example.org", EVENT)
            raise ValidationError("no")

        with pytest.raises(ValidationError):
            perform(Actor.console(), refused)
        self.assertEqual(queued(), [])
        with transaction.atomic():
            queue_mail("new_sign_in", "bob@example.org", EVENT)
        (mail,) = queued()
        self.assertEqual((mail.state, mail.recipient), ("waiting", "bob@example.org"))

    def test_values_are_not_readable_in_the_database(self):
        queue_mail("new_sign_in", "bob@example.org", EVENT | {"device": "https://secret"})
        (mail,) = queued()
        self.assertNotIn("secret", repr(vars(mail)))
        self.assertEqual(unseal_values(mail.sealed_values)["device"], "https://secret")

    def test_translated_values_and_dates_are_read_in_the_readers_language(self):
        moment = datetime.datetime(2026, 12, 1, 12, 0, tzinfo=datetime.UTC)
        queue_mail(
            "new_sign_in", "bob@example.org", EVENT | {"what": _("Mailboxes"), "when": moment}
        )
        (mail,) = queued()
        with translation.override("de"):
            values = unseal_values(mail.sealed_values)
        self.assertEqual(values["what"], "Postfächer")
        self.assertEqual(values["when"], "1. Dezember 2026 13:00 CET")

    def test_each_mail_has_a_message_id_of_its_own(self):
        queue_mails("new_sign_in", [NewMail("bob@example.org", EVENT) for _time in range(3)])
        ids = {mail.message_id for mail in queued()}
        self.assertEqual(len(ids), 3)

    def test_impossible_recipients_are_refused(self):
        for address in (
            "bob",
            "bob@example.org\nBcc: eve@example.com",
            "bob@example.org, eve@example.com",
            "bob@example.org,eve@example.com",
            "Bob <bob@example.org>",
            "bob@exa mple.org",
            '"bob"@example.org',
            "бob@example.org",
            "b" * 300 + "@example.org",
            "bob@example.org\x00",
        ):
            with self.subTest(address), pytest.raises(ValidationError):
                queue_mail("new_sign_in", address, EVENT)

    def test_missing_and_unknown_values_are_errors_of_the_program(self):
        for values in ({}, EVENT | {"link": "x"}):
            with pytest.raises(ValueError, match="needs"):
                queue_mail("new_sign_in", "bob@example.org", values)

    def test_the_sender_is_that_of_the_settings_or_of_the_domain(self):
        queue_mail("new_sign_in", "bob@gmail.example", EVENT, domain="example.org")
        with self.settings(MAILADMIN_ADMIN_EMAIL="panel@example.net"):
            queue_mail("new_sign_in", "bob@gmail.example", EVENT, domain="example.org")
        queue_mail("new_sign_in", "x@gmail.example", EVENT, sender="a@b\nBcc: eve@example.com")
        self.assertEqual(
            [mail.sender for mail in queued()],
            ["postmaster@example.org", "panel@example.net", "postmaster@gmail.example"],
        )


class LanguageTests(World):
    def languages(self):
        return [mail.language for mail in queued()]

    def test_a_mail_is_written_in_the_language_of_its_reader(self):
        remember_language(self.bob, "de")
        remember_language(self.alice, "ru")
        people = ("bob@example.org", "alice@example.org", "carol@example.com")
        queue_mails("new_sign_in", [NewMail(each, EVENT) for each in people])
        self.assertEqual(self.languages(), ["de", "ru", "en"])

    def test_the_default_is_that_of_the_settings(self):
        with self.settings(LANGUAGE_CODE="de"):
            queue_mail("new_sign_in", "carol@example.com", EVENT)
            queue_mail("new_sign_in", "carol@example.com", EVENT, "xx")
            queue_mail("new_sign_in", "carol@example.com", EVENT, "ru")
        self.assertEqual(self.languages(), ["de", "de", "ru"])

    def test_the_last_language_counts(self):
        remember_language(self.bob, "de")
        remember_language(self.bob, "ru-RU")
        notify_person(self.bob, "new_sign_in", {})
        self.assertEqual(self.languages(), ["ru"])


class NoticeTests(World):
    def test_both_addresses_of_a_person_get_it(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(email_other="Bob@Home.example")
        self.bob.refresh_from_db()
        remember_language(self.bob, "de")
        notify_person(self.bob, "factor_added", {"what": "TOTP", "address": "192.0.2.7"})
        first, second = queued()
        self.assertEqual(
            (first.recipient, second.recipient), ("bob@example.org", "bob@home.example")
        )
        self.assertEqual({first.language, second.language}, {"de"})
        self.assertEqual({first.domain_id, second.domain_id}, {"example.org"})
        self.assertEqual({first.sender, second.sender}, {"postmaster@example.org"})
        values = unseal_values(first.sealed_values)
        self.assertEqual((values["what"], values["device"]), ("TOTP", "–"))
        self.assertIn(str(timezone.localtime().year), values["when"])

    def test_what_is_no_address_gets_none(self):
        for other in ("Bob <bob@home.example>", "x@y.example, z@y.example", "", "BOB@example.org"):
            OutgoingMail.objects.all().delete()
            self.bob.email_other = other
            notify_person(self.bob, "new_sign_in", {})
            self.assertEqual([mail.recipient for mail in queued()], ["bob@example.org"])

    def test_notices_to_admins_belong_to_no_domain(self):
        notify_person(Admin.objects.get(pk=self.root.pk), "factors_reset", {})
        (mail,) = queued()
        self.assertIsNone(mail.domain_id)
        self.assertEqual(mail.sender, "postmaster@example.net")
