"""Routes by an operator's own files: never guessed."""

import time
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection

from domains.models import AliasDomain, Domain
from mailboxes.mailserver import external_maps
from mailboxes.mailserver.generator import disk
from mailboxes.mailserver.generator.choices import MailServerOptions
from mailboxes.mailserver.generator.files import generate_files
from mailboxes.mailserver.routing_config import load_routing_config
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix.routing import LookupUnavailable, PostfixRouter, build_panel_config
from tests.mailboxes.external_files import ends, route, settle
from tests.mailservers import PASSWORDS

MAIN = """
myhostname = mail.test
myorigin = mail.test
mydestination = mail.test, localhost
recipient_delimiter = +
virtual_alias_domains =
virtual_mailbox_domains = example.org, {folder}/domains
virtual_mailbox_maps = texthash:{folder}/mailboxes
virtual_alias_maps = texthash:{folder}/aliases, pcre:{folder}/patterns
transport_maps = inline:{{ {{ far.test = smtp:[10.0.0.1] }} }}
smtpd_recipient_restrictions = permit_mynetworks, reject_rbl_client rbl.test,
    check_recipient_access texthash:{folder}/access
"""
FILES = {
    "domains": "example.com\nexample.net\n# gone.test is a customer no more\n",
    "mailboxes": "bob@example.org example.org/bob/\ncarol@example.com example.com/carol/\n",
    "aliases": "info@example.org bob@example.org, root\n@example.net carol@example.com\n",
    "patterns": "/^sales-.*@example.org$/ bob@example.org\n",
    "access": "spam@example.org REJECT go away\nbob@example.org DUNNO\n",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "main.cf").write_text(MAIN.format(folder=tmp_path))
    return tmp_path


MASTER = """
smtp inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
smtp unix - - n - - smtp
relay unix - - n - - smtp
retry unix - - n - - error
local unix - n n - - local
virtual unix - n n - - virtual
maildrop unix - n n - - pipe flags=DRhu user=vmail argv=/usr/bin/maildrop
"""


def end_of(folder, transport, more=""):
    """Return the outcome of mail for an external address, with a master.cf."""
    (folder / "main.cf").write_text(
        MAIN.format(folder=folder).replace("smtp:[10.0.0.1]", transport) + more
    )
    (folder / "master.cf").write_text(MASTER)
    (folder / "aliases").write_text("info@example.org x@far.test\n")
    (end,) = route(folder, "info@example.org").deliveries
    return end.kind, end.reason


def test_services_are_read_from_the_given_master_cf(folder):
    assert end_of(folder, "maildrop:") == ("remote", "")
    for service in ("nosuch", "cleanup", "Maildrop"):
        missing = f"master.cf has no delivery service “{service}”"
        assert end_of(folder, f"{service}:") == ("broken", missing)


def test_virtual_works_when_its_settings_exist(folder):
    assert end_of(folder, "virtual:") == ("broken", "virtual_uid_maps is not set")
    maps = "virtual_uid_maps = static:5000\nvirtual_gid_maps = static:5000\n"
    assert end_of(folder, "virtual:", maps) == ("unknown", "")
    large = "message_size_limit = 52428800\n"
    smaller = "virtual_mailbox_limit is smaller than message_size_limit"
    assert end_of(folder, "virtual:", maps + large) == ("broken", smaller)
    unlimited = "virtual_mailbox_limit = 0\n"
    assert end_of(folder, "virtual:", maps + large + unlimited) == ("unknown", "")


def test_without_a_master_cf_no_service_is_reported_missing(folder):
    assert load_routing_config(folder).delivery_agents is None


@pytest.mark.mailserver
@pytest.mark.parametrize("type_", ["texthash", "pcre"])
def test_a_key_of_a_single_dash_is_looked_up_like_any_other(folder, type_):
    text = {"texthash": "- bob@example.org\n", "pcre": "/^-$/ bob@example.org\n"}[type_]
    (folder / "aliases").write_text(text)
    (folder / "main.cf").write_text(f"virtual_alias_maps = {type_}:{folder}/aliases\n")
    settle(folder)
    [table] = load_routing_config(folder).virtual_alias_maps
    start = time.monotonic()
    assert table.look_up("-").value == "bob@example.org"
    assert table.look_up("--").value is None
    assert time.monotonic() - start < external_maps.CONNECT_TIMEOUT_SECONDS / 2


@pytest.mark.mailserver
def test_text_files_and_names_are_looked_up_like_postfix(folder):
    assert ends(folder, "info+x@example.org") == {
        ("bob+x@example.org", "mailbox"),
        ("root+x@mail.test", "local"),
    }
    assert ends(folder, "who@example.net") == {("carol@example.com", "mailbox")}
    assert route(folder, "who@example.org").reply.startswith("550 5.1.1 <who@example.org>")
    assert not route(folder, "who@gone.test").is_accepted
    assert route(folder, "who@far.test").reply == "554 5.7.1 <who@far.test>: Relay access denied"
    assert route(folder, "spam@example.org").reply == (
        "554 5.7.1 <spam@example.org>: Recipient address rejected: go away"
    )


@pytest.mark.mailserver
def test_patterns_match_whole_addresses_only(folder):
    assert ends(folder, "sales-x@example.org") == {("bob@example.org", "mailbox")}
    (folder / "patterns").write_text("/^@example.org$/ bob@example.org\n")
    assert not route(folder, "sales-x@example.org").is_accepted


@pytest.mark.mailserver
@pytest.mark.parametrize(
    ("row", "reply"),
    [
        ("example.org REJECT", "554 5.7.1 <bob@example.org>: Recipient address rejected: Acc"),
        ("bob@ REJECT", "554 5.7.1 <bob@example.org>: Recipient address rejected: Access denied"),
        ("bob@example.org OK\nexample.org REJECT", ""),
        ("bob@example.org 550", ""),
        ("bob@example.org 450 4.7.1 later", "450 4.7.1 <bob@example.org>: Recipient address"),
    ],
)
def test_access_tables_are_read_like_postfix(folder, row, reply):
    (folder / "access").write_text(f"{row}\n")
    found = route(folder, "bob@example.org").reply
    assert found.startswith(reply) and bool(found) == bool(reply)


def test_other_restrictions_are_named(folder):
    assert load_routing_config(folder).left_out == ["reject_rbl_client", "rbl.test"]


@pytest.mark.mailserver
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("texthash:{folder}/aliases", "texthash:{folder}/missing", "missing"),
        ("texthash:{folder}/aliases", "nosuch:{folder}/aliases", "nosuch"),
        ("example.org, ", "!example.org, ", "exclusions"),
        ("texthash:{folder}/aliases", "unionmap:{{sqlite:{folder}/x.cf}}", "SQL"),
        ("texthash:{folder}/aliases", "proxy:pgsql:{folder}/x.cf", "SQL"),
        ("example.org, {folder}/domains", "example.org, {folder}/none", "none"),
    ],
)
def test_unsupported_maps_are_reported_as_unknown(folder, old, new, reason):
    (folder / "main.cf").write_text(MAIN.replace(old, new).format(folder=folder))
    with pytest.raises((LookupUnavailable, ValidationError), match=reason):
        route(folder, "info@example.org")


def test_rewriting_settings_are_refused(folder):
    with (folder / "main.cf").open("a") as file:
        file.write("recipient_canonical_maps = static:x@y.test\n")
    with pytest.raises(ValidationError, match="recipient_canonical_maps"):
        load_routing_config(folder)


def test_a_folder_without_main_cf_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ValidationError, match="main.cf"):
        load_routing_config(tmp_path)


@pytest.mark.parametrize(
    ("text", "key", "sql"),
    [
        ("a '%s' '%u' '%d'", "bob+x@example.org", "a 'bob+x@example.org' 'bob+x' 'example.org'"),
        ("'%d'", "@example.org", "'example.org'"),
        ("'%u'", "@example.org", None),
        ("'%d'", "bob", None),
        ("'%1.%2'", "x@mail.example.org", "'org.example'"),
        ("'%4'", "x@example.org", None),
        ("100%% '%s'", "x", "100% 'x'"),
    ],
)
def test_a_query_is_expanded_like_postfix(text, key, sql):
    assert external_maps.expand_placeholders(text, key, str) == sql


# The panel's own configuration, read from files


@pytest.fixture
def written(transactional_db, tmp_path, request):
    """The generated configuration, and the accounts it uses."""
    choices = MailServerOptions(passwords=PASSWORDS, postfix_directory=str(tmp_path))
    for change in disk.iter_file_changes(generate_files(choices), {"postfix": tmp_path}):
        disk.write_change(change)
    if connection.vendor == "mysql":
        mariadb = request.getfixturevalue("mariadb")
        mariadb.execute((tmp_path / "mailadmin/accounts.sql").read_text())
    return tmp_path


def world():
    for name in ("example.org", "mirror.test", "backup.test"):
        Domain.objects.create(domain=name, backupmx=name == "backup.test")
    AliasDomain.objects.create(alias_domain_id="mirror.test", target_domain_id="example.org")
    for name, active in (("bob", True), ("freya", False)):
        Mailbox.objects.create(
            username=f"{name}@example.org",
            local_part=name,
            domain_id="example.org",
            maildir=f"example.org/{name}/",
            active=active,
        )
    for address, goto in (
        ("info", "bob@example.org"),
        ("", "x@far.test"),
        ("o'neil", "bob@far.test"),
    ):
        Alias.objects.create(address=f"{address}@example.org", goto=goto, domain_id="example.org")


ADDRESSES = [
    f"{name}@{domain}"
    for name in ("bob", "bob+x", "freya", "info", "Info+y", "who", "o'neil", "ж")
    for domain in ("example.org", "mirror.test", "backup.test", "far.test")
]


def test_the_generated_files_give_the_same_result_as_the_panel(written):
    world()
    files, own = (
        PostfixRouter(load_routing_config(written)),
        PostfixRouter(build_panel_config()),
    )
    for address in ADDRESSES:
        by_file, by_panel = files.route(address), own.route(address)
        assert by_file.reply == by_panel.reply, address
        assert [end.address for end in by_file.deliveries] == [
            end.address for end in by_panel.deliveries
        ]
        assert files.find_sender_logins(address, []) == own.find_sender_logins(address, []), address


def test_the_command_uses_the_files(written):
    world()
    printed = StringIO()
    call_command("explain", "info@mirror.test", "--postfix", str(written), stdout=printed)
    assert "Delivered to the mailbox bob@example.org" in printed.getvalue()
