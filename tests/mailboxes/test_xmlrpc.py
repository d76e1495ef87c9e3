"""PostfixAdmin's XML-RPC, called by Python's client with a cookie, as webmail plugins call it."""

import contextlib
import datetime
import http.cookiejar
import urllib.request
import xmlrpc.client
from unittest import mock

from django.test import LiveServerTestCase, override_settings
from django.utils import timezone

from domains.models import DomainFactorPolicy
from mailadmin.accounts.external import ORIGIN_KEY
from mailadmin.accounts.factors.models import PolicyLevel
from mailadmin.changes.models import Change
from mailadmin.mails.languages import get_person_language, remember_language
from mailboxes.models import Alias, Mailbox, Vacation, vacation_target
from tests.base import PASSWORD, World, build_world

NEW_PASSWORD = "other-horse-4711"


class CookieTransport(xmlrpc.client.Transport):
    """A transport that sends the cookies back that it gets."""

    def __init__(self):
        super().__init__()
        self.jar = http.cookiejar.CookieJar()

    def request(self, host, handler, request_body, verbose=False):
        headers = {"Content-Type": "text/xml"}
        request = urllib.request.Request(f"http://{host}{handler}", request_body, headers)
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        with contextlib.closing(opener.open(request)) as response:
            parser, unmarshaller = self.getparser()
            parser.feed(response.read())
            parser.close()
            return unmarshaller.close()


class XmlRpcTests(LiveServerTestCase):
    def setUp(self):
        build_world()
        self.bob = Mailbox.objects.get(pk="bob@example.org")
        self.server = self.connect()

    def connect(self):
        url = f"{self.live_server_url}/xmlrpc.php"
        return xmlrpc.client.ServerProxy(url, transport=CookieTransport())

    def sign_in(self):
        self.assertIs(self.server.login("bob@example.org", PASSWORD), True)

    def assert_fault(self, code, method, *arguments):
        with self.assertRaises(xmlrpc.client.Fault) as caught:
            method(*arguments)
        self.assertEqual(caught.exception.faultCode, code, caught.exception.faultString)

    def test_nothing_but_login_exists_before_a_login(self):
        for method in ("user.login", "alias.get", "vacation.checkVacation", "system.listMethods"):
            self.assert_fault(620, getattr(self.server, method))
        self.assertIs(self.server.login("bob@example.org", "wrong"), False)
        self.assertIs(self.server.login("alice@example.org", PASSWORD), False)  # an admin
        self.assert_fault(620, self.server.alias.get)
        self.sign_in()
        self.assertEqual(self.server.alias.get(), [])
        self.assert_fault(620, self.connect().alias.get)  # another client

    def test_the_language_of_mails_is_not_that_of_the_webmail_server(self):
        remember_language(self.bob, "de")
        self.sign_in()
        self.assertEqual(get_person_language(self.bob), "de")

    def test_the_password_is_changed_by_the_rules_of_the_panel(self):
        self.sign_in()
        self.assertIs(self.server.user.login("bob@example.org", PASSWORD), True)
        self.assertIs(self.server.user.login("bob@example.org", "wrong"), False)
        for old, new in (("wrong", NEW_PASSWORD), (PASSWORD, "short"), (PASSWORD, PASSWORD)):
            self.assertIs(self.server.user.changePassword(old, new), False)
        self.assertIs(self.server.user.changePassword(PASSWORD, NEW_PASSWORD), True)
        self.assertTrue(Mailbox.objects.get(pk=self.bob.pk).check_password(NEW_PASSWORD))
        self.assertEqual(self.server.alias.get(), [])  # the session continues
        self.assertIs(self.connect().login("bob@example.org", NEW_PASSWORD), True)
        change = Change.objects.filter(table="mailbox", key=self.bob.pk).latest("pk")
        self.assertEqual(change.actor.partition(" ")[0], "bob@example.org")

    def test_vacation_replies(self):
        self.sign_in()
        vacation = self.server.vacation
        self.assertIs(vacation.isVacationSupported(), True)
        self.assertIs(vacation.checkVacation(), False)
        self.assertIs(vacation.getDetails(), False)
        self.assertIs(vacation.setAway("Away – 你好", "Back soon"), True)
        self.assertIs(vacation.checkVacation(), True)
        details = vacation.getDetails()
        self.assertEqual((details["subject"], details["active"]), ("Away – 你好", True))
        self.assertEqual(details["activeUntil"][:10], "2038-01-18")
        target = vacation_target(self.bob.pk)
        self.assertIn(target, Alias.objects.get(pk=self.bob.pk).goto)
        end = timezone.localtime() + datetime.timedelta(days=9)
        day = end.strftime("%Y-%m-%d")
        self.assertIs(vacation.setAway("Away", "Back", 86400, "2020-01-01", day), True)
        stored = Vacation.objects.get(pk=self.bob.pk)
        self.assertEqual(stored.interval_time, 86400)
        self.assertEqual(vacation.getDetails()["activeUntil"], f"{day} 00:00:00")
        self.assertIs(vacation.setAway("Away", "Back", 0, "2020-01-01", "2021-01-01"), False)
        self.assertIs(vacation.setAway("Away", "Back", 0, "soon", "2020-99-99"), False)
        self.assertIs(vacation.remove(), True)
        self.assertIs(vacation.checkVacation(), False)
        self.assertNotIn(target, Alias.objects.get(pk=self.bob.pk).goto)
        self.assertEqual(vacation.getDetails()["subject"], "Away")

    def test_a_reply_that_no_form_would_accept_is_ended(self):
        """PostfixAdmin stores such: a start long ago, an end that has passed, no subject."""
        Vacation.objects.create(
            mailbox=self.bob,
            domain_id="example.org",
            subject="",
            body="",
            activefrom=datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC),
            activeuntil=timezone.now() - datetime.timedelta(days=1),
        )
        self.sign_in()
        self.assertIs(self.server.vacation.remove(), True)
        self.assertIs(self.server.vacation.checkVacation(), False)
        self.assertIs(self.server.vacation.remove(), True)

    @override_settings(MAILADMIN_VACATION_CONTROL=False)
    def test_replies_that_owners_may_not_set(self):
        self.sign_in()
        self.assertIs(self.server.vacation.isVacationSupported(), False)
        self.assertIs(self.server.vacation.setAway("Away", "Back"), False)
        self.assertFalse(Vacation.objects.exists())

    def test_forwarding(self):
        self.sign_in()
        alias = self.server.alias
        self.assertIs(alias.hasStoreAndForward(), True)
        self.assertIs(alias.update(["x@far.test", "y@far.test"], "forward_and_store"), True)
        self.assertEqual(alias.get(), ["x@far.test", "y@far.test"])
        self.assertIs(alias.update(["x@far.test"], "remote_only"), True)
        self.assertIs(alias.hasStoreAndForward(), False)
        for targets, flag in (
            (["x@far.test"], "both"),
            (["no address"], "remote_only"),
            (["root"], "remote_only"),
            ([], "remote_only"),
        ):
            self.assertIs(alias.update(targets, flag), False, targets)
        self.assertEqual(alias.get(), ["x@far.test"])
        with self.settings(MAILADMIN_EDIT_ALIAS=False):
            self.assertIs(alias.update(["z@far.test"], "remote_only"), False)

    def test_a_second_factor_or_a_required_one_closes_it(self):
        DomainFactorPolicy.objects.create(domain_id="example.org", level=PolicyLevel.REQUIRED)
        self.assertIs(self.server.login("bob@example.org", PASSWORD), False)
        DomainFactorPolicy.objects.all().delete()
        self.sign_in()
        Mailbox.objects.filter(pk=self.bob.pk).update(totp_secret="JBSWY3DPEHPK3PXP")
        self.assert_fault(620, self.server.alias.get)
        self.assertIs(self.server.login("bob@example.org", PASSWORD), False)

    def test_names_and_passwords_that_the_sign_in_page_refuses(self):
        for name, password in (("bob\x7f@example.org", PASSWORD), (self.bob.pk, "x" * 5000)):
            self.assertIs(self.server.login(name, password), False)

    def test_dates_that_no_clock_has(self):
        self.sign_in()
        set_away = self.server.vacation.setAway
        for start in ("0001-01-01", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
            for end in (start, "2030-01-01"):
                self.assertIn(set_away("a", "b", 0, start, end), (True, False))

    def test_failures_are_counted_as_at_the_sign_in(self):
        with mock.patch("mailadmin.accounts.throttling.MAX_FAILURES_PER_CLIENT", 2):
            for _n in range(2):
                self.server.login("bob@example.org", "wrong")
            self.assert_fault(429, self.server.login, "bob@example.org", PASSWORD)


class XmlRpcRequestTests(World):
    def post(self, body, content_type="text/xml"):
        return self.client.post("/xmlrpc.php", body, content_type=content_type)

    def test_it_is_off_unless_a_setting_says_otherwise(self):
        with override_settings(MAILADMIN_XMLRPC=False):
            self.assertEqual(self.post("<x/>").status_code, 404)

    def test_requests_that_are_no_calls(self):
        self.assertEqual(self.client.get("/xmlrpc.php").status_code, 405)
        self.assertEqual(self.post("<x/>", "text/plain").status_code, 415)
        self.assertEqual(self.post(b"x" * 300_000).status_code, 413)
        bomb = '<!DOCTYPE x [<!ENTITY a "b">]><methodCall><methodName>&a;</methodName></methodCall>'
        for body in ("nonsense", "<a/>", "<methodCall/>", bomb, b"\xff\xfe", "<methodCall>"):
            response = self.post(body)
            self.assertEqual(response.status_code, 200)
            with self.assertRaises(xmlrpc.client.Fault, msg=body):
                xmlrpc.client.loads(response.content)

    def test_values_and_encodings_that_python_cannot_read(self):
        call = "<methodCall><methodName>login</methodName><params>{}</params></methodCall>"
        value = "<param><value><{0}>x</{0}></value></param>"
        bodies = [call.format(value.format(kind)) for kind in ("bigdecimal", "int", "base64")]
        bodies += [f"<?xml version='1.0' encoding='{name}'?><a/>" for name in ("bogus", "hex")]
        for body in bodies:
            self.assert_fault_of(651, body)

    def test_entities_are_refused_in_every_encoding(self):
        entity = "<!DOCTYPE x [<!ENTITY a 'login'>]>"
        bomb = f"{entity}<methodCall><methodName>&a;</methodName></methodCall>"
        for name in ("utf-8", "utf-16", "utf-16-le"):
            self.assert_fault_of(651, bomb.encode(name))

    def sign_in_by_password(self):
        self.post(xmlrpc.client.dumps(("bob@example.org", PASSWORD), "login"))

    def test_a_session_of_a_single_sign_on_is_for_pages(self):
        self.sign_in_by_password()
        call = xmlrpc.client.dumps((), "alias.get")
        self.assertEqual(xmlrpc.client.loads(self.post(call).content), (([],), None))
        session = self.client.session
        session[ORIGIN_KEY] = {"by": "proxy", "name": "bob", "may_be_superadmin": False}
        session.save()
        self.assert_fault_of(620, call)

    def assert_fault_of(self, code, body):
        with self.assertRaises(xmlrpc.client.Fault, msg=body) as caught:
            xmlrpc.client.loads(self.post(body).content)
        self.assertEqual(caught.exception.faultCode, code, body)

    def test_arguments_of_other_types_and_numbers_are_refused(self):
        self.sign_in_by_password()
        for name, arguments in (
            ("alias.update", ("x@far.test", "remote_only")),
            ("alias.update", (["x@far.test"],)),
            ("alias.update", ([["x@far.test"]], "remote_only")),
            ("alias.update", ([1], "remote_only")),
            ("alias.get", ("carol@example.com",)),
            ("vacation.setAway", ("a", "b", "0")),
            ("vacation.setAway", ("a", "b", True)),
            ("user.changePassword", ({"a": 1}, ["b"])),
            ("login", ("bob@example.org", PASSWORD)),  # once is enough
        ):
            response = self.post(xmlrpc.client.dumps(arguments, name))
            with self.assertRaises(xmlrpc.client.Fault, msg=name):
                xmlrpc.client.loads(response.content)
