"""The run control: what fetchmail is given, and what an entry cannot make it do."""

import ipaddress

import pytest

from mailboxes.fetchmail.run_control import (
    UnusableEntry,
    build_run_control,
    find_address,
    is_allowed,
    quote,
)
from mailboxes.models import Fetchmail


def build(**values):
    row = {
        "mailbox_id": "bob@example.org",
        "src_server": "imap.example.com",
        "src_user": "bob",
        "protocol": "IMAP",
        "usessl": True,
        "sslcertck": True,
    }
    return build_run_control(Fetchmail(**row | values), "192.0.2.7", "s3cret")


def test_an_entry_is_fetched_from_the_checked_address_into_its_mailbox():
    text = build(src_folder="INBOX/Old", src_port=993, keep=True)
    assert 'poll "imap.example.com" via "192.0.2.7" protocol IMAP port 993' in text
    assert 'user "bob" there' in text and 'with password "s3cret"' in text
    assert 'smtpname "bob@example.org"' in text and 'smtphost "localhost/25"' in text
    assert 'folder "INBOX/Old"' in text and "\n    keep" in text
    assert "\n    ssl\n    sslcertck\n" in text


@pytest.mark.parametrize("column", ["src_server", "src_user", "src_folder", "sslfingerprint"])
@pytest.mark.parametrize("evil", ['x" mda "touch /tmp/x', "x\\", 'a"; plugin "sh"', "é"])
def test_no_text_leaves_its_quotes(column, evil):
    text = build(**{column: evil})
    outside = text.replace("\\\\", "").replace('\\"', "").split('"')[::2]
    assert {"mda", "plugin", "touch"}.isdisjoint(" ".join(outside).split())


@pytest.mark.parametrize("sign", ["\n", "\r", "\x00", "\x7f"])
def test_control_characters_are_refused(sign):
    with pytest.raises(UnusableEntry):
        quote(f"a{sign}b")


def test_options_that_postfixadmin_stored_are_not_used():
    text = build(extra_options="preconnect 'touch /tmp/x'", mda="touch /tmp/x")
    assert "touch" not in text


@pytest.mark.parametrize(
    "values", [{"protocol": "ETRN"}, {"protocol": "POP2"}, {"src_auth": "ssh"}]
)
def test_what_is_not_supported_is_said(values):
    with pytest.raises(UnusableEntry, match="not supported"):
        build(**values)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.1", "224.0.0.1"),
        *("::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "100.64.0.1"),
    ],
)
def test_private_addresses_need_the_permission_of_the_operator(settings, address):
    settings.MAILADMIN_FETCHMAIL_NETWORKS = ()
    assert not is_allowed(ipaddress.ip_address(address))
    network = ipaddress.ip_network(address.removeprefix("::ffff:"))
    settings.MAILADMIN_FETCHMAIL_NETWORKS = (network,)
    assert is_allowed(ipaddress.ip_address(address))


def test_a_server_in_a_private_network_is_named(settings):
    settings.MAILADMIN_FETCHMAIL_NETWORKS = ()
    with pytest.raises(UnusableEntry, match="private network"):
        find_address("localhost")
    with pytest.raises(UnusableEntry, match="no address"):
        find_address("nothing.invalid")
