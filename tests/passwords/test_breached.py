"""Passwords in a file of breached ones."""

import hashlib

import pytest
from django.core.exceptions import ValidationError

from mailadmin import passwords
from mailadmin.conf.parsers import parse_breached_file
from mailadmin.passwords.breached import is_breached

BREACHED = [f"harbour-{number}" for number in range(4711, 4911)]
OTHERS = [f"lantern-{number}" for number in range(4711, 4911)]


def digest(password):
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


@pytest.fixture(params=["\n", "\r\n"])
def path(request, tmp_path):
    lines = sorted(f"{digest(each)}:{len(each) ** 5}" for each in BREACHED)
    path = tmp_path / "breached.txt"
    path.write_text(request.param.join(lines), newline="")
    return path


def test_each_line_is_found_and_no_other_password_is(path):
    assert [each for each in BREACHED if not is_breached(each, path)] == []
    assert [each for each in OTHERS if is_breached(each, path)] == []


def test_text_that_is_no_unicode_is_not_found(path):
    assert not is_breached("\ud800harbour-4711", path)


def test_the_setting_takes_sorted_hashes_alone(path, tmp_path):
    assert parse_breached_file(str(path)) == path
    wrong = tmp_path / "wrong.txt"
    lines = path.read_text().splitlines()
    for content, reason in (
        ("", "no lines of SHA-1"),
        ("harbour-4711\n", "no lines of SHA-1"),
        ("\n".join(reversed(lines)), "not sorted"),
    ):
        wrong.write_text(content)
        with pytest.raises(ValueError, match=reason):
            parse_breached_file(str(wrong))
    with pytest.raises(ValueError, match="No such file"):
        parse_breached_file(str(tmp_path / "missing.txt"))


@pytest.mark.parametrize("content", ["", "\n", "no digests at all\n" * 50, f"{digest('a')}:1\n"])
def test_files_without_the_password(tmp_path, content):
    path = tmp_path / "breached.txt"
    path.write_text(content)
    assert not is_breached("harbour-4711", path)


def test_a_breached_password_is_refused(path, settings):
    passwords.validate_password("harbour-4711")
    settings.MAILADMIN_PASSWORD_BREACHED = path
    with pytest.raises(ValidationError, match="data breach"):
        passwords.validate_password("harbour-4711")
    passwords.validate_password("lantern-4711")
