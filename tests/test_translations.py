"""German and Russian translations: complete catalogues, no untranslated text on pages."""

import ast
import gettext
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.test import RequestFactory
from django.utils import timezone, translation

from domains.models import DkimKey, DkimSigning, Domain, TotpException, Transport
from mailadmin import registry
from mailadmin.changes.formatting import format_change_value
from mailadmin.error_pages import server_error
from mailadmin.jobs.models import Job
from mailboxes.models import AppPassword, Fetchmail, SenderPermission, Usage, Vacation
from mailboxes.services.mailboxes import set_mailboxes
from tests.base import PASSWORD, World

ROOT = Path(django_settings.BASE_DIR)
LANGUAGES = ("de", "ru")
FIELD = re.compile(r'^(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) ((?:".*"\n?)+)', re.MULTILINE)
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|{\w*}")
each_language = pytest.mark.parametrize("language", LANGUAGES)


# The catalogues


def catalogue(language, root=ROOT):
    return root / "mailadmin/locale" / language / "LC_MESSAGES/django.po"


def entries(path):
    """(context, text, plural) → its translations."""
    found = {}
    for block in path.read_text().split("\n\n")[1:]:
        fields = {
            name: "".join(ast.literal_eval(line) for line in lines.splitlines())
            for name, lines in FIELD.findall(block)
        }
        key = fields.pop("msgctxt", ""), fields.pop("msgid"), fields.pop("msgid_plural", "")
        found[key] = list(fields.values())
    return found


@pytest.fixture
def extracted(tmp_path, monkeypatch, settings):
    """The texts of the sources as they are now."""
    for folder in ("mailadmin", "domains", "mailboxes", "templates"):
        ignored = shutil.ignore_patterns("__pycache__", "locale")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    (tmp_path / "mailadmin/locale").mkdir()
    monkeypatch.chdir(tmp_path)
    settings.LOCALE_PATHS = [tmp_path / "mailadmin/locale"]
    call_command("makemessages", locale=list(LANGUAGES), no_location=True, verbosity=0)
    return tmp_path


def test_the_catalogues_contain_exactly_the_texts_of_the_sources(extracted):
    for language in LANGUAGES:
        fresh, kept = entries(catalogue(language, extracted)), entries(catalogue(language))
        assert len(fresh) > 300
        assert {"missing": fresh.keys() - kept.keys(), "left over": kept.keys() - fresh.keys()} == {
            "missing": set(),
            "left over": set(),
        }


@each_language
def test_every_text_is_translated_and_none_is_fuzzy(language):
    assert "#, fuzzy" not in catalogue(language).read_text()
    assert "#~" not in catalogue(language).read_text()
    forms = {"de": 2, "ru": 4}[language]
    incomplete = [
        key
        for key, texts in entries(catalogue(language)).items()
        if not all(texts) or len(texts) != (forms if key[2] else 1)
    ]
    assert incomplete == []


@each_language
def test_translations_have_the_placeholders_of_their_texts(language):
    wrong = [
        text
        for (_context, msgid, _plural), texts in entries(catalogue(language)).items()
        for text in texts
        if sorted(PLACEHOLDER.findall(text)) != sorted(PLACEHOLDER.findall(msgid))
    ]
    assert wrong == []


@each_language
def test_compiled_catalogues_are_up_to_date(language, tmp_path):
    po, compiled = catalogue(language), tmp_path / "django.mo"
    subprocess.run(["msgfmt", "--check", "-o", compiled, po], check=True)
    assert messages(po.with_suffix(".mo")) == messages(compiled)


def messages(path):
    with path.open("rb") as file:
        return gettext.GNUTranslations(file)._catalog


# The pages


class Visible(HTMLParser):
    """Parser for the visible and accessible text of a page."""

    SPOKEN = ("title", "placeholder", "aria-label", "data-generate", "data-search", "data-remove")
    SPOKEN += ("data-show", "data-copy", "data-copied", "data-strength", "data-short-placeholder")
    SPOKEN += ("data-one", "data-few", "data-many", "data-other", "data-all")

    def __init__(self, page):
        super().__init__()
        self.texts, self.silent = [], False
        self.feed(page.content.decode())

    def handle_starttag(self, tag, attrs):
        self.silent = tag in ("script", "style")
        self.texts += [value for name, value in attrs if name in self.SPOKEN]

    def handle_endtag(self, tag):
        self.silent = False

    def handle_data(self, data):
        if not self.silent:
            self.texts.append(data)


# Names and mail terms that are the same in Russian.
FOREIGN = {"mailadmin", "admin", "catch-all", "Catch-all", "backup", "Backup", "maildir", "Maildir"}
FOREIGN |= {"CSV", "CLI", "console", "DKIM", "TOTP", "fetchmail", "Fetchmail", "cookie"}
FOREIGN |= {"PEM", "RSA", "GSSAPI", "OTP", "NTLM", "TLS", "restore"}
FOREIGN |= {"virtual", "local", "relay", "abuse", "hostmaster", "postmaster", "webmaster"}
FOREIGN |= {"ZIP", "TAR", "domains", "forwardings", "transport", "users"}  # formats, tables
FOREIGN |= {"Postfix", "Dovecot", "PostfixAdmin", "ISPmail", "JSON", "UTF-8", "discard"}
FOREIGN |= {"English", "Deutsch", "API", "zip", "tar", "DNS", "IMAP", "SMTP", "SSL", "STARTTLS"}
FOREIGN |= {"ManageSieve", "Outlook", "Thunderbird", "iPhone", "iPad", "Mac", "Android"}
FOREIGN |= {"Bob", "Carol", "bob", "zzz", "Phone", "mail"}  # names and input


def english(page):
    """Return words in Latin letters that are neither names nor addresses."""
    words = " ".join(Visible(page).texts).split()
    words = [word.strip("()[],:;…«»\"'*?!") for word in words if "@" not in word]
    words = [word.rstrip(".") for word in words if "." not in word.rstrip(".")]
    return {w for w in words if re.fullmatch(r"[A-Za-z-]{3,}", w)} - FOREIGN


KEYS = {
    "domains": "example.org",
    "alias-domains": "mirror.example.org",
    "mailboxes": "bob@example.org",
    "aliases": "info@example.org",
    "admins": "alice@example.org",
    "transports": "*",
    "totp-exceptions": 1,
    "sender-permissions": 1,
    "vacations": "bob@example.org",
    "fetchmail": 1,
    "dkim-keys": 1,
    "dkim-signings": 1,
}
HEADINGS = {
    "de": {
        "/": "Handlungsbedarf",
        "/domains/": "Quota vergeben",
        "/domains/create/": "Neue Domain",
        "/domains/example.org/delete/": "example.org löschen?",
        "/mailboxes/": "Weiterleitung",
        "/mailboxes/bob@example.org/delete/": "App-Passwörter",
        "/mailboxes/bob@example.org/vacation/": "Antwort an jeden Absender",
        "/log/": "Postfach geändert",
    },
    "ru": {
        "/": "требует внимания",
        "/domains/": "Выделено квоты",
        "/domains/create/": "Новый домен",
        "/domains/example.org/delete/": "Удалить example.org?",
        "/mailboxes/": "Пересылка",
        "/mailboxes/bob@example.org/delete/": "Пароли приложений",
        "/mailboxes/bob@example.org/vacation/": "Отвечать каждому отправителю",
        "/log/": "почтовый ящик изменён",
    },
}
ACCOUNT = (
    "app-passwords",
    "device",
    "device/links",
    "password",
    "forwarding",
    "vacation",
    "recovery-address",
    "sessions",
    "factors",
)
OWN = ["/", "/account/", *(f"/account/{name}/" for name in ACCOUNT)]
RECOVERY = ["/login/forgot/", "/login/forgot/sent/", "/login/recover/", "/login/device/"]


def urls():
    yield from ["/", "/search/", "/search/?q=bob", "/search/?q=zzz", "/jobs/", "/account/"]
    yield from ["/domains/example.org/", "/account/password/", "/domains/?q=zzz"]
    yield from ["/import/", "/export/", "/account/tokens/", "/mails/"]
    yield from ["/backup/", "/broadcasts/", "/broadcasts/create/", "/deliveries/"]
    yield from ["/second-factors/", "/second-factors/levels/"]
    yield from [f"/mailboxes/bob@example.org/{name}/" for name in ("app-passwords", "device-links")]
    names = ("", "ready/", "forwarding/", "vacation/")
    yield from [f"/mailboxes/bob@example.org/{name}" for name in names]
    yield from ["/aliases/info@example.org/", "/admins/alice@example.org/"]
    for table in registry.menu():
        yield table.url("list")
        if "create" in table.roles:
            yield table.url("create")
            yield from [table.url(screen, KEYS[table.slug]) for screen in ("edit", "delete")]


class LanguageTests(World):
    def setUp(self):
        self.perform(self.root, set_mailboxes, [self.bob.pk], "active", False)
        self.perform(self.root, set_mailboxes, [self.bob.pk], "active", True)
        Domain.objects.create(domain="mirror.example.org")
        Transport.objects.create(pattern="*", transport="smtp:[mx.example.org]")
        mirror = registry.tables["alias-domains"].model
        mirror.objects.create(alias_domain_id="mirror.example.org", target_domain_id="example.org")
        TotpException.objects.create(pk=1, ip="192.0.2.7", username="example.org")
        SenderPermission.objects.create(
            pk=1,
            address="@example.org",
            domain_id="example.org",
            mailbox=self.bob,
            mailbox_domain_id="example.org",
        )
        AppPassword.objects.create(mailbox=self.bob, description="Phone 7")
        Fetchmail.objects.create(
            pk=1, mailbox=self.bob, domain_id="example.org", src_server="imap.example.net"
        )
        key = DkimKey.objects.create(pk=1, domain_name_id="example.org", selector="mail2026")
        DkimSigning.objects.create(pk=1, author="example.org", dkim=key)
        Vacation.objects.create(mailbox=self.bob, domain_id="example.org", subject="-", body="-")

    def visit(self, language, person=None):
        """Sign in with a browser of this language."""
        self.client = self.client_class(headers={"accept-language": language})
        if person:
            data = {"username": person.username, "password": PASSWORD}
            self.assertRedirects(self.client.post("/login/", data), "/")

    def test_every_page_is_in_the_selected_language(self):
        for language in LANGUAGES:
            self.visit(language, self.root)
            for url in urls():
                with self.subTest(language=language, url=url):
                    page = self.client.get(url)
                    self.assertContains(page, f'<html lang="{language}"')
                    self.assertContains(page, HEADINGS[language].get(url, "mailadmin"))
            self.visit(language, self.bob)
            for url in OWN:
                with self.subTest(language=language, url=url):
                    self.assertContains(self.client.get(url), f'<html lang="{language}"')

    def test_no_english_is_left_on_a_russian_page(self):
        parts = [
            f"/addresses/bob@example.org/{name}/" for name in ("route", "references", "senders")
        ]
        for person, pages in ((self.root, [*urls(), *parts]), (self.bob, [*OWN, *RECOVERY])):
            self.visit("ru", person)
            for url in pages:
                with self.subTest(url=url):
                    self.assertEqual(english(self.client.get(url)), set())

    def test_errors_are_in_the_selected_language(self):
        self.visit("ru")
        self.assertContains(self.client.get("/login/"), "Войти")
        wrong = self.client.post("/login/", {"username": "bob@example.org", "password": "no"})
        self.assertContains(wrong, "Неверный адрес или пароль")
        self.assertEqual(english(wrong), set())
        self.visit("ru", self.root)
        data = {"local_part": "bob", "domain": "example.org", "quota": "x"}
        refused = self.client.post("/mailboxes/create/", data)
        self.assert_refused(refused, "Обязательное поле.")
        self.assertEqual(english(refused), set())
        self.assertEqual(english(self.client.get("/nothing/")), set())
        selection = {"action": "delete", "keys": [self.bob.pk]}
        self.assertEqual(english(self.client.post("/mailboxes/bulk/", selection)), set())

    def test_the_plain_error_page_has_a_lang_attribute(self):
        with translation.override("ru"):
            page = server_error(RequestFactory().get("/"))
        self.assertContains(page, '<html lang="ru">', status_code=500)
        self.assertEqual(english(page), set())

    def test_a_chosen_language_is_remembered(self):
        self.visit("de")
        self.client.post("/language/", {"language": "ru", "next": "/login/"})
        self.assertContains(self.client.get("/login/"), "Войти")
        self.client.post("/login/", {"username": self.root.username, "password": PASSWORD})
        self.assertContains(self.client.get("/"), "требует внимания")
        self.client.post("/language/", {"language": "en", "next": "/"})
        self.assertContains(self.client.get("/"), "needs attention")

    def test_russian_plural_forms(self):
        self.visit("ru", self.bob)
        for number, text in ((1, "1 письмо"), (3, "3 письма"), (11, "11 писем"), (21, "21 письмо")):
            Usage.objects.update_or_create(mailbox=self.bob, defaults={"messages": number})
            self.assertContains(self.client.get("/"), text)

    def test_numbers_and_dates_are_localized(self):
        Usage.objects.create(mailbox=self.bob, bytes=12_345_600_000, messages=1_234_567)
        made = timezone.localtime(self.bob.created).strftime("%d.%m.%Y %H:%M")
        for language, texts in {
            "de": ["12,1 GB", "1.234.567 Nachrichten", made],
            "ru": ["12,1 ГБ", "1\xa0234\xa0567 писем", made],
            "en": ["12.1 GB", "1,234,567 messages"],
        }.items():
            self.visit(language, self.bob)
            for text in texts:
                with self.subTest(language=language, text=text):
                    self.assertContains(self.client.get("/"), text)

    def test_machine_readable_numbers_are_not_localized(self):
        job = Job.objects.create(kind="bulk", title="-", done=1234, total=12345)
        self.visit("de", self.root)
        page = self.client.get(f"/jobs/{job.pk}/")
        self.assertContains(page, "1.234 / 12.345")
        self.assertRegex(page.content.decode(), r'max="12345"\s+value="1234"')

    def test_booleans_and_dates_in_the_log_are_localized(self):
        self.visit("de", self.root)
        self.assertContains(self.client.get("/log/"), "<del>ja</del> → <ins>nein</ins>")
        with translation.override("de"):
            self.assertEqual(format_change_value("2026-01-02 03:04:05"), "02.01.2026 03:04")
            self.assertEqual(format_change_value("2026-99-99 03:04:05"), "2026-99-99 03:04:05")
