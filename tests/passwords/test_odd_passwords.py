"""Long passwords, odd ones, and the C library."""

import os
import subprocess

import pytest
from django.core.exceptions import ValidationError

from mailadmin import passwords
from mailadmin.passwords import crypt3
from tests.passwords.stored_hashes import (
    BOB,
    FOREIGN,
    PASSWORD,
    STORED,
    doveadm,
    dovecot_accepts,
    messages,
)


@pytest.mark.mailserver
@pytest.mark.parametrize("length", [71, 72, 73, 200, 511, 512, 1000])
@pytest.mark.parametrize("name", ["BLF-CRYPT", "SHA512-CRYPT", "MD5-CRYPT", "SSHA512", "CRAM-MD5"])
def test_long_passwords_verify_where_dovecot_accepts_them(name, length):
    password = ("1é" * length)[:length]
    stored = doveadm("-s", name, "-p", password).stdout.strip()
    assert passwords.verify(password, stored) == dovecot_accepts(password, stored)


@pytest.mark.mailserver
def test_bcrypt_looks_at_72_bytes_and_refuses_to_store_more():
    stored = passwords.make_hash("1" * 72)
    assert passwords.verify("1" * 72 + "more", stored)
    assert dovecot_accepts("1" * 72 + "more", "{BLF-CRYPT}" + stored)
    assert not passwords.verify("1" * 71, stored)
    for password in ("1" * 73, "é" * 37):
        with pytest.raises(ValidationError) as error:
            passwords.make_hash(password)
        assert "72 bytes" in messages(error)


def test_no_scheme_stores_what_it_cannot_verify():
    assert passwords.make_hash("1" * 511, scheme="SHA512-CRYPT")
    for name in passwords.get_scheme_names():
        for length in (511, 512, 4096, 4097):
            try:
                stored = passwords.make_hash("1" * length, BOB, name)
            except ValidationError:
                continue
            assert len(stored) <= 255
            assert passwords.verify("1" * length, stored, BOB), (name, length)


@pytest.mark.parametrize("name", passwords.get_scheme_names())
def test_nul_is_refused_and_never_verifies(name):
    with pytest.raises(ValidationError) as error:
        passwords.make_hash("test\x00123", BOB, name)
    assert "NUL" in messages(error)
    assert not passwords.verify("test123\0", passwords.make_hash(PASSWORD, BOB, name), BOB)
    assert not passwords.verify("test123\0x", "{PLAIN}test123\0x", BOB)


def test_half_a_surrogate_pair_is_refused_and_never_verifies():
    assert not passwords.verify("test123\ud83d", passwords.make_hash(PASSWORD))
    with pytest.raises(ValidationError):
        passwords.make_hash("test123\ud83d")


# The C library


def test_without_the_c_library_only_yescrypt_fails(monkeypatch, caplog):
    monkeypatch.setattr(crypt3, "load_libcrypt", lambda: None)
    needs_it = ("$y$", "$gy$", "$7$", "$md5", "$sha1", "$2x", "$3$", "_", "{CRYPT}$y$")
    # other salts than its own passlib does not take
    for stored in (stored for stored in STORED if "ab+c_d~e" not in stored):
        assert passwords.verify(PASSWORD, stored, BOB) != stored.startswith(needs_it), stored
    assert "YESCRYPT" in caplog.text
    with pytest.raises(ValidationError):
        passwords.make_hash(PASSWORD, scheme="YESCRYPT")


def test_non_ascii_bcrypt_of_all_versions_verifies():
    for version in (b"2a", b"2b", b"2x", b"2y"):
        setting = b"$%s$04$abcdefghijklmnopqrstuu" % version
        stored = crypt3.crypt_r(FOREIGN.encode(), setting).decode()
        assert passwords.verify(FOREIGN, stored)
        assert not passwords.verify(PASSWORD, stored)


def test_no_process_is_started(monkeypatch):
    def forbidden(*arguments, **options):
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", forbidden)
    monkeypatch.setattr(os, "posix_spawn", forbidden)
    crypt3.load_libcrypt.cache_clear()
    for name in passwords.get_scheme_names():
        assert passwords.verify(PASSWORD, passwords.make_hash(PASSWORD, BOB, name), BOB)
