"""Reading databases of domains, forwardings, users and transport; passwords of all systems."""

import hashlib

import pytest

from mailadmin import passwords
from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.readers import open_tables
from mailboxes.transfer.readers.hashes import DOVECOT_HEX_SCHEMES, convert_password
from tests import mailservers
from tests.mailboxes.transfer.reading import SAMPLES, Read, changed, copied

SAMPLE = SAMPLES / "forwardings.sql"


@pytest.fixture
def sample(tmp_path):
    return copied("forwardings.sql", tmp_path)


def with_row(sample, start, row):
    return changed(sample, f"{start} VALUES\n", f"{start} VALUES\n{row},\n")


FORWARDINGS = "`forwardings` (`source`, `destination`)"


def test_kinds_are_read_in_order_of_dependency():
    read = Read("forwardings", SAMPLE)
    assert read.kinds == ["domain", "mailbox", "alias", "alias-domain", "transport"]
    assert not any(entry.error for entry in read.entries)
    assert read.of("mailbox")[0].place == "users, billing@anotherdomain.com"


def test_quotas_are_bytes_and_maildirs_are_kept():
    mailboxes = Read("forwardings", SAMPLE).values("mailbox", "username")
    assert mailboxes["info@exemple.com"]["quota_bytes"] == "10485760"
    assert mailboxes["sales@example.com"]["quota_bytes"] == "0"
    assert mailboxes["sales@example.com"]["maildir"] == "example.com/sales/"


def test_every_hash_still_verifies_and_missing_ones_stay_missing():
    hashes = Read("forwardings", SAMPLE).column("mailbox", "username", "password_hash")
    without = {"joe@example.com", "thomas@example.com"}
    assert {address for address, stored in hashes.items() if stored is None} == without
    for address in hashes.keys() - without:
        assert passwords.verify("secret", hashes[address], address), address
        assert not passwords.verify("Secret", hashes[address], address)
    assert hashes["sales@example.com"].startswith("{SHA512.HEX}")
    assert hashes["info@exemple.com"] == "No9.E4skNvGa."


def test_forwardings_are_aliases_and_a_whole_domain_is_an_alias_domain():
    read = Read("forwardings", SAMPLE)
    assert read.goto() == {
        "@example.com": ["thomas@example.com"],
        "@partial.example": ["@anotherdomain.com"],
        "boss@partial.example": ["sales@example.com"],
        "info@example.com": ["sales@example.com"],
        "info@example.org": ["sales@example.com", "billing@anotherdomain.com"],
        "sales@example.com": ["sales@example.com", "thomas@example.com"],
        "source@exemple.com": ["destination@exemple.com"],
    }
    assert read.values("alias-domain", "alias_domain") == {
        "example.net": {"target_domain": "anotherdomain.com", "active": "1"}
    }


@pytest.mark.parametrize(
    "row",
    [
        "('@example.org','@anotherdomain.com')",  # it has another alias
        "('@exemple.com','@anotherdomain.com')",  # it has mailboxes
        "('@anotherdomain.com','@example.com')",  # it is itself a target
        "('@unknown.example','@anotherdomain.com')",  # it is not a domain
        "('@alone.example','@unknown.example')",  # its target is not a domain
        "('@alone.example','@anotherdomain.com, @example.com')",  # it has two targets
        "('@alone.example','@alone.example')",  # it is its own
        "('@alone.example','@example.net')",  # its target is an alias domain
    ],
)
def test_forwardings_that_are_not_an_alias_domain_are_kept(sample, row):
    with_row(sample, FORWARDINGS, row)
    changed(sample, "('example.com'),", "('example.com'),\n('alone.example'),")
    read = Read("forwardings", sample)
    source = row[2:].partition("'")[0]
    assert source in read.goto()
    assert source[1:] not in read.values("alias-domain", "alias_domain")


def test_alias_domains_are_the_same_in_any_case(sample):
    changed(
        sample, "('@example.net', '@anotherdomain.com')", "('@Example.NET', '@AnotherDomain.com')"
    )
    assert Read("forwardings", sample).column("alias-domain", "alias_domain", "target_domain") == {
        "example.net": "anotherdomain.com"
    }


def test_every_transport_is_imported_unchanged():
    read = Read("forwardings", SAMPLE)
    assert read.column("transport", "pattern", "transport") == {
        "*": "smtp:mail.anotherdomain.com",
        ".example.com": "smtp:mail.anotherdomain.com",
        "anotherdomain.com": ":",
        "example.com": ":",
        "host1.example.com": "smtp:[1.2.3.4]",
        "host2.example.com": "smtp:mail.anotherdomain.com",
        "host3.example.com": "smtp:mail.anotherdomain.com:2025",
        "host4.example.com": "smtp:[1.2.3.4]:2025",
        "host5.example.com": "smtp:[mail.anotherdomain.tld]",
        "joe@example.com": "smtp:mail.anotherdomain.com",
    }


def test_a_domain_keeps_its_own_transport_for_postfixadmins_maps(sample):
    changed(
        sample,
        "('example.com', ':'),",
        "('Example.COM', 'smtp:[10.0.0.1]:2525'),\n('exemple.com', 'no:such thing\nx'),",
    )
    read = Read("forwardings", sample)
    assert read.values("domain", "domain")["example.com"] == {"transport": "smtp:[10.0.0.1]:2525"}
    assert read.values("domain", "domain")["exemple.com"] == {}
    assert read.values("domain", "domain")["anotherdomain.com"] == {}
    assert read.column("transport", "pattern", "transport")["Example.COM"]


def test_only_the_transport_table_is_optional(sample):
    text = sample.read_text()
    sample.write_text(
        text.replace("`transport` (", "`trans` (").replace("TABLE `transport`", "TABLE `trans`")
    )
    assert "transport" not in Read("forwardings", sample).kinds
    sample.write_text(text.replace("`forwardings`", "`others`"))
    with pytest.raises(SourceError, match="the table forwardings is missing"):
        Read("forwardings", sample)


def test_60_000_mailboxes_are_read_in_order_and_joined_with_their_forwardings(tmp_path):
    """A join without an index would take forever."""
    number, path = 60_000, tmp_path / "dump.sql"
    with path.open("w") as file:
        file.write("CREATE TABLE domains (domain text);INSERT INTO domains VALUES ('example.org');")
        file.write("CREATE TABLE users (email text, password text);INSERT INTO users VALUES ")
        file.write(",".join(f"('u{n}@example.org','No9.E4skNvGa.')" for n in range(number)) + ";")
        file.write("CREATE TABLE forwardings (source text, destination text);")
        file.write("INSERT INTO forwardings VALUES ")
        both = "('u{0}@example.org','u{0}@example.org'),('a{0}@example.org','u{0}@example.org')"
        file.write(",".join(both.format(n) for n in range(number)) + ";")
    with open_tables(path, lambda table: True) as tables:
        assert tables.count_rows("forwardings") == 2 * number
    read = Read("forwardings", path)
    assert len(read.of("mailbox")) == len(read.of("alias")) == number


# Passwords of all systems

SECRET = b"secret"


@pytest.mark.parametrize(
    ("text", "scheme", "stored"),
    [
        (hashlib.sha512(SECRET).hexdigest(), "", "{SHA512.HEX}"),
        (hashlib.sha256(SECRET).hexdigest(), "", "{SHA256.HEX}"),
        (hashlib.sha1(SECRET, usedforsecurity=False).hexdigest().upper(), "", "{SHA1.HEX}"),
        (hashlib.md5(SECRET, usedforsecurity=False).hexdigest(), "", "{PLAIN-MD5}"),
        (hashlib.sha256(SECRET).hexdigest(), "sha256.hex", "{SHA256.HEX}"),
        ("5en6G6MezRroT3XKqkdPOmY/BfQ=", "SHA1", "{SHA1}"),
        ("secret", "PLAIN", "{PLAIN}"),
        ("No9.E4skNvGa.", "", ""),
        ("No9.E4skNvGa.", "CRYPT", ""),
        ("$1$oldsaltx$tG3ueS4roGt2pl7RMNQhG/", "CRAM-MD5", ""),
        ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "CRAM-MD5", ""),
    ],
)
def test_a_hash_without_a_scheme_gets_its_prefix(text, scheme, stored):
    found, _remark = convert_password(text, scheme)
    assert found == stored + text
    assert passwords.verify("secret", found)


def test_64_digits_of_postfixadmin_are_dovecots_cram_md5():
    digits = "cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56"
    found, remark = convert_password(digits, "", DOVECOT_HEX_SCHEMES)
    assert found == "{CRAM-MD5}" + digits
    assert "CRAM-MD5" in remark
    assert passwords.verify("secret", found)


def test_thirteen_characters_are_a_plain_password_if_passwords_are_plain():
    assert convert_password("hunter2hunter", "PLAIN") == ("{PLAIN}hunter2hunter", "")


@pytest.mark.parametrize("text", [None, "", "!", "*", "!!", "*LK*", "!$6$salt$locked"])
def test_unusable_values_are_not_imported_as_passwords(text):
    assert convert_password(text) == (None, "")
    assert convert_password(text, "PLAIN") == (None, "")


def test_possible_plain_passwords_are_neither_stored_nor_shown():
    found, remark = convert_password("hunter2")
    assert found is None
    assert "select the default scheme" in remark
    assert "hunter2" not in remark


def test_a_scheme_of_old_dovecot_only_is_kept_and_reported():
    found, remark = convert_password("{ROT13}frperg")
    assert found == "{ROT13}frperg"
    assert "cannot verify" in remark


@pytest.mark.mailserver
@mailservers.needs_root
def test_dovecot_accepts_all_stored_passwords(transactional_db, request, subtests):
    """With the panel's configuration, in which bare hashes are those of crypt(3)."""
    from tests.mailboxes.delivery.sending import domain, mailbox, opens_imap

    hashes = Read("forwardings", SAMPLE).column("mailbox", "username", "password_hash")
    hashes["cram@exemple.com"] = Read("postfixadmin", SAMPLES / "postfixadmin-cram.sql").column(
        "mailbox", "username", "password_hash"
    )["admin@magazin.com"]
    for name in {address.partition("@")[2] for address in hashes}:
        domain(name)
    for address, stored in hashes.items():
        mailbox(address, password=stored or "{CRYPT}!")
    with mailservers.MailServer() as server:
        mailservers.open_database(server, request)
        server.dovecot.run()
        for address, stored in hashes.items():
            with subtests.test(address):
                assert opens_imap(server, address, "secret") == bool(stored)
                assert not opens_imap(server, address, "!")
