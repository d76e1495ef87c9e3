"""Parts of the verification that need no mail server."""

import socket
import threading
from collections import Counter
from types import SimpleNamespace

import pytest

from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.verifier import parameters, smtp
from mailboxes.mailserver.verifier.comparing import (
    PostfixComparison,
    parse_location_path,
    parse_quota_bytes,
)
from mailboxes.mailserver.verifier.programs import LivePostfix, ServerUnavailable


def files(folder, main_cf="", master_cf="smtp inet n - n - - smtpd\n"):
    (folder / "main.cf").write_text(main_cf)
    (folder / "master.cf").write_text(master_cf)
    return PostfixFiles(folder)


@pytest.mark.parametrize(
    "text, size",
    [
        ("*:bytes=102400", 102400),
        ("*:storage=5", 5 * 1024),
        ("*:storage=5M", 5 * 1024**2),
        ("*:storage=2G:messages=9", None),
        ("102400B", 102400),
        ("5M", 5 * 1024**2),
        ("5 MiB", 5 * 1024**2),
        ("7", 7),
        ("", 0),
        ("unlimited", None),
    ],
)
def test_quotas_are_parsed_like_dovecot(text, size):
    assert parse_quota_bytes(text) == size


@pytest.mark.parametrize(
    "location, path",
    [
        ("maildir:/srv/mail/bob/:INDEX=/var/index", "/srv/mail/bob"),
        ("/srv/mail/bob/", "/srv/mail/bob"),
        ("maildir:~/Maildir", "/home/bob/Maildir"),
        ("maildir:%h", "/home/bob"),
        ("mbox:/srv/x.home/mail:INBOX=/srv/x", "/srv/x.home/mail"),
        ("maildir:Maildir", ""),
        ("", ""),
    ],
)
def test_the_folder_of_a_location_is_parsed(location, path):
    assert parse_location_path(location, "/home/bob/") == path


MAILADMINS = "virtual_mailbox_maps = mysql:/etc/postfix/mailadmin/virtual_mailbox.cf\n"
THEIRS = "virtual_mailbox_maps = mysql:/etc/postfix/sql/users.cf\n"


@pytest.mark.parametrize(
    "main_cf, parameter, expected, found, is_same",
    [
        (MAILADMINS, "virtual_mailbox_domains", "example.org", "1", True),
        (MAILADMINS, "virtual_mailbox_domains", "example.org", "", False),
        (MAILADMINS, "relay_domains", "", "1", False),
        (MAILADMINS, "virtual_mailbox_maps", "example.org/bob/", "1", False),
        (
            f"{THEIRS}virtual_transport = lmtp:x",
            "virtual_mailbox_maps",
            "example.org/bob/",
            "1",
            True,
        ),
        (f"{THEIRS}virtual_transport = lmtp:x", "virtual_mailbox_maps", "", "1", False),
        (THEIRS, "virtual_mailbox_maps", "example.org/bob/", "1", False),  # virtual(8) reads it
        (THEIRS, "transport_maps", "", ":", True),
        (MAILADMINS, "transport_maps", "", ":", False),
        (THEIRS, "transport_maps", "smtp:[a.test]", "smtp:[b.test]", False),
        (THEIRS, "virtual_alias_maps", "a@x.test,b@x.test", "b@x.test,a@x.test", True),
    ],
)
def test_equivalent_answers_are_equal(tmp_path, main_cf, parameter, expected, found, is_same):
    compared = PostfixComparison(SimpleNamespace(files=files(tmp_path, main_cf)))
    assert compared._is_same(parameter, expected, found) is is_same


@pytest.mark.mailserver
def test_domains_may_be_listed_literally(tmp_path):
    (tmp_path / "more").write_text("example.net\n")
    main_cf = f"virtual_mailbox_domains = example.org, {tmp_path}/more, inline:{{ example.com=x }}"
    live = LivePostfix(files(tmp_path, main_cf))
    names = ["example.org", "example.net", "example.com", "gone.test"]
    assert set(live.lookup_in_files("virtual_mailbox_domains", names)) == set(names[:3])


@pytest.mark.parametrize(
    "words, is_closed",
    [
        ("permit_mynetworks reject_unauth_destination", True),
        ("permit_mynetworks defer_unauth_destination permit", True),
        ("permit_sasl_authenticated reject", True),
        ("permit reject_unauth_destination", False),
        ("permit_mynetworks", False),
        ("check_client_access static:OK reject_unauth_destination", False),
        ("", False),
    ],
)
def test_a_restriction_before_a_permit_closes_a_list(words, is_closed):
    assert parameters.is_closed_relay(words.split()) is is_closed


LIST = ["reject_non_fqdn_recipient", "check_recipient_access", "mailadmin/x.cf"]


@pytest.mark.parametrize(
    "name, found, is_held",
    [
        (parameters.RECIPIENT_RESTRICTIONS, LIST, True),
        (
            parameters.RECIPIENT_RESTRICTIONS,
            ["reject_rbl_client", "rbl.test", *LIST, "permit_mynetworks"],
            True,
        ),
        (parameters.RECIPIENT_RESTRICTIONS, LIST[1:], False),
        (parameters.RECIPIENT_RESTRICTIONS, LIST[::-1], False),
        (parameters.RECIPIENT_RESTRICTIONS, ["permit", *LIST], False),
        (parameters.RELAY_RESTRICTIONS, ["permit_tls_all_clientcerts", *LIST], False),
        (parameters.RECIPIENT_RESTRICTIONS, ["check_helo_access", "static:permit", *LIST], False),
        (parameters.RELAY_RESTRICTIONS, ["warn_if_reject", *LIST], True),
    ],
)
def test_a_list_may_contain_more_restrictions(name, found, is_held):
    assert parameters.contains_restrictions(name, LIST, found) is is_held


def test_a_service_that_overrides_a_list_is_named(tmp_path, db):
    master = "smtp inet n - n - - smtpd\n127.0.0.1:26 inet n - n - - smtpd -o {}=permit\n"
    lists = parameters.get_panel_restrictions()
    main_cf = MAILADMINS + "".join(f"{name} = {', '.join(lists[name])}\n" for name in lists)
    found = list(
        parameters.check_restrictions(
            files(tmp_path, main_cf, master.format(parameters.RECIPIENT_RESTRICTIONS))
        )
    )
    assert [(each.key, each.found) for each in found] == [("master.cf: 127.0.0.1:26", "permit")]


@pytest.mark.parametrize(
    "main_cf, differences",
    [
        ("mynetworks = 127.0.0.0/8, [::1]/128, hash:/etc/x, 10.0.0.0/8, 192.0.2.7", []),
        ("mynetworks = 127.0.0.0/8 0.0.0.0/0", ["0.0.0.0/0"]),
        ("mynetworks = [::]/0", ["[::]/0"]),
        ("mynetworks = 128.0.0.0/1", ["128.0.0.0/1"]),
    ],
)
def test_very_large_networks_are_reported(tmp_path, main_cf, differences):
    found = parameters.check_mynetworks(files(tmp_path, main_cf))
    assert [each.found for each in found] == differences


COMPLETE = "virtual_mailbox_base = /v\nvirtual_uid_maps = static:5\nvirtual_gid_maps = static:5\n"


@pytest.mark.parametrize(
    "main_cf, is_fine",
    [
        (COMPLETE, True),
        (COMPLETE.replace("virtual_uid_maps", "x"), False),
        (f"{COMPLETE}message_size_limit = 99999999", False),
        (f"{COMPLETE}message_size_limit = 99999999\nvirtual_mailbox_limit = 0", True),
        (f"{COMPLETE}message_size_limit = 0", False),
    ],
)
def test_local_delivery_is_accepted_if_configured(tmp_path, main_cf, is_fine):
    master = "virtual unix - n n - - virtual\n"
    found = list(parameters.check_virtual_transport(files(tmp_path, main_cf, master)))
    assert (found == []) is is_fine


@pytest.mark.parametrize(
    "main_cf, line, place",
    [
        ("", "smtp inet n - n - - smtpd", ("127.0.0.1", 25)),
        ("inet_interfaces = 192.0.2.1, 192.0.2.2", "25 inet n - n - - smtpd", ("192.0.2.1", 25)),
        ("inet_interfaces = all", "192.0.2.9:26 inet n - n - - smtpd", ("192.0.2.9", 26)),
        ("", "[::1]:smtp inet n - n - 1 postscreen", ("::1", 25)),
    ],
)
def test_listening_addresses_of_postfix_are_found(tmp_path, main_cf, line, place):
    others = (
        "submission inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes\n"
        "10025 inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes\n"
        "465 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n"
    )
    postfix = files(tmp_path, main_cf, f"{others}{line}\n")
    assert smtp.get_listen_address(postfix, smtp.find_smtp_listener(postfix)) == place
    with pytest.raises(ServerUnavailable):
        smtp.find_smtp_listener(files(tmp_path, main_cf, others))


def test_a_server_that_defers_everything_gets_few_requests(tmp_path, monkeypatch):
    requests = []

    def replies(_files, addresses):
        for address in addresses:
            requests.append(address)
            yield address, "451 4.3.0 Temporary lookup failure"

    monkeypatch.setattr(
        smtp, "sample_addresses", lambda domains: [f"{n}@x.test" for n in range(20)]
    )
    monkeypatch.setattr(smtp, "iter_recipient_replies", replies)
    monkeypatch.setattr(smtp, "build_panel_config", lambda: None)
    route = SimpleNamespace(loop=False, reply="", kind="virtual")
    monkeypatch.setattr(smtp.PostfixRouter, "route", lambda self, address: route)
    monkeypatch.setattr(smtp.PostfixRouter, "__init__", lambda self, config: None)
    probe = smtp.SmtpProbe(files(tmp_path))
    assert len(list(probe.differences(None, Counter()))) == smtp.MAX_DEFERRED_REPLIES
    assert len(requests) == smtp.MAX_DEFERRED_REPLIES + 1
    assert probe.skipped == ["more addresses, because Postfix defers all mail"]


def test_a_disconnecting_lmtp_server_is_reported_for_each_mailbox(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        main_cf = f"virtual_transport = lmtp:inet:127.0.0.1:{port}"
        probe = smtp.LmtpProbe(files(tmp_path, main_cf, "lmtp unix - - n - - lmtp\n"))
        [(address, reply)] = probe.get_replies(["bob@example.org"])
    assert address == "bob@example.org" and f"127.0.0.1:{port}" in reply


@pytest.mark.parametrize(
    ("transport", "place"),
    [
        ("lmtp:inet:127.0.0.1", ("127.0.0.1", 24)),
        ("lmtp:[::1]", ("::1", 24)),
        ("lmtp:mail.test", ("mail.test", 24)),
        ("lmtp:inet:mail.test:lmtp", ("mail.test", 24)),
        ("lmtp:inet:[::1]:2424", ("::1", 2424)),
        ("lmtp:unix:private/lmtp", ("/var/spool/postfix/private/lmtp", 0)),
    ],
)
def test_an_lmtp_server_without_a_port_has_that_of_postfix(tmp_path, transport, place):
    master_cf = "lmtp unix - - n - - lmtp\n"
    probe = smtp.LmtpProbe(files(tmp_path, f"virtual_transport = {transport}", master_cf))
    assert probe.get_address() == place


def test_the_default_port_of_lmtp_is_a_parameter(tmp_path):
    main_cf = "virtual_transport = lmtp:inet:127.0.0.1\nlmtp_tcp_port = 2424"
    probe = smtp.LmtpProbe(files(tmp_path, main_cf, "lmtp unix - - n - - lmtp\n"))
    assert probe.get_address() == ("127.0.0.1", 2424)
