"""Messages: headers that cannot be injected, escaped HTML, languages, the operator's texts."""

import email
import email.policy
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.exceptions import ValidationError
from django.test import override_settings
from django.utils.translation import override

from mailadmin import registry
from mailadmin.mails import notices
from mailadmin.mails.checks import check_mail_templates
from mailadmin.mails.messages import MessageError, build_message
from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.queue import queue_mail
from tests.base import World
from tests.mailadmin.mails.queued import add_mail, queued, send
from tests.started_panel import panel


def built(mail):
    """Return the message as its receiver parses it."""
    return email.message_from_bytes(build_message(mail).message().as_bytes(), policy=POLICY)


POLICY = email.policy.default


class MessageTests(World):
    def parts(self, mail):
        message = built(mail)
        text, html = message.iter_parts()
        self.assertEqual(text.get_content_type(), "text/plain")
        self.assertEqual(html.get_content_type(), "text/html")
        return message, text.get_content(), html.get_content()

    def test_a_notice_says_what_happened_when_and_from_where(self):
        mail = add_mail(
            kind="factor_added",
            account="bob@example.org",
            what="Security key",
            when="today",
            address="192.0.2.7",
            device="Firefox, Linux",
        )
        message, text, html = self.parts(mail)
        self.assertEqual(message["Subject"], "A second factor was added to bob@example.org")
        self.assertEqual(message["To"], "bob@example.org")
        self.assertEqual(message["From"], "postmaster@example.org")
        self.assertEqual(message["Auto-Submitted"], "auto-generated")
        self.assertEqual(message["Message-ID"], mail.message_id)
        for part in (text, html):
            for value in ("Security key", "today", "192.0.2.7", "Firefox, Linux"):
                self.assertIn(value, part)

    @override_settings(MAILADMIN_ADMIN_NAME="Żółw Postmaster")
    def test_the_sender_may_have_a_name(self):
        sender = built(add_mail())["From"].addresses[0]
        self.assertEqual(sender.display_name, "Żółw Postmaster")
        self.assertEqual(sender.addr_spec, "postmaster@example.org")

    def test_values_inject_no_headers(self):
        mail = add_mail(account="bob\r\nBcc: eve@example.com\r\n\r\nhello\u2028x\u0085y\x00")
        message, text, _html = self.parts(mail)
        self.assertIn("to the account bob Bcc: eve@example.com hello x y from", text)
        self.assertIsNone(message["Bcc"])
        self.assertEqual(message["Subject"], "New sign-in to bob Bcc: eve@example.com hello x y")
        self.assertEqual(message.keys().count("To"), 1)

    def test_recipients_and_senders_that_were_stored_by_others_inject_none(self):
        mail = add_mail()
        for name in ("recipient", "sender", "message_id"):
            with self.subTest(name):
                setattr(mail, name, "bob@example.org\nBcc: eve@example.com")
                with self.assertRaises(ValueError):
                    built(mail)
                setattr(mail, name, "bob@example.org")

    def test_html_is_escaped(self):
        mail = add_mail(device='<script>alert("1")</script>', address="a&b'c")
        _message, text, html = self.parts(mail)
        self.assertIn('<script>alert("1")</script>', text)
        self.assertNotIn("<script", html)
        self.assertIn("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;", html)
        self.assertIn("a&amp;b&#x27;c", html)

    def test_typed_addresses_become_no_links(self):
        mail = add_mail(device="https://evil.example/")
        self.assertNotIn("href", self.parts(mail)[2])

    def test_placeholders_in_values_are_not_filled(self):
        mail = add_mail(device="%(account)s {account} {{ account }} {% now 'Y' %} 100%")
        _message, text, html = self.parts(mail)
        for part in (text, html):
            self.assertIn("%(account)s {account} {{ account }} {%", part)
            self.assertIn("100%", part)

    def test_every_built_in_text_uses_its_own_placeholders(self):
        for kind in registry.mail_kinds.values():
            for language in ("en", "de", "ru"):
                with self.subTest(kind.name, language=language), override(language):
                    texts = f"{kind.subject}\n{kind.text}"
                    self.assertEqual(list(kind.find_unknown_placeholders(texts)), [])

    def test_a_message_is_the_same_each_time(self):
        mail = add_mail()
        first, second = built(mail), built(OutgoingMail.objects.get())
        for name in ("Message-ID", "Date", "Subject", "From", "To"):
            self.assertEqual(first[name], second[name])


class TemplateTests(World):
    def setUp(self):
        place = TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = Path(place.name)
        setting = self.settings(MAILADMIN_MAIL_TEMPLATES=self.folder)
        setting.enable()
        self.addCleanup(setting.disable)

    def write(self, name, text):
        (self.folder / name).write_bytes(text.encode() if isinstance(text, str) else text)

    def mail(self, language, **values):
        return add_mail(language=language, account="bob <b>", **values)

    def faults(self):
        return [
            error.msg.removeprefix("MAILADMIN_MAIL_TEMPLATES: ") for error in check_mail_templates()
        ]

    def parts(self, mail):
        text, html = built(mail).iter_parts()
        return built(mail)["Subject"], text.get_content(), html.get_content()

    def test_a_file_replaces_the_text_in_its_language(self):
        self.write(
            "new_sign_in.de.txt", "Subject: Neu: %(account)s\r\n\r\n100 % <neu>\n\n%(panel)s!\n"
        )
        with self.settings(MAILADMIN_URL="https://panel.example.org"):
            subject, text, html = self.parts(self.mail("de"))
        self.assertEqual(subject, "Neu: bob <b>")
        self.assertEqual(text, "100 % <neu>\n\nhttps://panel.example.org!\n")
        self.assertIn("<p>100 % &lt;neu&gt;</p>", html)
        self.assertIn('lang="de"', html)
        self.assertNotIn("Neu", self.parts(self.mail("ru"))[0])
        self.assertEqual(self.faults(), [])

    def test_a_file_without_language_is_for_all_others(self):
        self.write("new_sign_in.txt", "Subject: all\n\ntext")
        self.write("new_sign_in.de.txt", "Subject: German\n\ntext")
        subjects = [self.parts(self.mail(language))[0] for language in ("en", "de", "ru")]
        self.assertEqual(subjects, ["all", "German", "all"])
        self.assertEqual(self.faults(), [])

    def test_an_html_file_is_the_html_part(self):
        self.write("new_sign_in.html", '<p title="%(account)s">%(account)s</p>')
        subject, text, html = self.parts(self.mail("en"))
        self.assertIn("New sign-in", subject)
        self.assertIn("Somebody signed in", text)
        self.assertEqual(html.strip(), '<p title="bob &lt;b&gt;">bob &lt;b&gt;</p>')

    def test_no_template_language_is_run(self):
        self.write("new_sign_in.txt", "Subject: {{ 7|add:7 }}\n\n{% load x %}{account}${account}")
        subject, text, _html = self.parts(self.mail("en"))
        self.assertEqual(subject, "{{ 7|add:7 }}")
        self.assertEqual(text, "{% load x %}{account}${account}\n")

    def test_broken_files_are_named(self):
        self.write("new_sign_in.de.txt", "Subject: x\n\n%(acount)s %(when) %(panel)s")
        self.write("new_sign_in.en.html", "%(link)s")
        self.write("new_sign_in.ru.txt", "Hello\n\ntext")
        self.write("factor_added.txt", "Subject: x\n\n \n")
        self.write("factor_removed.txt", b"Subject: \xff\n\ntext")
        self.write("welcome.xx.txt", "Subject: x\n\ntext")
        self.write("goodbye.txt", "Subject: x\n\ntext")
        self.write("welcome.EN.txt", "Subject: x\n\ntext")
        self.write("README.md", "%(nonsense)s")
        self.assertEqual(
            [fault.partition(";")[0] for fault in self.faults()],
            [
                "factor_added.txt: there is no text below the subject",
                "factor_removed.txt: is not UTF-8 text",
                "goodbye.txt: is not named <kind>.<language>.txt or .html",
                "new_sign_in.de.txt: unknown placeholder %(acount)s",
                "new_sign_in.de.txt: unknown placeholder %(when)",
                "new_sign_in.en.html: unknown placeholder %(link)s",
                "new_sign_in.ru.txt: the first line has to be “Subject: …”",
                "welcome.EN.txt: is not named <kind>.<language>.txt or .html",
                "welcome.xx.txt: “xx” is not a language of the panel",
            ],
        )

    def test_a_file_that_breaks_later_delays_the_mail_and_is_named(self):
        self.mail("en")
        self.write("new_sign_in.txt", "no subject")
        send()
        (mail,) = queued()
        self.assertEqual(mail.state, "waiting")
        self.assertIn("new_sign_in.txt: the first line", mail.error)
        self.assertNotIn(str(self.folder), mail.error)
        with self.assertRaises(MessageError):
            build_message(mail)

    def test_the_start_names_a_broken_file(self):
        self.write("welcome.txt", "Subject: x\n\n%(name)s")
        stopped = panel("manage.py", "check", MAILADMIN_MAIL_TEMPLATES=str(self.folder))
        self.assertEqual(stopped.returncode, 1)
        self.assertIn("welcome.txt: unknown placeholder %(name)s", stopped.stderr)

    def test_the_preview_of_the_form_is_that_of_the_file(self):
        self.write("welcome.txt", "Subject: x\n\nHello %(address)s")
        self.sign_in(self.alice)
        self.assertContains(self.client.get("/mailboxes/create/"), "Hello bob@example.org")


class NoticeKindTests(World):
    def test_all_kinds_of_notices_are_registered(self):
        for kind in notices.NOTICE_KINDS:
            self.assertIs(registry.mail_kinds[kind.name], kind)

    def test_an_unknown_kind_is_an_error_of_the_program(self):
        with self.assertRaises(KeyError):
            queue_mail("nonsense", "bob@example.org", {})
        with self.assertRaises(ValidationError):
            queue_mail("welcome", "bob", {"address": "bob"})
