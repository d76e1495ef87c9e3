"""Hashes of a known password in every scheme, and Dovecot's opinion of them."""

import base64
import os
import shutil
import subprocess

from mailadmin.passwords import schemes

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
