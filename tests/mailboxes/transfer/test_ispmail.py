"""Reading ISPmail's databases."""

import pytest

from mailadmin import passwords
from mailboxes.transfer.entries import SourceError
from tests.mailboxes.transfer.reading import SAMPLES, Read, changed, copied

SAMPLE = SAMPLES / "ispmail.sql"
ETCH = SAMPLES / "ispmail-etch.sql"


def word(address):
    return "********" if address == "email1@example.net" else f"{address.partition('@')[0]} word"


@pytest.fixture
def sample(tmp_path):
    return copied("ispmail.sql", tmp_path)


def with_row(sample, table, row):
    """Return the dump with one more row at the end of a table."""
    start, marked, rest = sample.read_text().partition(f"INSERT INTO `{table}` VALUES\n")
    assert marked
    sample.write_text(f"{start}{marked}{row},\n{rest}")
    return sample


@pytest.mark.parametrize("path", [SAMPLE, ETCH])
def test_every_password_still_verifies(path):
    hashes = Read("ispmail", path).column("mailbox", "username", "password_hash")
    assert hashes
    for address, stored in hashes.items():
        assert passwords.verify(word(address), stored, address)
        assert not passwords.verify("another word", stored, address)


def test_domains_mailboxes_and_quotas_are_read_with_their_position():
    read = Read("ispmail", SAMPLE)
    assert read.kinds == ["domain", "mailbox", "alias"]
    assert read.values("domain", "domain") == {
        name: {} for name in ("example.org", "doe.org", "foo.org", "doe.net")
    }
    assert read.column("mailbox", "username", "quota_bytes") == {
        "email1@example.net": "0",
        "john@example.org": "0",
        "bob@example.org": "1000000000",
        "carol@example.org": "0",
        "john@doe.org": "0",
        "jack@doe.org": "0",
        "jeff@foo.org": "5000000",
    }
    assert read.of("mailbox")[-1].place == "virtual_users, id 7"
    assert not any(entry.error for entry in read.entries)


def test_many_rows_of_one_address_are_one_alias_in_order_of_their_numbers():
    goto = Read("ispmail", SAMPLE).goto()
    assert goto["john@doe.net"] == ["jack@example.com", "jeff@example.com", "kerstin@example.com"]
    assert goto["jack@example.org"] == ["john@example.org"]
    assert goto["@example.org"] == ["bob@example.org"]


def test_ids_sort_numerically_and_targets_are_unique(sample):
    with_row(sample, "virtual_aliases", "(11,4,'JOHN@doe.net','last@example.com')")
    with_row(sample, "virtual_aliases", "(10,4,'john@doe.net','b@example.com, Jack@example.com')")
    goto = Read("ispmail", sample).goto()
    assert goto["john@doe.net"] == [
        *("jack@example.com", "jeff@example.com", "kerstin@example.com"),
        *("b@example.com", "last@example.com"),
    ]


def test_a_mailbox_pointing_to_itself_keeps_a_copy():
    goto = Read("ispmail", SAMPLE).goto()
    assert "bob@example.org" not in goto
    assert goto["carol@example.org"] == ["carol@example.org", "carol@elsewhere.example"]


def test_an_address_without_mailbox_pointing_to_itself_is_kept(sample):
    """It excludes a former user's address from the catch-all."""
    with_row(sample, "virtual_aliases", "(11,1,'gone@example.org','gone@example.org')")
    assert Read("ispmail", sample).goto()["gone@example.org"] == ["gone@example.org"]


def test_the_path_of_a_mailbox_is_derived_from_its_address(sample):
    with_row(sample, "virtual_users", "(11,2,'dave@example.org','x',0)")
    read = Read("ispmail", sample)
    assert read.places("mail to it was never accepted") == ["virtual_users, id 1"]
    assert read.places("The address is used") == ["virtual_users, id 11"]
    assert "dave@example.org" in read.values("mailbox", "username")


def test_local_parts_of_the_first_guides_are_joined_with_their_domain():
    read = Read("ispmail", ETCH)
    assert list(read.values("mailbox", "username")) == ["bob@example.org"]
    assert read.goto() == {
        "@example.org": ["bob@example.org"],
        "info@example.org": ["bob@example.org"],
    }


def test_a_local_part_without_its_domain_is_refused(tmp_path):
    path = changed(
        copied("ispmail-etch.sql", tmp_path), "('1', '1', 'bob', '", "('1', '9', 'bob', '"
    )
    (bob,) = Read("ispmail", path).of("mailbox")
    assert (bob.values["username"], bob.error) == ("bob", "Its domain is not in the source.")


def test_an_alias_of_a_bare_name_is_refused(sample):
    """Postfix would treat a domain on the left as another class."""
    with_row(sample, "virtual_aliases", "(11,9,'example.org','bob@example.org')")
    (entry,) = [entry for entry in Read("ispmail", sample).of("alias") if entry.error]
    assert entry.place == "virtual_aliases, id 11"
    assert "domain without mailboxes" in entry.error


def test_a_whole_domain_pointing_to_another_is_an_alias_domain(sample):
    with_row(sample, "virtual_domains", "(5,'old.example')")
    with_row(sample, "virtual_aliases", "(11,5,'@old.example','@example.org')")
    read = Read("ispmail", sample)
    assert read.column("alias-domain", "alias_domain", "target_domain") == {
        "old.example": "example.org"
    }
    assert "@old.example" not in read.goto()


def test_unknown_tables_are_reported(sample):
    changed(sample, "`quota` int(11) NOT NULL DEFAULT 0,", "`quota` int, `note` text,")
    sample.write_text(
        sample.read_text()
        .replace(",0),\n", ",0,NULL),\n")
        .replace("000000)", "000000,NULL)")
        .replace("'virtual_users`;\n", "")
    )
    read = Read("ispmail", sample)
    assert read.places("Unknown column") == ["virtual_users.note"]


@pytest.mark.parametrize("table", ["virtual_domains", "virtual_users", "virtual_aliases"])
def test_a_database_without_the_expected_tables_is_refused(sample, table):
    sample.write_text(sample.read_text().replace(table, "other"))
    with pytest.raises(SourceError) as refused:
        Read("ispmail", sample)
    assert (
        str(refused.value) == f"This is not a valid ISPmail database: the table {table} is missing."
    )


def test_a_table_without_the_expected_columns_is_refused(sample):
    sample.write_text(sample.read_text().replace("`email`", "`mail`"))
    with pytest.raises(SourceError, match="virtual_users has no column email"):
        Read("ispmail", sample)


def test_empty_values_do_not_crash(sample):
    with_row(sample, "virtual_users", "(NULL,NULL,NULL,NULL,NULL)")
    with_row(sample, "virtual_aliases", "(NULL,NULL,NULL,NULL)")
    with_row(sample, "virtual_domains", "(NULL,NULL)")
    read = Read("ispmail", sample)
    assert any(entry.error for entry in read.of("mailbox"))


@pytest.mark.mariadb
def test_a_live_database_is_read_like_its_dump(mariadb, empty_database):
    mariadb.execute(SAMPLE.read_text(), empty_database.rpartition("/")[2])
    assert Read("ispmail", empty_database).entries == Read("ispmail", SAMPLE).entries


def test_a_scheme_that_does_not_exist_is_refused():
    with pytest.raises(SourceError, match="Unknown password scheme ROT13"):
        Read("ispmail", SAMPLE, scheme="ROT13")
