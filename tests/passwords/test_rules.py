"""Rules of new passwords, and of the code."""

import re
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils.translation import gettext_lazy

from mailadmin import passwords
from mailadmin.passwords import limits
from tests.passwords.stored_hashes import messages


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
