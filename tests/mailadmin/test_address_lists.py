"""Lists of targets, parsed like Postfix; test_routing compares the parser with Postfix."""

import pytest

from mailadmin.address_lists import parse_address_list

LISTS = {
    "bob@m.test,ann@m.test": ["bob@m.test", "ann@m.test"],
    "bob@m.test ann@m.test": ["bob@m.test", "ann@m.test"],
    "bob@m.test\nann@m.test\r\nx@m.test": ["bob@m.test", "ann@m.test", "x@m.test"],
    "bob@m.test; ann@m.test": ["bob@m.test", "ann@m.test"],
    ",, bob@m.test ,": ["bob@m.test"],
    "<bob@m.test>": ["bob@m.test"],
    '"Builder, Bob" <bob@m.test>, ann@m.test': ["bob@m.test", "ann@m.test"],
    "bob@m.test (at work, a@b), ann@m.test (c (d))": ["bob@m.test", "ann@m.test"],
    "friends: bob@m.test, ann@m.test;": ["bob@m.test", "ann@m.test"],
    "bob @ m . test": ["bob@m.test"],
    "bob@m.test.": ["bob@m.test"],
    "bob": ["bob@here.test"],
    '"a b"@m.test': ["a b@m.test"],
    r"a\,b@m.test": ["a,b@m.test"],
    "bob%m.test": ["bob@m.test"],
    "m.test!bob": ["bob@m.test"],
    "@relay.test:bob@m.test": ["bob@m.test"],
    "@m.test": ["@m.test"],
    "@": [""],
    "@,root": ["", "root@here.test"],
    "": [],
    " , ": [],
    "(all of it": [],
}


@pytest.mark.parametrize("text", LISTS)
def test_a_list_is_parsed_like_postfix(text):
    assert parse_address_list(text, "here.test") == LISTS[text]


def test_a_domain_without_a_dot_is_completed_like_postfix():
    assert parse_address_list("bob@host, ann@m.test", domain="here.test") == [
        "bob@host.here.test",
        "ann@m.test",
    ]


def test_a_long_list_is_parsed_quickly():
    text = ", ".join(f"someone.{number}@far.test" for number in range(50_000))
    assert len(parse_address_list(text)) == 50_000
    assert parse_address_list("(" * 50_000) == parse_address_list('"' + "\\" * 49_999)[1:] == []
