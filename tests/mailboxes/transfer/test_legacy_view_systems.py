"""Older systems run by their own files, on their own database and, after a move, on the panel's.

Lookups, deliveries and logins are compared before and after the move.
"""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from mailadmin import passwords
from mailboxes.models import Alias, Mailbox
from mailboxes.services.mailboxes import set_mailboxes
from tests import mailservers
from tests.base import PASSWORD
from tests.mailboxes.delivery.sending import (
    add_alias_domain,
    alias,
    domain,
    mailbox,
    perform_service,
)
from tests.mailboxes.transfer import legacy_systems
from tests.mailboxes.transfer.observed_servers import READER, Outcome, Place

LETTERS, DOORS = "pens", "gates"  # accounts of Postfix and Dovecot, for these tests only
pytestmark = [
    pytest.mark.slow,
    pytest.mark.mariadb,
    pytest.mark.mailserver,
    pytest.mark.django_db(transaction=True),
    mailservers.needs_root,
]


@pytest.fixture
def moving(mariadb, empty_database, tmp_path):
    """A move from one database into the panel's, with views in a third."""
    move = Move(mariadb, empty_database.rpartition("/")[2], tmp_path / "rejects.json")
    yield move
    move.clean()


class Move:
    """A system's database and its import into the panel's."""

    def __init__(self, mariadb, name, rejects):
        self.mariadb, self.name, self.rejects = mariadb, name, rejects

    def load(self, kind):
        """Return the system on its own database, readable by one account."""
        self.kind = kind
        self.old = legacy_systems.load(self.mariadb, kind, f"{self.name}_old").with_account()
        self.sources = {"place": self.old}
        return self

    def column(self, sql):
        return self.mariadb.execute(sql, self.old.name)

    def keys(self, domains, others):
        """Return all keys of the tables, whole domains, unknown keys and other spellings."""
        names, others = self.column(domains), self.column(others)
        keys = [f"{who}@{name}" for name in names for who in ("", "nobody")]
        keys += [*names, *others, f"nobody@sub.{names[0]}", "who@elsewhere.example", "*", "@"]
        keys += [key.upper() for key in others[:3]]
        keys += [key.replace("@", "+x@") for key in others[:3]]
        return list(dict.fromkeys([*keys, *FOREIGN]))

    def into_the_panel(self, source, *options):
        """Import the database; return the errors of refused rows."""
        url = self.mariadb.url(self.old.name)
        arguments = ["--from", source, "--source", url, "--apply", "--rejects", self.rejects]
        try:
            call_command(
                "import", *map(str, arguments), *options, stdout=io.StringIO(), stderr=io.StringIO()
            )
        except CommandError as error:
            return str(error)
        return ""

    def onto_views(self, system):
        """Let the system's files query the views, by accounts with the printed grants."""
        out = io.StringIO()
        accounts = ["--postfix-account", f"{LETTERS}@%", "--dovecot-account", f"{DOORS}@%"]
        call_command("compat-views", system, "--database", self.name, *accounts, stdout=out)
        grants = [line for line in out.getvalue().splitlines() if line.startswith("GRANT")]
        postfix_place, dovecot_place = (
            Place(self.mariadb, self.name, user).with_account(
                grants=[line for line in grants if f"'{user}'" in line]
            )
            for user in (LETTERS, DOORS)
        )
        self.sources = {"place": postfix_place, "dovecot_place": dovecot_place}

    def onto_tables(self):
        """Let the system's files query the panel's tables directly."""
        panel = connection.settings_dict["NAME"]
        self.sources = {"place": Place(self.mariadb, panel).with_account()}

    def clean(self):
        self.mariadb.execute(
            f"DROP DATABASE `{self.old.name}`;"
            f"DROP USER IF EXISTS '{READER}'@'%', '{LETTERS}'@'%', '{DOORS}'@'%'"
        )

    # Observations

    def answers(self, keys, fixed=False):
        """Return parameter → key → result, with unchanged files."""
        with self.kind(fixed=fixed, **self.sources) as system:
            return {name: read(found) for name, found in system.answers(keys).items()}

    def seen(self, keys, words):
        """Return all lookups, the outcome of mail to addresses from both sides, and logins."""
        with self.kind(**self.sources) as system:
            system.run()
            addresses = [key for key in keys if key.isascii() and "@" in key[1:]]
            return {name: read(found) for name, found in system.answers(keys).items()} | {
                "mail": {key: lowered(system.outcome_of(key)) for key in addresses},
                "mail from inside": {
                    key: lowered(system.outcome_of(key, inside=True)) for key in addresses
                },
                "home": {key: system.home_of(key) for key in addresses},
                "login": {key: can_log_in(system, key, word) for key, word in words.items()},
            }


FOREIGN = ["böb@example.org", "bücher.example"]


def read(answers):
    """Return the targets of a list, in any order and with any separators."""
    return {key: text and sorted(text.replace(",", " ").split()) for key, text in answers.items()}


def lowered(outcome):
    """Lower-case the address: an alias returns the stored one, otherwise the sender's is kept."""
    return Outcome(
        outcome.refusal, frozenset((who.lower(), where.lower()) for who, where in outcome.ends)
    )


def can_log_in(system, address, word):
    """Return whether the user can log in with their password and with a wrong one."""
    return system.signs_in(address, word), system.signs_in(address, "no word of theirs")


def differences(before, after):
    """Return (subject, key) → (before, after) of all differences."""
    return {
        (what, key): (old, after[what][key])
        for what, found in before.items()
        for key, old in found.items()
        if old != after[what][key]
    }


# Logins that failed before and succeed now; no user is locked out.
NOW_COMES_IN = ((False, False), (True, False))


def test_ispmail_files_give_the_same_answers_after_the_move(moving):
    """All mail is delivered as before. Addresses without a domain are refused."""
    moving.load(legacy_systems.Ispmail)
    keys = moving.keys(
        "SELECT name FROM virtual_domains",
        "SELECT email FROM virtual_users UNION SELECT source FROM virtual_aliases",
    )
    users = moving.column("SELECT email FROM virtual_users")
    words = {user: f"{user.partition('@')[0]} word" for user in users}
    words["email1@example.net"] = "********"
    before = moving.seen(keys, words)
    assert "1 row was rejected" in moving.into_the_panel("ispmail")
    moving.onto_views("ispmail")
    found = differences(before, moving.seen(keys, words))
    assert found.pop(("login", "jack@doe.org")) == NOW_COMES_IN
    assert not {what for what, _key in found if what.startswith("mail")}
    # Their collation treated ö as o, so that bob got böb's mail: a bug today.
    assert {key.lower() for _what, key in found} == {"email1@example.net", "b\xf6b@example.org"}


def test_forwardings_files_give_the_same_answers_after_the_move(moving):
    """With the original, useless query for transports, and with the fixed one."""
    moving.load(legacy_systems.Forwardings)
    keys = moving.keys(
        "SELECT domain FROM domains",
        "SELECT email FROM users UNION SELECT source FROM forwardings"
        " UNION SELECT domain FROM transport"
        " UNION SELECT CONCAT('nobody@', domain) FROM transport WHERE domain LIKE 'host%'",
    )
    words = dict.fromkeys(moving.column("SELECT email FROM users"), "secret")
    as_found, before = moving.answers(keys), moving.seen(keys, words)
    assert as_found["transport_maps"]["example.com"] == ["example.com"]
    assert moving.into_the_panel("forwardings") == ""
    moving.onto_views("forwardings")
    assert differences(as_found, moving.answers(keys)) == {}
    # Digests in hex are no crypt hashes; now they have a scheme prefix.
    assert differences(before, moving.seen(keys, words)) == {
        ("login", f"{name}.com"): NOW_COMES_IN
        for name in (
            "billing@anotherdomain",
            "destination@exemple",
            "mark@exemple",
            "sales@example",
        )
    }


def test_files_of_2007_give_the_same_answers_after_the_move(moving):
    """Except for mailboxes, which are now their own targets."""
    moving.load(legacy_systems.PostfixAdmin2007)
    keys = moving.keys(
        "SELECT domain FROM domain",
        "SELECT username FROM mailbox UNION SELECT address FROM alias",
    )
    users = moving.column("SELECT username FROM mailbox")
    words = {user: user.partition("@")[0] for user in users}
    before = moving.seen(keys, words)
    assert all(before["login"][user] == (True, False) for user in users)
    assert moving.into_the_panel("postfixadmin") == ""
    moving.onto_tables()
    assert differences(before, moving.seen(keys, words)) == {
        ("virtual_alias_maps", key): (None, [key.lower()]) for key in keys if key.lower() in users
    }


def test_files_for_cram_md5_give_the_same_answers_after_the_move(moving):
    """Except for an unused vacation; the original files deliver nothing."""
    moving.load(legacy_systems.PostfixAdminCram)
    keys = moving.keys(
        "SELECT domain FROM domain WHERE domain <> 'ALL'",
        "SELECT username FROM mailbox UNION SELECT address FROM alias",
    )
    words = dict.fromkeys(moving.column("SELECT username FROM mailbox"), "secret")
    as_found, before = moving.answers(keys), moving.seen(keys, words)
    assert moving.into_the_panel("postfixadmin", "--scheme", "CRAM-MD5") == ""
    moving.onto_tables()
    away = {"old#magazin.com@autoreply.magazin.com"}
    for old, new in ((as_found, moving.answers(keys)), (before, moving.seen(keys, words))):
        found = differences(old, new)
        assert {key.lower() for _what, key in found} == {"old@magazin.com"}
        for was, now in found.values():
            assert set(targets_of(was)) - set(targets_of(now)) == away
            assert set(targets_of(now)) == {"old@magazin.com"}


def targets_of(seen):
    """Return the addresses of a result, or of deliveries."""
    return [who for who, _where in seen.ends] if isinstance(seen, Outcome) else seen


# The panel's rows, queried by older files


@pytest.fixture
def ispmail(moving):
    """ISPmail's files on the panel's rows."""
    moving.load(legacy_systems.Ispmail)
    moving.onto_views("ispmail")
    with legacy_systems.Ispmail(**moving.sources) as system:
        yield system.run()


def test_mail_for_an_inactive_mailbox_is_rejected_despite_a_catch_all(ispmail):
    for name in ("example.org", "example.com"):
        domain(name)
        for who in ("bob", "eve"):
            mailbox(f"{who}@{name}")
    alias("*@example.org", "bob@example.org")
    perform_service(set_mailboxes, ["eve@example.org", "eve@example.com"], "active", False)
    ((address, end),) = ispmail.outcome_of("eve@example.org").ends
    assert (address, end.partition(":")[0]) == ("eve@example.org", "bounced")
    assert ispmail.outcome_of("nobody@example.org").ends == {("bob@example.org", BOBS)}
    assert "550 5.1.1 <eve@example.com>" in ispmail.outcome_of("eve@example.com").refusal
    assert not ispmail.signs_in("eve@example.org", PASSWORD)


BOBS = "example.org/bob/Maildir"


def test_an_alias_domain_of_the_panel_works_with_older_files(ispmail):
    domain()
    mailbox("bob@example.org")
    add_alias_domain("example.net")
    alias("info@example.org", "bob@example.org")
    for address in ("bob@example.net", "info@example.net", "INFO@Example.NET"):
        assert ispmail.outcome_of(address).ends == {("bob@example.org", BOBS)}


def test_a_mailbox_without_its_alias_keeps_its_mail(moving, ispmail):
    """Also with files that do not look up mailboxes among the aliases."""
    domain()
    mailbox("bob@example.org")
    mailbox("carol@example.org")
    alias("*@example.org", "carol@example.org")
    Alias.objects.filter(pk="bob@example.org").delete()
    (table, _by_mailbox) = ispmail.tables()["virtual_alias_maps"]
    ispmail.set({"virtual_alias_maps": table})
    ispmail.tool("postfix", "reload", check=True)
    assert ispmail.outcome_of("bob@example.org").ends == {("bob@example.org", BOBS)}


def test_older_files_send_no_vacation_replies_and_deliver_the_mail(ispmail):
    domain()
    mailbox("bob@example.org")
    row = Alias.objects.filter(pk="bob@example.org")
    row.update(goto="bob@example.org,bob#example.org@autoreply.localhost")
    assert ispmail.outcome_of("bob@example.org").ends == {("bob@example.org", BOBS)}


@pytest.mark.parametrize("scheme", ["PLAIN-MD5", "CRAM-MD5"])
def test_new_passwords_verify_with_any_default_scheme_of_older_dovecot(moving, monkeypatch, scheme):
    domain()
    mailbox("bob@example.org")
    moving.load(legacy_systems.Ispmail)
    moving.onto_views("ispmail")
    words = {"default_pass_scheme = SHA512-CRYPT": f"default_pass_scheme = {scheme}"}
    monkeypatch.setattr(legacy_systems.Ispmail, "words", words)
    with legacy_systems.Ispmail(**moving.sources) as system:
        system.dovecot.run()
        for made_as in ("BLF-CRYPT", "SHA512-CRYPT", "ARGON2ID", "SSHA512", scheme):
            stored = passwords.make_hash(PASSWORD, "bob@example.org", made_as)
            Mailbox.objects.filter(pk="bob@example.org").update(password=stored)
            assert can_log_in(system, "bob@example.org", PASSWORD) == (True, False), stored


@pytest.mark.parametrize("system", [legacy_systems.Forwardings, legacy_systems.PostfixAdminCram])
def test_an_unfixed_system_delivers_nothing(moving, system):
    """Otherwise the comparison with fixes would be pointless."""
    moving.load(system)
    address = {legacy_systems.Forwardings: "info@example.com"}.get(system, "admin@magazin.com")
    with system(fixed=False, **moving.sources) as running:
        running.run()
        assert {end.partition(":")[0] for _who, end in running.outcome_of(address).ends} == {
            "deferred"
        }
