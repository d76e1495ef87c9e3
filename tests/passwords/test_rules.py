"""Rules of new passwords, and of the code."""

import re
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError

from mailadmin import passwords
from mailadmin.passwords import limits
from mailadmin.passwords.guessable import find_guessable_problems
from tests.passwords.stored_hashes import messages


def test_all_broken_rules_are_reported_together():
    with pytest.raises(ValidationError) as error:
        passwords.validate_password("ab")
    assert "8 characters" in messages(error)
    assert "3 letters" in messages(error)
    assert "2 digits" in messages(error)
    passwords.validate_password("abchij12")


def test_the_length_is_a_setting(settings):
    settings.MAILADMIN_PASSWORD_LENGTH = 12
    assert passwords.describe_rules()[0] == "Use at least 12 characters."
    with pytest.raises(ValidationError, match="12 characters"):
        passwords.validate_password("harbour4711")
    passwords.validate_password("harbour47112")


@pytest.mark.parametrize("password", ["password123", "PassWord123", " abcd1234 ", "iloveyou22"])
def test_common_passwords_are_refused(password):
    with pytest.raises(ValidationError, match="most common"):
        passwords.validate_password(password)


MADE_OF_ADDRESS = ["alice2024", "Alice-2024!", "wonder.example77", "wonder2024", "alice@wonder12"]


@pytest.mark.parametrize("password", MADE_OF_ADDRESS)
def test_passwords_made_of_the_address_are_refused(password):
    with pytest.raises(ValidationError, match="address or its domain"):
        passwords.validate_password(password, "alice@wonder.example")
    passwords.validate_password(password, "bob@example.org")


@pytest.mark.parametrize(
    ("password", "address"),
    [
        ("johndoe123", "john.doe@example.org"),
        ("Doe-John-24", "john_doe+lists@example.org"),
        ("münchen12", "info@xn--mnchen-3ya.de"),
    ],
)
def test_parts_of_the_address_are_known(password, address):
    with pytest.raises(ValidationError, match="address or its domain"):
        passwords.validate_password(password, address)


def test_very_long_texts_are_compared_with_nothing():
    long = "a1" * 500_000
    assert find_guessable_problems(long, "a1@example.org") == []
    assert find_guessable_problems("harbour-4711", f"harbour@{'a1.' * 100_000}org") == []


def test_no_rules_are_a_setting_too(settings):
    settings.MAILADMIN_PASSWORD_RULES, settings.MAILADMIN_PASSWORD_LENGTH = (), 4
    passwords.validate_password("h4rb")


def test_a_long_password_may_contain_a_part_of_the_address():
    passwords.validate_password("alice-and-7-dwarfs-2", "alice@wonder.example")
    passwords.validate_password("xyzzy-4711", "xy@z.example")
    passwords.validate_password("harbour-4711", "")


def test_rules_are_described_beforehand(settings):
    assert len(passwords.describe_rules()) == 5
    assert all(type(rule) is str for rule in passwords.describe_rules())
    assert "72 bytes" in passwords.describe_rules()[-1]
    settings.MAILADMIN_PASSWORD_SCHEME = "ARGON2ID"
    assert len(passwords.describe_rules()) == 4


def test_validation_refuses_nul_and_too_long_passwords_for_bcrypt(settings):
    for password, text in (("harbour4711\0", "NUL"), ("harbour4711" * 13, "72 bytes")):
        with pytest.raises(ValidationError) as error:
            passwords.validate_password(password)
        assert text in messages(error)
    settings.MAILADMIN_PASSWORD_SCHEME = "SHA512-CRYPT"
    passwords.validate_password("harbour4711" * 13)


def test_rules_are_read_from_the_settings(settings):
    settings.MAILADMIN_PASSWORD_RULES = ((r"[-+=%]", "A special character."),)
    settings.MAILADMIN_PASSWORD_LENGTH = 6
    assert passwords.describe_rules()[:2] == ["Use at least 6 characters.", "A special character."]
    with pytest.raises(ValidationError):
        passwords.validate_password("harbour4711")
    passwords.validate_password("=%+-=%")


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
