"""Whose a folder is: the rule of paths, and the paths of mailboxes."""

import os
from pathlib import Path

import pytest

from mailboxes.maildirs.paths import MailboxPaths, MaildirRule, escape_path, unescape_path

ODD_NAMES = [
    b"b\xf6b",  # latin1
    b"line\nbreak",
    b"tab\tstop",
    b"back\\slash\\x41",
    b"quote'\"",
    b"%41 +&",
    "b\u00f6b".encode(),
    "\u202ebob".encode(),
    b"x" * 255,
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_is_stored_as_printable_text_and_read_again(name):
    text = escape_path(os.fsdecode(name))
    assert text.isprintable() and text.encode()
    assert os.fsencode(unescape_path(text)) == name


@pytest.mark.parametrize(
    ("template", "path", "mailbox"),
    [
        ("{domain}/{local_part}/", "example.org/bob", "bob@example.org"),
        ("{domain}/{username}/", "example.org/bob@example.org", "bob@example.org"),
        ("{username}/", "bob@example.org", "bob@example.org"),
        ("mail/{domain}/{local_part}/Maildir/", "mail/example.org/bob", "bob@example.org"),
        ("{domain}/u-{local_part}/", "example.org/u-bob", "bob@example.org"),
    ],
)
def test_the_rule_says_whose_a_folder_is(template, path, mailbox):
    rule = MaildirRule(template)
    found = rule.match(path.split("/"))
    assert (found.mailbox, found.domain) == (mailbox, "example.org")
    assert rule.build_path("bob@example.org").startswith(path)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{domain}/{local_part}/", "example.org"),
        ("{domain}/{local_part}/", "example.org/bob/cur"),
        ("{domain}/{local_part}/", "example.org/.bob"),
        ("{domain}/{local_part}/", ".archives/bob"),
        ("{domain}/{local_part}/", "../bob"),
        ("{username}/", "lost+found"),
        ("{domain}/{username}/", "example.org/bob@example.com"),
        ("{domain}/{username}/", "example.org/bob"),
        ("mail/{domain}/{local_part}/", "other/example.org/bob"),
    ],
)
def test_other_folders_are_nobodys(template, path):
    assert MaildirRule(template).match(path.split("/")) is None


def is_owned(path, *mailboxes, template="{domain}/{local_part}/"):
    rule = MaildirRule(template)
    return MailboxPaths(rule, mailboxes).may_own(rule.match(path.split("/")))


@pytest.mark.parametrize(
    ("username", "maildir"),
    [
        ("bob@example.org", "example.org/bob/"),
        ("bob@example.org", "example.org/bob"),  # mbox
        ("bob@example.org", "elsewhere/17/"),  # by its address
        ("BOB@Example.org", "EXAMPLE.ORG/BOB/"),
        ("carol@example.com", "example.org/bob/"),  # shares it
        ("carol@example.com", "Example.ORG/Bob/Maildir/"),
        ("carol@example.com", "example.org/bob/cur/carol/"),
        ("carol@example.com", "example.org/"),  # everything below
        ("carol@example.com", "/example.org/bob/"),
        ("carol@example.com", "/var/vmail/example.org/bob/"),
        ("carol@example.com", "./example.org//x/../bob/."),
        ("carol@example.com", "../../example.org/bob/"),
    ],
)
def test_a_folder_that_a_mailbox_may_have_is_owned(settings, username, maildir):
    settings.MAILADMIN_MAILDIRS_ROOT = Path("/var/vmail")
    assert is_owned("example.org/bob", (username, maildir))
    assert not is_owned("example.org/dora", (username, "example.org/bob/"))


@pytest.mark.parametrize("maildir", ["", "/", ".", "..", "example.org/bobby/", "bob/"])
def test_paths_of_others_do_not_own_it(maildir):
    assert not is_owned("example.org/bob", ("carol@example.com", maildir))


def test_names_in_another_charset_are_compared():
    """A database in latin1 may hold what the file system has as UTF-8, and the other way round."""
    for folder in (b"example.org/b\xf6b", "example.org/b\u00f6b".encode()):
        path = os.fsdecode(folder)
        assert is_owned(path, ("x@y.example", "example.org/b\u00f6b/"))
        assert not is_owned(path, ("x@y.example", "example.org/bab/"))
    decomposed = "example.org/bo\u0308b"
    assert is_owned(decomposed, ("x@y.example", "example.org/b\u00f6b/"))


def test_a_mailbox_of_another_layout_is_found_by_its_folder_inside():
    template = "{domain}/{local_part}/Maildir/"
    assert is_owned(
        "example.org/bob", ("x@y.example", "example.org/bob/Maildir/"), template=template
    )
