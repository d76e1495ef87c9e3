"""Malformed answers at every step of the sign-in: no error of the program, and nobody signed in.

The provider's answers are fuzzed in tests/mailadmin/test_single_sign_on_attacks.py.
"""

import base64
import copy
import json

import cbor2
from django.contrib.auth import SESSION_KEY
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase

from mailadmin.accounts.factors.models import Passkey
from mailadmin.accounts.models import LoginFailure
from tests.authenticator import Authenticator
from tests.base import PASSWORD
from tests.mailadmin.factor_world import FactorWorld

FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
ODD = st.sampled_from(["", "=", "A", "!!", "é", "A" * 5000, "\x00", "_-_-", "null", "[" * 2000])
CBOR_VALUES = st.recursive(
    st.none() | st.integers() | st.binary(max_size=40) | st.text(max_size=9) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=9) | st.integers(-9, 9), inner, max_size=4)
    ),
    max_leaves=6,
)
# Truncated, endless and deeply nested, tags of all kinds, lengths that nobody can allocate.
ODD_CBOR = st.sampled_from(
    [
        b"",
        b"\x81" * 900 + b"\x00",
        b"\xa1" * 900,
        b"\xbf\xff",
        b"\x9f",
        b"\x5b" + b"\xff" * 8,
        b"\x9b\x00\x00\x00\x7f\xff\xff\xff\xff",
        b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xc0\x00",
        b"\xc1\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00",
        b"\xc4\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\xd8\x1c\x81\xd8\x1d\x00",
        b"\xd8\x1e\x82\x01\x00",
        b"\xd8\x23\x61(",
        b"\xd8\x24\x60",
        b"\xd8\x25\x40",
        b"\xd9\x01\x02\x81\x80",
        b"\xd9\x01\x04\x41\x00",
        b"\xf8\x00",
        b"\x62\xff\xfe",
    ]
)


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def paths(value, start=()):
    """Yield the ways to each value within an answer."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*start, key)
            yield from paths(inner, (*start, key))


def change(answer, path, value):
    changed = copy.deepcopy(answer)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value(place[path[-1]]) if callable(value) else value
    return changed


@st.composite
def mutations(draw):
    """Return a function that makes a valid answer of a browser an invalid one."""
    kind = draw(st.sampled_from(["json", "odd", "bytes", "cut", "cbor", "drop", "text"]))
    number, value, odd = draw(st.integers(0, 30)), draw(JSON), draw(ODD)
    cbor = draw(CBOR_VALUES.map(cbor2.dumps) | ODD_CBOR)
    place, bit = draw(st.integers(0, 500)), draw(st.integers(0, 7))

    def flip(text):
        data = bytearray(decode(text) if isinstance(text, str) else b"x")
        data[place % max(len(data), 1)] ^= 1 << bit
        return encode(bytes(data))

    def mutate(text):
        answer = json.loads(text)
        found = list(paths(answer))
        path = found[number % len(found)]
        if kind == "text":
            return text[: place % len(text)] + odd
        if kind == "drop":
            answer.pop(path[0])
            return json.dumps(answer)
        encoded = [each for each in found if each[0] == "response" and len(each) > 1]
        if kind in ("bytes", "cut", "cbor"):
            path = encoded[number % len(encoded)]
        changes = {
            "json": value,
            "odd": odd,
            "bytes": flip,
            "cut": lambda old: old[: place % (len(old) or 1)],
            "cbor": lambda old: encode(cbor),
        }
        return json.dumps(change(answer, path, changes[kind]))

    return mutate


class FuzzedFactorTests(FactorWorld, HypothesisTestCase):
    def setUp(self):
        super().setUp()
        LoginFailure.objects.all().delete()
        self.authenticator = Authenticator()

    def add(self, person):
        client = self.client_of(person)
        options = client.get("/account/factors/passkeys/add/").context["options"]
        return client, self.authenticator.create(options)

    def assert_nobody(self, client, response):
        self.assertLess(response.status_code, 500)
        self.assertNotIn(SESSION_KEY, client.session)

    @FEW
    @given(mutations())
    def test_a_malformed_new_passkey_is_refused_or_harmless(self, mutate):
        client, answer = self.add(self.bob)
        sent = mutate(answer)
        response = client.post("/account/factors/passkeys/add/", {"name": "x", "credential": sent})
        self.assertIn(response.status_code, (200, 422))
        for passkey in Passkey.objects.all():  # what was accepted can be listed and offered
            self.assertEqual(passkey.owner_key, self.bob.pk)
            self.assertEqual(client.get("/account/factors/").status_code, 200)
            self.assertEqual(client.get("/account/confirm/").status_code, 200)
            self.assertEqual(client.get("/account/factors/passkeys/add/").status_code, 200)

    @FEW
    @given(mutations())
    def test_a_malformed_passkey_signs_nobody_in(self, mutate):
        client, answer = self.add(self.bob)
        client.post("/account/factors/passkeys/add/", {"name": "x", "credential": answer})
        for url, start in (
            ("/login/passkey/", self.start_alone),
            ("/login/code/passkey/", self.owe),
        ):
            browser, options = start()
            right = self.authenticator.get(options)
            sent = mutate(right)
            response = browser.post(url, {"credential": sent})
            if not self.is_same(sent, right):
                self.assert_nobody(browser, response)
            self.assertLess(response.status_code, 500)

    def is_same(self, sent, right):
        """Return whether what is signed is unchanged: the rest is ignored."""
        try:
            sent, right = json.loads(sent), json.loads(right)
            names = ("clientDataJSON", "authenticatorData", "signature")
            return all(decode(sent["response"][n]) == decode(right["response"][n]) for n in names)
        except (ValueError, TypeError, LookupError):
            return False

    def start_alone(self):
        browser = Client()
        return browser, browser.get(
            "/login/passkey/", headers={"Accept": "application/json"}
        ).content

    def owe(self):
        browser = self.client_of(self.bob)
        return browser, browser.get("/login/code/").context["passkey_options"]

    @FEW
    @example("[" * 2000)  # more than the parser of JSON takes
    @given(st.one_of(ODD, JSON.map(json.dumps), st.text(max_size=60), st.binary(max_size=60)))
    def test_garbage_at_every_step_is_refused(self, garbage):
        browser = Client()
        self.set_up_totp(self.client_of(self.bob))
        half = self.client_of(self.bob)
        for client, url, name in (
            (browser, "/login/", "password"),
            (browser, "/login/passkey/", "credential"),
            (half, "/login/code/", "code"),
            (half, "/login/code/passkey/", "credential"),
        ):
            data = {"username": self.bob.pk, "next": garbage, name: garbage}
            self.assert_nobody(client, client.post(url, data))

    @FEW
    @example("[" * 2000)  # more than the parser of JSON takes
    @given(st.one_of(ODD, JSON.map(json.dumps), st.text(max_size=60), st.binary(max_size=60)))
    def test_garbage_as_a_name_is_refused(self, garbage):
        client = Client()
        response = client.post("/login/", {"username": garbage, "password": PASSWORD})
        self.assert_nobody(client, response)

    @FEW
    @example("[" * 2000)  # more than the parser of JSON takes
    @given(st.one_of(ODD, JSON.map(json.dumps), st.text(max_size=60), st.binary(max_size=60)))
    def test_garbage_proves_nothing(self, garbage):
        client = self.client_of(self.root)
        self.pass_time(client)
        for url, name in (
            ("/account/confirm/", "password"),
            ("/account/confirm/passkey/", "credential"),
        ):
            response = client.post(url, {name: garbage, "next": garbage})
            self.assertIn(response.status_code, (422, 429))
        self.assertEqual(client.post("/account/factors/codes/").status_code, 302)
