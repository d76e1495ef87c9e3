"""OpenDKIM signs mail with the keys of the database, and verifies it by the DNS records."""

import os
import re
import subprocess

import pytest
from django.db import connection

from domains.dkim.keys import build_record_value
from domains.models import Domain
from domains.services.dkim import create_dkim_keys, create_dkim_signings, edit_dkim_signing
from mailadmin.changes.perform import Actor, perform
from mailadmin.conf import BASE_DIR
from tests.domains.dkim.dkim_world import PRIVATE_KEY
from tests.programs import command

pytestmark = [pytest.mark.mariadb, pytest.mark.mailserver]
ORG, NET = "example.org", "example.net"
MAIL = """\
From: {author}
To: carol@example.com
Subject: An offer
Date: Wed, 02 Dec 2026 10:00:00 +0100
Message-ID: <1@example.org>

Good day
"""


@pytest.fixture
def keys(transactional_db):
    """Return domain and selector → the key; two are of the same domain."""
    actor = Actor.console()
    for name in (ORG, NET):
        Domain.objects.create(pk=name)
    rows = [(ORG, "mail2025"), (ORG, "mail2026"), (NET, "default")]
    values = [{"domain_name_id": domain, "selector": selector} for domain, selector in rows]
    made = perform(actor, create_dkim_keys, values)
    return dict(zip(rows, made, strict=True))


def sign_for(author, selector):
    [signing] = perform(
        Actor.console(), create_dkim_signings, [{"author": author, "selector": selector}]
    )
    return signing


@pytest.fixture
def tables(mariadb, keys):
    """Return the documented lines, with an account that has the documented rights."""
    page = (BASE_DIR / "docs/dkim.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith(("KeyTable", "SigningTable"))]
    name, user = connection.settings_dict["NAME"], f"opendkim_{os.getpid()}"
    place = "opendkim:password@3306+localhost/postfix"
    assert len(lines) == 2 and all(place in line for line in lines)
    mariadb.execute(f"CREATE USER {user}@'%' IDENTIFIED BY 'password'")
    for grant in re.findall(r"^GRANT SELECT ON postfix\.(\w+) TO", page, re.MULTILINE):
        mariadb.execute(f"GRANT SELECT ON `{name}`.{grant} TO {user}@'%'")
    real = f"{user}:password@{mariadb.port}+127.0.0.1/{name}"
    yield "".join(f"{line.replace(place, real)}\n" for line in lines)
    mariadb.execute(f"DROP USER {user}@'%'")


def run_opendkim(folder, options, text):
    """Return what OpenDKIM reports of a mail: headers that it adds, and its verdict."""
    settings, mail = folder / "opendkim.conf", folder / "mail"
    settings.write_text(f"Syslog no\nUserID root\nRequireSafeKeys no\n{options}")
    mail.write_text(text.replace("\n", "\r\n"), newline="")
    arguments = [command("opendkim"), "-x", settings, "-t", mail, "-v"]
    result = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
    return result.stdout + result.stderr


def sign(folder, tables, author):
    """Return a mail of this author as OpenDKIM sends it on."""
    text = MAIL.format(author=author)
    output = run_opendkim(folder, f"Mode s\n{tables}", text)
    header = re.search(r"^DKIM-Signature: .*\n(?:\s.*\n)*", output, re.MULTILINE)
    return (header[0] if header else "") + text


def signer(mail):
    """Return domain and selector of the signature; None if there is none."""
    found = re.search(r"d=(\S+);\s+s=(\S+);", mail)
    return found and found.groups()


def is_verified(folder, mail, records):
    """Return whether OpenDKIM accepts the signature of a mail, with this DNS."""
    data = folder / "records"
    data.write_text("".join(f"{name} {value}\n" for name, value in records.items()))
    return ") succeeded" in run_opendkim(folder, f"Mode v\nTestDNSData {data}\n", mail)


def records_of(*keys):
    return {str(key): build_record_value(key.public_key) for key in keys}


def test_mail_of_a_domain_is_signed_and_verified_by_its_record(tmp_path, tables, keys):
    assert signer(sign(tmp_path, tables, "bob@example.org")) is None
    sign_for(ORG, "mail2025")
    mail = sign(tmp_path, tables, "Bob <bob@Example.org>")
    assert signer(mail) == (ORG, "mail2025")
    assert is_verified(tmp_path, mail, records_of(*keys.values()))
    assert not is_verified(
        tmp_path, mail.replace("Good day", "Bad day"), records_of(*keys.values())
    )
    other = {str(keys[ORG, "mail2025"]): build_record_value(keys[ORG, "mail2026"].public_key)}
    assert not is_verified(tmp_path, mail, other)
    assert signer(sign(tmp_path, tables, "bob@example.net")) is None


def test_another_key_signs_at_once_and_an_address_has_precedence(tmp_path, tables, keys):
    signing = sign_for(ORG, "mail2025")
    sign_for("bob@example.org", "mail2026")
    assert signer(sign(tmp_path, tables, "bob@example.org")) == (ORG, "mail2026")
    assert signer(sign(tmp_path, tables, "alice@example.org")) == (ORG, "mail2025")
    perform(Actor.console(), edit_dkim_signing, signing.pk, {"selector": "mail2026"})
    assert signer(sign(tmp_path, tables, "alice@example.org")) == (ORG, "mail2026")


def test_a_key_that_was_entered_signs(tmp_path, tables):
    row = {"domain_name_id": NET, "selector": "old", "private_key": PRIVATE_KEY}
    [key] = perform(Actor.console(), create_dkim_keys, [row])
    sign_for(NET, "old")
    mail = sign(tmp_path, tables, "bob@example.net")
    assert is_verified(tmp_path, mail, records_of(key))
