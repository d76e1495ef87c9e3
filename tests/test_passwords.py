"""Password hashes: verification of stored ones, and compatibility with Dovecot."""

import base64
import logging
import os
import random
import re
import shutil
import string
import subprocess
import time
from pathlib import Path
from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils.translation import gettext_lazy
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mailadmin import passwords
from mailadmin.passwords import crypt3, limits, schemes

BOB = "bob@example.org"
PASSWORD = "test123"
FOREIGN = "pässwörd-пароль-€-🔑-12"

# by doveadm, libcrypt and openssl, of test123
STORED = """
{CLEARTEXT}test123
{CLEAR}test123
{PLAIN}test123
{PLAIN.B64}dGVzdDEyMw==
{PLAIN-TRUNC}7-test123
cc03e747a6afbbcbf8be7668acfebee5
CC03E747A6AFBBCBF8BE7668ACFEBEE5
{PLAIN-MD5}cc03e747a6afbbcbf8be7668acfebee5
{PLAIN-MD5}zAPnR6avu8v4vnZorP6+5Q==
{PLAIN-MD5.B64}zAPnR6avu8v4vnZorP6+5Q==
{PLAIN-MD5.BASE64}zAPnR6avu8v4vnZorP6+5Q==
{PLAIN-MD5.HEX}zAPnR6avu8v4vnZorP6+5Q==
{md5}zAPnR6avu8v4vnZorP6+5Q==
{MD5}zAPnR6avu8v4vnZorP6+5Q==
{MD5}cc03e747a6afbbcbf8be7668acfebee5
{MD5}$1$GcFH6M48$7r6zbsj5wUYu3SNdE8.Nx.
{LDAP-MD5}zAPnR6avu8v4vnZorP6+5Q==
{LDAP-MD5.HEX}cc03e747a6afbbcbf8be7668acfebee5
{SMD5}XlWtLedGTiM+t9V4kQHqTrkeOrE=
{SMD5.HEX}712b55508f42ddd61026db1861b8d36dba888ca9
{SHA}cojt0Pw//L6ToM8G41aOKFIWh7w=
{SHA1}cojt0Pw//L6ToM8G41aOKFIWh7w=
{SHA1.HEX}7288edd0fc3ffcbe93a0cf06e3568e28521687bc
{SHA1.B64}cojt0Pw//L6ToM8G41aOKFIWh7w=
{SSHA}JiJdfn38v4YkC/6UNWvc7KY9U8dttQU/
{SHA256}7NcYcNGWMxapfjrDQIyYNa2M8PPBvHA1J8MCZVNPda4=
{SHA256}ecd71870d1963316a97e3ac3408c9835ad8cf0f3c1bc703527c30265534f75ae
{SHA256.HEX}ecd71870d1963316a97e3ac3408c9835ad8cf0f3c1bc703527c30265534f75ae
{SHA512}2u9JU7l4M2XK1mFSI3IFBsxGxRZ80Wq1APpZeqCP+WTrJPsZaH8012Zfd4/LbFNY/ApbgeFmLPkPc6JnHFP5kQ==
{SSHA256}kQgqeMDg+Q+O6AVk2zS6vW5bxiRZ6rlCHGXRtqOKNOPui/bk
{SSHA512}ojFm9hTXDW939HEW5u+LXIrD7Qr+P5gcWpH/GsNpB+shdw5Na2GpYv8Ax4DiDFPGuFrU7m6MYFtB2QtbJI1iwhe0DFU=
{CRAM-MD5}8314fef5923bb513c7e8be9e663501bbc56ce1012aae68e4c68852be5ab8da76
{CRAM-MD5.B64}gxT+9ZI7tRPH6L6eZjUBu8Vs4QEqrmjkxohSvlq42nY=
{HMAC-MD5}8314fef5923bb513c7e8be9e663501bbc56ce1012aae68e4c68852be5ab8da76
{DIGEST-MD5}5e41cb4c3c2e3db4054df134aa74d1c2
{PLAIN-MD4}1b4e305b101abaded0dc949dc4ad009a
{OTP}sha1 1024 8fa208a6fcf48cd5 4c880999f71d840c
{SCRAM-SHA-1}4096,EcuC6HZ6pvocziQtc5HkRQ==,ZHGUrvukyzMq68bhF9Gc+g3FJMo=,hascalBSjJ6mzFMDr/v7sqmaq1Y=
{SCRAM-SHA-256}4096,ouZiae0hv4HsN8chJeUdiw==,IWw8OMjR6LO9KiyrtPIjd+4f8Ukc6u06GN6EfkkPOFM=,mekcf6vYb81Zi5OD6u/nNxA08FFi2oxN3UpImjUrIcw=
{PBKDF2}$1$GmPGcAQ0L0prr3vE$5000$84ba95e9fdd224393a29755e2d7f2dcda6ab5e9f
{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$R9aG3+bK9xEsE8W45Njl0g$/6H1yE1iJOKpNvqR85FpminaTcRSghpeal8r7NQKlII
{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$qQwtpreTneObxQgRLXNFHQ$m93ncyf0VVhA2iWn2VHDgTP/nxmuCp0w5u4NnnecVSg
$argon2id$v=19$m=65536,t=3,p=1$qQwtpreTneObxQgRLXNFHQ$m93ncyf0VVhA2iWn2VHDgTP/nxmuCp0w5u4NnnecVSg
{ARGON2I.HEX}246172676f6e326924763d3139246d3d33323736382c743d342c703d31246e6338656f372b564f4375633339745647514d6c385124545778356a4a61773539456144417a4b764a7877464f6c42666a6e694d4b67724a4262747a324f36774f45
{DES-CRYPT}wW/Vlr8TZ/TKI
{crypt}wW/Vlr8TZ/TKI
wW/Vlr8TZ/TKI
$1$abcdefgh$FuRpVTqE/Onxax.jDI2aR/
$1$abcdefgh$FuRpVTqE/Onxax.jDI2aR/$ignored
{MD5-CRYPT}$1$yJL0om5E$6czv2XzwH8/JTSNxK4tQ.1
{CRYPT}$1$abcdefgh$FuRpVTqE/Onxax.jDI2aR/
$apr1$abcdefgh$tbBaQr8bvJpOyzoypIHIO0
$2y$05$AdYF8HUWITWAfGxFNNRxSeDca9nz8/h11AcXUZta7uDhxfTE59os2
$2a$04$abcdefghijklmnopqrstuuY7PturneRu55TuQb1Ei51BTRdrR8N56
$2b$04$abcdefghijklmnopqrstuuY7PturneRu55TuQb1Ei51BTRdrR8N56
$2x$04$abcdefghijklmnopqrstuuY7PturneRu55TuQb1Ei51BTRdrR8N56
{CRYPT}$2y$05$MbwpTLnIee.OjBqIp6L9UuTa3AF89CG73ZYRA8QCXE/ItQgvfnjLO
{BLF-CRYPT}$2y$05$AdYF8HUWITWAfGxFNNRxSeDca9nz8/h11AcXUZta7uDhxfTE59os2
{BLF-CRYPT.B64}JDJ5JDA1JEdaRGJsZWcxUVQ4Vy5TUFVuTU9WV2VEeVVFUGlqNmd2eXZRakNjL1Rldnp0Mi9GSTJvWWNH
$5$rounds=1000$saltsalt$kgrqFCVcWSTeHY6FrsfkG4XPV7GmSCTwEId5WqnBNeA
{SHA256-CRYPT}$5$jqC1Ph67b5TJLU94$m5ylyLFTrTXVqVY17lNBD8f/mfi/VSS87dZJL6mHyCC
{SHA256-CRYPT.HEX}24352431364757392e6b6c4e75724231506379244172726b68534f31576d6536742e414347357a516f4c5233414d4149753141653938305a69446446756d42
$6$ab+c_d~e$H4xhqo4UxYIFT23gnk6VnSIBoLwlHsDs1/2z6VKbFNUyjdx7mAKqn16CvMgkx7Bq/gv.Dm9ZO6e7f6wjzhjuh.
{sha512-crypt}$6$1EpS3vKI7sVplMhL$vfKsJK4vSEbO/ZP.VAt6pWLL3Khzv0ZsCQDrwWPkh.BNCyxZ.JQa462lNZpXc80QNJJO1OZ7SUKUpoQ9PZ3Db/
{BLF-CRYPT}$6$1EpS3vKI7sVplMhL$vfKsJK4vSEbO/ZP.VAt6pWLL3Khzv0ZsCQDrwWPkh.BNCyxZ.JQa462lNZpXc80QNJJO1OZ7SUKUpoQ9PZ3Db/
{SHA512-CRYPT.B64}JDYkN0pxcmo4ZldUMG9HSVM1SyRKbC5qeERtcWhyQS5VQTAyc1JSZWN4QWVuUjEwTmR6VktXcHBJYi5BTHdrTkJWcnBGTUJidThoZUtBMHhTNEhXTnFRWlhjNUl5MUdYRU1SMWpnbU1tLg==
{SHA512-CRYPT.B64}$6$1EpS3vKI7sVplMhL$vfKsJK4vSEbO/ZP.VAt6pWLL3Khzv0ZsCQDrwWPkh.BNCyxZ.JQa462lNZpXc80QNJJO1OZ7SUKUpoQ9PZ3Db/
$y$j75$GpXOASz99hQJcOKWsSSxx.$8NVg5YuO2FAMGrtl2Q/ZHKX8oFdY/ZcS9hjkc0Is/.3
{CRYPT}$y$j75$GpXOASz99hQJcOKWsSSxx.$8NVg5YuO2FAMGrtl2Q/ZHKX8oFdY/ZcS9hjkc0Is/.3
$gy$j75$GpXOASz99hQJcOKWsSSxx.$D3txdC26AC.HwQ62PdGbqLI4EXcK8LLzqX.piNdaQU6
$md5$LAS/K6Gi$$U1gMV5AcyhwLfQibhqrEG.
$md5,rounds=10$LAS/K6Gi$$y/4hOiZNzx94wVyzjUDeb.
$sha1$1000$7G8lTugpwALIOkFWXaaB$4b0dt.m9DniqZBuCRTx1E8EMYuk/
$3$$c5a237b7e9d8e708d8436b6148a25fa1
_J9..i1ngx7Fc5O6M.l2
""".strip().splitlines()

# published hashes of other passwords
PUBLISHED = [
    ("This is a test.", "{OTP}md5 99 TeSt 50fe1962c4965880"),
    ("This is a test.", "{OTP}sha1 99 TeSt 87fec7768b73ccf9"),
    ("pleaseletmein", "$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D"),
    (
        "пароль-ß-€",
        "$6$P7iVliMFa6Y1tScF$yA.QN9SJpLpxng3MZt7nbsN5Yk7kW/WTR7iPEBT8wJA0Kv1cCe.a4XUkN7GYyhwglo9an18C"
        "7L1jbWbGR65ND1",
    ),
]

ABSURD = [
    "$2y$17$" + "a" * 53,
    "{BLF-CRYPT}$2y$31$" + "a" * 53,
    "$2x$31$" + "a" * 53,
    "$5$rounds=999999999$salt$" + "a" * 43,
    "$6$rounds=999999999$salt$" + "a" * 86,
    "{SHA512-CRYPT}$6$rounds=9999999999$salt$" + "a" * 86,
    "{SHA512-CRYPT.B64}" + base64.b64encode(b"$6$rounds=99999999$a$" + b"a" * 86).decode(),
    "{ARGON2ID}$argon2id$v=19$m=8388608,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43,
    "$argon2id$v=19$m=65536,t=99999,p=1$c2FsdHNhbHQ$" + "A" * 43,
    "$argon2i$v=19$m=65536,t=1,p=4000$c2FsdHNhbHQ$" + "A" * 43,
    "{PBKDF2}$1$salt$2147483647$" + "a" * 40,
    "{SCRAM-SHA-1}2147483647,c2FsdA==,c2FsdA==,c2FsdA==",
    "{SCRAM-SHA-256}999999999,c2FsdA==,c2FsdA==,c2FsdA==",
    "$y$jFT$saltsaltsaltsaltsalt/.$" + "a" * 43,
    "$y$jjj$saltsaltsaltsaltsalt/.$" + "a" * 43,
    "$gy$jFT$saltsaltsaltsaltsalt/.$" + "a" * 43,
    "$7$TU..../....salt$" + "a" * 43,
    "$7$CU....zzzzzsalt$" + "a" * 43,
    "$sha1$999999999$salt$" + "a" * 28,
    "$md5,rounds=999999999$salt$$" + "a" * 22,
    "_zzzzsalt" + "a" * 11,
    "{OTP}sha1 999999999 seed 4c880999f71d840c",
]

BROKEN = [
    "",
    "{}",
    "{",
    "{UNKNOWN}abc",
    "{SHA256.BASE32}abc",
    "{PLAIN}",
    "{CRYPT}",
    "{CRYPT}*0",
    "*0",
    "!",
    "x",
    "{SSHA}",
    "{SSHA}!!!",
    "{SSHA512}not base64 at all",
    "{SSHA}cojt0Pw//L6ToM8G41aOKFIWh7w=",
    "{SHA}abcd",
    "{PBKDF2}$1$salt$0$" + "a" * 40,
    "{PBKDF2}abc",
    "{SCRAM-SHA-1}1,2,3",
    "{SCRAM-SHA-1}4096,?,?,?",
    "{ARGON2ID}$argon2id$",
    "{ARGON2ID}$argon2id$v=19$m=1,t=0,p=0$c2FsdHNhbHQ$aaaa",
    "{ARGON2ID}$argon2id$v=99$m=64,t=1,p=1$c2FsdHNhbHQ$aaaa",
    "{BLF-CRYPT}$2y$10$short",
    "$2y$02$" + "a" * 53,
    "$5$rounds=1$salt$" + "a" * 43,
    "{DIGEST-MD5}zz",
    "{MD5}zz",
    "$unknown$abc",
    "$y$j9T2zzzz$saltsaltsaltsaltsalt/.$" + "a" * 43,
    "{OTP}sha1 10",
    "{PLAIN-TRUNC}4-",
    "\udcff",
    "{PLAIN}\udcff",
    "{CRYPT}\udcff",
    "\0",
    "{CRYPT}\0" + "a" * 12,
]


@pytest.fixture(autouse=True)
def cheap_hashes(settings):
    settings.MAILADMIN_PASSWORD_SCHEME = "BLF-CRYPT"
    settings.MAILADMIN_PASSWORD_PREFIX = "auto"
    settings.MAILADMIN_PASSWORD_ROUNDS = 1


def doveadm(*arguments):
    """Run `doveadm pw` without any configuration of the machine."""
    path = shutil.which("doveadm", path=f"{os.environ['PATH']}:/usr/bin:/usr/sbin")
    assert path, "these tests need doveadm (Debian: dovecot-core)"
    return subprocess.run(
        [path, "-O", "pw", *arguments], capture_output=True, text=True, timeout=30, check=False
    )


def dovecot_accepts(password, stored, username=BOB):
    return doveadm("-t", stored, "-p", password, "-u", username).returncode == 0


def prefixed(stored, name):
    """Add the prefix of the scheme for doveadm, which has no default scheme."""
    return stored if stored.startswith("{") else schemes.find_scheme(name).prefix + stored


def messages(error):
    return " ".join(error.value.messages)


# Reading


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


# Writing


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


# Long passwords, odd ones


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


# Rules


def test_all_broken_rules_are_reported_together():
    with pytest.raises(ValidationError) as error:
        passwords.validate_password("ab")
    assert "5 characters" in messages(error)
    assert "3 letters" in messages(error)
    assert "2 digits" in messages(error)
    passwords.validate_password("abc12")


def test_rules_are_described_beforehand(settings):
    assert len(passwords.describe_rules()) == 4
    assert all(type(rule) is str for rule in passwords.describe_rules())
    assert "72 bytes" in passwords.describe_rules()[-1]
    settings.MAILADMIN_PASSWORD_SCHEME = "ARGON2ID"
    assert len(passwords.describe_rules()) == 3


def test_validation_refuses_nul_and_too_long_passwords_for_bcrypt(settings):
    for password, text in (("abc123\0", "NUL"), ("abc123" * 13, "72 bytes")):
        with pytest.raises(ValidationError) as error:
            passwords.validate_password(password)
        assert text in messages(error)
    settings.MAILADMIN_PASSWORD_SCHEME = "SHA512-CRYPT"
    passwords.validate_password("abc123" * 13)


def test_rules_are_read_from_the_settings(settings):
    settings.MAILADMIN_PASSWORD_RULES = ((r"[-+=%]", gettext_lazy("A special character.")),)
    assert passwords.describe_rules()[0] == "A special character."
    with pytest.raises(ValidationError):
        passwords.validate_password("abc12345")
    passwords.validate_password("-")


def test_generated_passwords_follow_the_rules_without_ambiguous_characters(settings):
    generated = {passwords.generate_password() for _n in range(300)}
    assert len(generated) == 300
    for password in generated:
        passwords.validate_password(password)
        assert len(password) == 14
        assert not set(password) & set("0Oo1lI")
    settings.MAILADMIN_PASSWORD_RULES = ((r".{20}", "20"), (r"[-+=%]", "special"))
    passwords.validate_password(passwords.generate_password())
    passwords.validate_password(passwords.generate_password(1))


def test_rules_that_cannot_be_satisfied_are_reported(settings):
    settings.MAILADMIN_PASSWORD_RULES = (("(?!)", "impossible"),)
    with pytest.raises(ImproperlyConfigured, match="MAILADMIN_PASSWORD_RULES"):
        passwords.generate_password()


# The code


def test_maximum_costs_are_as_documented():
    assert limits.MAX_BCRYPT_COST == 16
    assert limits.MAX_MEMORY == 256 * 1024 * 1024


def test_secrets_are_compared_in_constant_time():
    source = Path(passwords.__file__).parent
    assert "compare_digest" in (source / "crypt3.py").read_text()
    for path in source.glob("*.py"):
        assert not re.search(r"made == |== made|== stored\b|== wanted", path.read_text())
