"""Verification of stored passwords."""

import logging
import random
import re
import string
import time

import pytest
from django.core.exceptions import ValidationError
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mailadmin import passwords
from mailadmin.passwords import schemes
from tests.passwords.stored_hashes import (
    ABSURD,
    BOB,
    BROKEN,
    FOREIGN,
    PASSWORD,
    PUBLISHED,
    STORED,
    doveadm,
)


@pytest.mark.parametrize("stored", STORED)
def test_bob_signs_in_with_every_stored_scheme(stored):
    assert passwords.verify(PASSWORD, stored, BOB)
    assert not passwords.verify("test124", stored, BOB)
    assert not passwords.verify("Test123", stored, BOB)
    assert not passwords.verify("", stored, BOB)


@pytest.mark.parametrize(("password", "stored"), PUBLISHED)
def test_published_hashes_verify(password, stored):
    assert passwords.verify(password, stored)
    assert not passwords.verify(password + "!"[: 14 - len(password)] + "x", stored)


# of "password" and "This is a test.": correct, but unsupported by Dovecot
UNSUPPORTED = [
    ("password", "{LANMAN}e52cac67419a9a224a3b108f3fa6cb6d", "LANMAN"),
    ("password", "{NTLM}8846F7EAEE8FB117AD06BDD830B7586C", "NTLM"),
    ("password", "{RPA}2bf3023f1259b0c2f607e4302556bd72", "RPA"),
    ("password", "{md5raw}5f4dcc3b5aa765d61d8327deb882cf99", "MD5RAW"),
    ("This is a test.", "{SKEY}md4 99 TeSt c5e612776e6c237a", "SKEY"),
]


@pytest.mark.parametrize(("password", "stored", "name"), UNSUPPORTED)
def test_a_scheme_unknown_to_dovecot_is_refused(password, stored, name):
    assert not passwords.verify(password, stored, BOB)
    assert not passwords.is_verifiable(stored)
    assert passwords.find_unsupported_scheme(stored) == name


@pytest.mark.parametrize("stored", ["", "{PLAIN}x", "{SHA512.HEX}ab", "$2y$05$x", "{CRYPT}!", "x"])
def test_other_values_have_a_supported_scheme(stored):
    assert passwords.find_unsupported_scheme(stored) == ""


@pytest.mark.mailserver
def test_dovecot_has_every_scheme_of_the_table():
    ours = {scheme.prefix or name for name, scheme in schemes.SCHEMES.items()}
    assert ours <= set(doveadm("-l").stdout.split())


@pytest.mark.mailserver
def test_hashes_of_doveadm_verify_in_every_scheme():
    names = doveadm("-l").stdout.split()
    assert len(names) > 25
    for name in (name + encoding for name in names for encoding in ("", ".HEX", ".B64", ".BASE64")):
        stored = doveadm("-s", name, "-p", FOREIGN, "-u", BOB).stdout.strip()
        assert passwords.verify(FOREIGN, stored, BOB), name
        assert not passwords.verify(FOREIGN[1:], stored, BOB), name


def test_digest_md5_depends_on_the_username():
    stored = passwords.make_hash(PASSWORD, BOB, "DIGEST-MD5")
    assert not passwords.verify(PASSWORD, stored, "carol@example.com")
    assert not passwords.verify(PASSWORD, stored)
    with pytest.raises(ValidationError):
        passwords.make_hash(PASSWORD, scheme="DIGEST-MD5")


def test_a_truncated_plain_password_verifies_by_its_length():
    assert passwords.verify("test123456", "{PLAIN-TRUNC}7-test123")
    assert not passwords.verify("test123456", "{PLAIN-TRUNC}9-test123")
    assert not passwords.verify("test12", "{PLAIN-TRUNC}7-test123")


@pytest.mark.parametrize("stored", BROKEN)
def test_a_broken_hash_does_not_verify_and_is_logged(stored, caplog):
    assert not passwords.verify(PASSWORD, stored, BOB)
    assert BOB in caplog.text
    assert caplog.record_tuples[0][:2] == ("mailadmin.passwords", logging.WARNING)


@pytest.mark.parametrize("stored", [*BROKEN, *ABSURD, *STORED])
def test_the_log_contains_neither_hash_nor_password(stored, caplog):
    passwords.verify("s3cret-of-bob", stored)
    assert "s3cret" not in caplog.text
    for line in caplog.messages:
        parts = re.findall(r"[^{}$]{7,}", stored.rpartition("}")[2])
        assert not any(part in line for part in parts)


def test_a_wrong_password_is_not_logged(caplog):
    assert not passwords.verify("wrong123", passwords.make_hash(PASSWORD))
    assert not passwords.verify("wrong\0", passwords.make_hash(PASSWORD))
    assert not caplog.text


@pytest.mark.parametrize("stored", ABSURD)
def test_absurd_cost_parameters_are_refused_immediately(stored, caplog):
    start = time.perf_counter()
    assert not passwords.verify(PASSWORD, stored, BOB)
    assert time.perf_counter() - start < 0.3
    assert "a cost above the limit" in caplog.text


@pytest.mark.parametrize("name", ["YESCRYPT", "GOST-YESCRYPT", "SCRYPT", "SHA1-CRYPT", "PBKDF2"])
def test_the_most_expensive_hash_we_write_verifies(name, settings):
    settings.MAILADMIN_PASSWORD_ROUNDS = 10**9
    assert passwords.verify(PASSWORD, passwords.make_hash(PASSWORD, BOB, name), BOB)


ANYTHING = st.text(st.characters(exclude_categories=()))
LABELS = st.sampled_from([f"{{{name}{end}}}" for name in schemes.SCHEMES for end in ("", ".B64")])


@given(ANYTHING, ANYTHING | st.builds(str.__add__, LABELS, ANYTHING), ANYTHING)
@example("\ud800", "{PLAIN}x", "bob")
@example("x", "{SSHA}\ud800", "\ud800")
@example("x", "{x}", "")
@hypothesis_settings(max_examples=500, deadline=None)
def test_verifying_never_raises_for_any_text(password, stored, username):
    assert passwords.verify(password, stored, username) in (True, False)
    passwords.needs_rehash(stored)


def test_verifying_never_raises_for_damaged_hashes():
    chance = random.Random(1)  # noqa: S311 the same damage every time
    alphabet = string.printable + "äß€\udcff\0"
    labels = [f"{{{name}{end}}}" for name in schemes.SCHEMES for end in ("", ".HEX", ".B64")]
    for stored in [*STORED, *labels] * 12:
        if "argon2" in stored.lower() or "246172676f6e" in stored:
            continue  # 64 MiB each; the parameters are in ABSURD
        place, what = chance.randrange(len(stored) + 1), chance.choice(alphabet)
        damaged = stored[:place] + what * chance.choice([1, 9]) + stored[place + 1 :]
        assert passwords.verify("wrong", damaged, BOB) in (True, False)


# Values without a prefix


def test_bare_digests_are_of_the_configured_scheme(settings):
    for scheme in ("SSHA", "SHA256", "SHA512", "CRAM-MD5", "SMD5", "SHA512-CRYPT.B64", "PLAIN-MD4"):
        settings.MAILADMIN_PASSWORD_SCHEME = scheme
        settings.MAILADMIN_PASSWORD_PREFIX = "no"
        stored = passwords.make_hash(PASSWORD, BOB)
        assert "{" not in stored
        assert passwords.verify(PASSWORD, stored, BOB)
        settings.MAILADMIN_PASSWORD_SCHEME = "ARGON2ID"
        assert not passwords.verify(PASSWORD, stored, BOB)


def test_self_identifying_bare_hashes_verify_under_any_scheme(settings):
    for scheme in passwords.get_scheme_names():
        settings.MAILADMIN_PASSWORD_SCHEME = scheme
        for stored in ("wW/Vlr8TZ/TKI", "cc03e747a6afbbcbf8be7668acfebee5", STORED[48]):
            assert passwords.verify(PASSWORD, stored, BOB), (scheme, stored)


def test_bare_text_is_a_password_only_where_plain_text_is_configured(settings):
    assert not passwords.verify("secret 12", "secret 12")
    for scheme in ("PLAIN", "CLEAR", "cleartext"):
        settings.MAILADMIN_PASSWORD_SCHEME = scheme
        assert passwords.verify("secret 12", "secret 12")
        assert not passwords.verify("secret 13", "secret 12")


def test_a_hash_is_never_its_own_password(settings):
    for scheme in ("PLAIN", "CLEARTEXT", "PLAIN-TRUNC"):
        settings.MAILADMIN_PASSWORD_SCHEME = scheme
        for stored in [*STORED, *ABSURD]:
            bare = stored.rpartition("}")[2]
            assert not passwords.verify(bare, bare) or "{PLAIN" in stored or "{CLEAR" in stored
