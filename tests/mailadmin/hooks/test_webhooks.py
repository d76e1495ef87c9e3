"""Webhooks: what they are told, by whom it is signed, and when it is told again."""

import datetime
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

from django.test import override_settings
from django.utils import timezone

from mailadmin.hooks.models import HookDelivery
from mailadmin.hooks.runner import run_next_delivery
from mailadmin.housekeeping import purge_expired
from mailboxes.services.aliases import create_aliases
from mailboxes.services.mailboxes import delete_mailboxes, edit_mailbox
from tests.base import World

BOB, SECRET = "bob@example.org", "shared-secret-of-the-webhook"


class Receiver(ThreadingHTTPServer):
    """A server that notes requests and answers with a chosen status."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests, self.status, self.headers = [], 204, {}
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body.decode()))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.server.status != 204:
            self.wfile.write(b"answer " * 1000)

    def log_message(self, *_arguments):
        pass


def at(moment):
    return mock.patch("django.utils.timezone.now", return_value=moment)


class WebhookTests(World):
    def setUp(self):
        self.receiver = Receiver()
        self.addCleanup(self.receiver.server_close)
        self.addCleanup(self.receiver.shutdown)
        changed = override_settings(
            MAILADMIN_WEBHOOKS=[self.receiver.url], MAILADMIN_WEBHOOK_SECRET=SECRET
        )
        changed.enable()
        self.addCleanup(changed.disable)

    def change(self, name="Bob B."):
        self.perform(self.alice, edit_mailbox, BOB, {"name": name})

    def run_silently(self):
        with mock.patch("mailadmin.hooks.runner.logger"):
            while run_next_delivery():
                pass

    def test_a_change_is_told_and_signed(self):
        self.change()
        self.run_silently()
        [(path, headers, body)] = self.receiver.requests
        self.assertEqual(path, "/hook")
        self.assertEqual(headers["X-Mailadmin-Event"], "mailbox.changed")
        text = f"{headers['X-Mailadmin-Timestamp']}.{body}"
        signature = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        self.assertEqual(headers["X-Mailadmin-Signature"], f"sha256={signature}")
        told = json.loads(body)
        self.assertEqual(
            (told["event"], told["key"], told["domain"]), ("mailbox.changed", BOB, "example.org")
        )
        self.assertEqual(told["changes"], {"name": ["Bob", "Bob B."]})
        self.assertEqual(told["actor"], "alice@example.org (192.0.2.7)")
        row = HookDelivery.objects.get()
        self.assertEqual((row.state, row.code), ("done", 204))

    def test_secrets_are_not_told(self):
        self.api(self.alice).patch(f"mailboxes/{BOB}", {"password": "correct-horse-43"})
        self.run_silently()
        body = self.receiver.requests[-1][2]
        self.assertEqual(json.loads(body)["changes"]["password"], [])
        self.assertNotIn("correct-horse", body)

    def test_every_table_is_told_of(self):
        row = {"local_part": "x", "domain": self.bob.domain, "goto": [BOB]}
        self.perform(self.alice, create_aliases, [row])
        self.perform(self.alice, delete_mailboxes, [BOB])
        self.run_silently()
        events = [json.loads(body)["event"] for _path, _headers, body in self.receiver.requests]
        self.assertEqual(events[0], "alias.created")
        self.assertEqual(set(events), {"alias.created", "alias.deleted", "mailbox.deleted"})

    def test_what_is_not_accepted_is_sent_again_for_a_day(self):
        self.receiver.status = 500
        self.change()
        start, now, moments = timezone.now(), timezone.now(), []
        while (row := HookDelivery.objects.get()).state == "waiting":
            with at(now):
                self.run_silently()
            moments.append(now)
            row = HookDelivery.objects.get()
            self.assertEqual(row.code, 500)
            self.assertEqual(len(row.output), 500)
            now = row.due
        self.assertEqual(row.state, "failed")
        self.assertEqual(moments[1] - moments[0], datetime.timedelta(minutes=1))
        self.assertEqual((moments[-1] - start).days, 1)
        self.assertEqual(len(self.receiver.requests), len(moments))

    def test_one_that_answers_again_gets_everything(self):
        self.receiver.status = 503
        for number in range(3):
            self.change(f"Bob {number}")
        self.run_silently()
        self.assertEqual(len(self.receiver.requests), 1)  # and is left alone for a minute
        self.receiver.status = 200
        with at(timezone.now() + datetime.timedelta(minutes=2)):
            self.run_silently()
        self.assertEqual(len(self.receiver.requests), 4)
        self.assertEqual(set(HookDelivery.objects.values_list("state", flat=True)), {"done"})

    def test_a_redirect_is_not_followed(self):
        self.receiver.status, self.receiver.headers = 302, {"Location": self.receiver.url}
        self.change()
        self.run_silently()
        self.assertEqual(len(self.receiver.requests), 1)
        self.assertEqual(HookDelivery.objects.get().state, "waiting")

    def test_a_server_that_is_away(self):
        self.receiver.shutdown()
        self.receiver.server_close()
        self.change()
        self.run_silently()
        row = HookDelivery.objects.get()
        self.assertEqual((row.state, row.code), ("waiting", None))
        self.assertIn("ConnectionError", row.output)

    def test_a_url_that_was_removed(self):
        self.change()
        with override_settings(MAILADMIN_WEBHOOKS=["https://other.example/"]):
            self.run_silently()
        self.assertEqual(HookDelivery.objects.get().state, "failed")
        self.assertEqual(self.receiver.requests, [])

    # The page

    def post(self, action, key):
        return self.client.post("/deliveries/", {"action": action, "key": key})

    def test_the_page_lists_them(self):
        self.receiver.status = 500
        self.change()
        self.run_silently()
        self.sign_in(self.root)
        page = self.client.get("/deliveries/")
        for text in (BOB, "mailbox.changed", self.receiver.url, "waiting", "500", "answer answer"):
            self.assertContains(page, text)
        self.assertContains(self.client.get("/"), "/deliveries/")
        self.assertContains(self.client.get("/deliveries/?state=done"), "No results match")

    def test_what_waits_is_sent_now_or_canceled(self):
        self.receiver.status = 500
        self.change()
        self.run_silently()
        self.receiver.status = 200
        row = HookDelivery.objects.get()
        self.sign_in(self.root)
        self.post("retry", row.pk)
        self.run_silently()
        self.assertEqual(HookDelivery.objects.get().state, "done")
        self.change("Bobby")
        self.post("cancel", HookDelivery.objects.latest("pk").pk)
        self.run_silently()
        self.assertEqual(HookDelivery.objects.latest("pk").output, "Canceled by root@example.net.")
        self.assertEqual(len(self.receiver.requests), 2)
        self.post("retry", HookDelivery.objects.latest("pk").pk)
        self.run_silently()
        self.assertEqual(len(self.receiver.requests), 3)

    def test_only_superadmins_open_it(self):
        for person, status in ((self.alice, 403), (self.bob, 403)):
            self.sign_in(person)
            self.assertEqual(self.client.get("/deliveries/").status_code, status)
            self.assertEqual(self.post("retry", "all").status_code, status)

    def test_they_are_deleted_some_day(self):
        self.change()
        self.run_silently()
        HookDelivery.objects.update(finished=timezone.now() - datetime.timedelta(days=31))
        purge_expired()
        self.assertFalse(HookDelivery.objects.exists())
