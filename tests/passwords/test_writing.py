"""New hashes, and stored ones that need an update."""

from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError

from mailadmin import passwords
from tests.passwords.stored_hashes import (
    BOB,
    BROKEN,
    FOREIGN,
    PASSWORD,
    STORED,
    doveadm,
    dovecot_accepts,
    prefixed,
)


@pytest.mark.mailserver
@pytest.mark.parametrize("name", passwords.get_scheme_names())
@pytest.mark.parametrize("encoding", ["", ".HEX", ".B64"])
def test_dovecot_verifies_what_we_write(name, encoding, settings):
    settings.MAILADMIN_PASSWORD_SCHEME = name + encoding
    for password in (PASSWORD, FOREIGN, "0123456789" * 7):
        stored = passwords.make_hash(password, BOB)
        assert passwords.verify(password, stored, BOB)
        assert not passwords.verify(password[1:], stored, BOB)
        assert dovecot_accepts(password, prefixed(stored, name + encoding))
        assert not dovecot_accepts(password[1:], prefixed(stored, name + encoding))


@pytest.mark.mailserver
def test_every_scheme_listed_by_dovecot_is_known():
    assert set(doveadm("-l").stdout.split()) <= set(passwords.get_scheme_names())


def test_two_hashes_of_one_password_differ():
    salted = [name for name in passwords.get_scheme_names() if "CRYPT" in name or "SSHA" in name]
    for name in [*salted, "SMD5", "ARGON2ID", "PBKDF2", "SCRAM-SHA-256", "OTP"]:
        assert passwords.make_hash(PASSWORD, BOB, name) != passwords.make_hash(PASSWORD, BOB, name)


@pytest.mark.parametrize(
    ("scheme", "auto", "yes", "no"),
    [
        ("BLF-CRYPT", "$2y$", "{BLF-CRYPT}$2y$", "$2y$"),
        ("CRYPT", "$2y$", "{CRYPT}$2y$", "$2y$"),
        ("SHA512-CRYPT", "$6$", "{SHA512-CRYPT}$6$", "$6$"),
        ("YESCRYPT", "$y$", "{CRYPT}$y$", "$y$"),
        ("MD5", "$1$", "{MD5}$1$", "$1$"),
        ("SHA512-CRYPT.B64", "{SHA512-CRYPT.B64}", "{SHA512-CRYPT.B64}", "JDYk"),
        ("SHA256.base64", "{SHA256.B64}", "{SHA256.B64}", "7NcY"),
        ("DES-CRYPT", "{DES-CRYPT}", "{DES-CRYPT}", ""),
        ("ARGON2ID", "{ARGON2ID}$argon2id$", "{ARGON2ID}$argon2id$", "$argon2id$"),
        ("SSHA", "{SSHA}", "{SSHA}", ""),
        ("CRAM-MD5", "{CRAM-MD5}", "{CRAM-MD5}", "8314"),
        ("PLAIN", "{PLAIN}test123", "{PLAIN}test123", "test123"),
        # bare, Dovecot takes any $1$ for MD5-CRYPT
        ("PBKDF2", "{PBKDF2}$1$", "{PBKDF2}$1$", "{PBKDF2}$1$"),
    ],
)
def test_stored_values_have_prefixes(scheme, auto, yes, no, settings):
    settings.MAILADMIN_PASSWORD_SCHEME = scheme
    for settings.MAILADMIN_PASSWORD_PREFIX, start in (("auto", auto), ("yes", yes), ("no", no)):
        stored = passwords.make_hash(PASSWORD, BOB)
        assert stored.startswith(start)
        assert stored.startswith("{") == start.startswith("{")
        assert passwords.verify(PASSWORD, stored, BOB)
        assert not passwords.needs_rehash(stored)


@pytest.mark.parametrize(
    "password",
    ["{PLAIN}x", "{CLEAR}secret", "$1$salt$x", "cc03e747a6afbbcbf8be7668acfebee5", "a1b2c3d4e5f6g"],
)
def test_plain_text_that_looks_like_a_hash_gets_its_prefix(password, settings):
    settings.MAILADMIN_PASSWORD_SCHEME = "PLAIN"
    settings.MAILADMIN_PASSWORD_PREFIX = "no"
    assert passwords.make_hash(password) == "{PLAIN}" + password
    assert passwords.verify(password, passwords.make_hash(password))


def test_bare_values_of_another_scheme_get_a_prefix(settings):
    settings.MAILADMIN_PASSWORD_PREFIX = "no"
    assert passwords.make_hash(PASSWORD, scheme="SSHA").startswith("{SSHA}")
    assert passwords.make_hash(PASSWORD, scheme="SHA512-CRYPT").startswith("$6$")


@pytest.mark.parametrize(
    ("spelling", "start"),
    [
        ("php_crypt", "$2y$04$"),
        ("PHP_CRYPT:BLOWFISH", "$2y$04$"),
        ("php_crypt:SHA512", "$6$"),
        ("php_crypt:sha256", "$5$"),
        ("php_crypt:MD5", "$1$"),
        ("php_crypt:DES", "{DES-CRYPT}"),
        ("md5crypt", "$1$"),
        ("system", "{DES-CRYPT}"),
        ("cleartext", "{CLEARTEXT}"),
        ("dovecot:SHA512-CRYPT", "$6$"),
        ("Dovecot:cram-md5", "{CRAM-MD5}"),
        ("courier:ssha", "{SSHA}"),
        ("SHA1.hex", "{SHA1.HEX}"),
    ],
)
def test_postfixadmins_scheme_names_are_accepted(spelling, start, settings):
    settings.MAILADMIN_PASSWORD_SCHEME = spelling
    assert passwords.is_known_scheme(spelling)
    assert passwords.make_hash(PASSWORD, BOB).startswith(start)


def test_a_cost_in_postfixadmins_format_is_accepted(settings):
    settings.MAILADMIN_PASSWORD_ROUNDS = None
    assert passwords.make_hash(PASSWORD, scheme="php_crypt:BLOWFISH:5").startswith("$2y$05$")
    assert passwords.make_hash(PASSWORD, scheme="php_crypt:SHA512:7000").startswith(
        "$6$rounds=7000$"
    )
    assert passwords.make_hash(PASSWORD).startswith("$2y$10$")


@pytest.mark.parametrize(
    "name",
    ["", "nonsense", "NTLM", "MD5RAW", "SSHA.BASE32", "php_crypt:BLOWFISH:31", "mysql_encrypt"],
)
def test_unknown_schemes_are_refused(name, settings):
    assert not passwords.is_known_scheme(name)
    with pytest.raises(ValidationError):
        passwords.make_hash(PASSWORD, scheme=name)
    settings.MAILADMIN_PASSWORD_SCHEME = name
    with pytest.raises(ImproperlyConfigured, match="MAILADMIN_PASSWORD_SCHEME"):
        passwords.make_hash(PASSWORD)
    assert passwords.verify(PASSWORD, "cc03e747a6afbbcbf8be7668acfebee5")


# needs_update, spend


@pytest.mark.parametrize(
    ("scheme", "prefix", "current", "old"),
    [
        ("BLF-CRYPT", "auto", "$2y$05$", "{BLF-CRYPT}$2y$05$"),
        ("BLF-CRYPT", "yes", "{BLF-CRYPT}$2y$05$", "$2y$05$"),
        ("php_crypt", "auto", "$2y$05$", "{CRYPT}$2y$05$"),
        ("CRYPT", "auto", "$2y$05$", "{CRYPT}$2y$05$"),
    ],
)
def test_another_prefix_needs_an_update(scheme, prefix, current, old, settings):
    settings.MAILADMIN_PASSWORD_SCHEME = scheme
    settings.MAILADMIN_PASSWORD_PREFIX = prefix
    assert not passwords.needs_rehash(current + "a" * 53)
    assert passwords.needs_rehash(old + "a" * 53)


@pytest.mark.parametrize("stored", [s for s in STORED if "$2y$" not in s and "$2b$" not in s])
def test_another_scheme_needs_an_update(stored):
    assert passwords.needs_rehash(stored) != stored.startswith(("$2a$", "$2b$"))


@pytest.mark.parametrize("stored", [stored for stored in BROKEN if not stored.startswith("$2y$")])
def test_a_broken_hash_needs_an_update(stored):
    assert passwords.needs_rehash(stored)


@pytest.mark.parametrize("name", passwords.get_scheme_names())
def test_a_new_hash_needs_no_update(name, settings):
    settings.MAILADMIN_PASSWORD_SCHEME = name
    for settings.MAILADMIN_PASSWORD_PREFIX in ("auto", "yes", "no"):
        assert not passwords.needs_rehash(passwords.make_hash(PASSWORD, BOB))


@pytest.mark.parametrize("scheme", ["BLF-CRYPT", "SHA512-CRYPT", "ARGON2ID", "PBKDF2"])
def test_simulated_verification_uses_the_configured_scheme_and_cost(settings, scheme):
    settings.MAILADMIN_PASSWORD_PREFIX = "yes"
    settings.MAILADMIN_PASSWORD_SCHEME = scheme
    real = passwords.make_hash(PASSWORD)
    with mock.patch.object(passwords, "verify") as verify:
        passwords.simulate_verify("other")
    password, decoy, _name = verify.call_args.args
    assert password == "other"
    assert parameters(decoy) == parameters(real)
    assert not passwords.verify("other", decoy)


def parameters(stored):
    """Scheme and cost: what stands before the salt."""
    return [part for part in stored.split("$")[:4] if len(part) < 16]


def test_simulated_verification_logs_nothing_and_accepts_any_password(caplog, settings):
    for name in passwords.get_scheme_names():
        settings.MAILADMIN_PASSWORD_SCHEME = name
        for password in ("", PASSWORD, "x" * 10_000, "\0", "\ud83d"):
            passwords.simulate_verify(password)
    assert not caplog.text
