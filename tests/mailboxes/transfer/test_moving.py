"""Moves of whole systems: routes and logins are the same before and after.

Each system runs on its own data by its own files; then its data is imported, and the results are
compared with Postfix and Dovecot as set up by the panel. Differences are listed with reasons.
"""

import io
import os
import re
from dataclasses import dataclass, field

import pytest
from django.core.management import CommandError, call_command

from mailboxes.models import Mailbox, PlanRow
from tests import mailservers
from tests.mailboxes.transfer import legacy_systems
from tests.mailboxes.transfer.legacy_systems import (
    Forwardings,
    HashFiles,
    Ispmail,
    OldSystem,
    PostfixAdmin2007,
    PostfixAdminCram,
)
from tests.mailboxes.transfer.observed_servers import Outcome
from tests.mailboxes.transfer.reading import SAMPLES
from tests.servers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.mariadb, pytest.mark.mailserver, mailservers.needs_root]

UNKNOWN = "nobody.at.all"
INSIDE = """
127.0.0.1:{port} inet n - n - - smtpd -o mynetworks=127.0.0.0/8
  -o smtpd_recipient_restrictions=permit_mynetworks,reject
  -o smtpd_relay_restrictions=permit_mynetworks,reject -o smtpd_sender_restrictions=
"""


class Moved(mailservers.MailServer):
    """The panel's configuration; outbound mail is logged and dropped, as in the old system."""

    outcome_of, _settled, _end = OldSystem.outcome_of, OldSystem._settled, OldSystem._end
    signs_in = OldSystem.signs_in

    def _maildir(self, recipient, token):
        """Return where Dovecot has delivered it; it names a recipient only if there is one."""
        local_part, _at, domain = recipient.partition("@")
        mailbox = Mailbox.objects.get(pk=f"{local_part.partition('+')[0]}@{domain}")
        mails = self.mails(mailbox.pk, mailbox.maildir)
        assert token in [mail["Subject"] for mail in mails], recipient
        return mailbox.maildir.rstrip("/")

    def _adapt_postfix(self):
        super()._adapt_postfix()
        self.inside = free_port()
        path = self.config / "master.cf"
        text = path.read_text()
        for name in ("smtp", "relay"):
            there = rf"^{name} +unix .*$"
            dropped = f"{name} unix - - n - - discard -o syslog_name=to/{name}"
            text, count = re.subn(there, dropped, text, flags=re.M)
            assert count == 1, name
        path.write_text(text + INSIDE.format(port=self.inside))


@dataclass(frozen=True)
class Journey:
    """A system, its probes, and the intended differences."""

    system: type
    format: str
    outside: tuple  # addresses that receive mail from outside
    inside: tuple = ()  # addresses that receive mail from the system's own network
    passwords: dict = field(default_factory=dict)
    unread: frozenset = frozenset()  # hashes that the old Dovecot could not read with its settings
    maildir: str = "{domain}/{local_part}/"
    refused: frozenset = frozenset()  # rows that cannot be imported
    different: dict = field(default_factory=dict)  # address → the panel's refusal or delivery

    def __str__(self):
        return self.system.__name__

    def origin(self, mariadb, name):
        """Return the data of the old system and the options of the import."""
        if self.system is HashFiles:
            return None, SAMPLES / "hash/postfix"
        place = legacy_systems.load(mariadb, self.system, name)
        return place.with_account(), mariadb.url(name)


@pytest.fixture
def both(request, transactional_db, mariadb, settings, tmp_path):
    """The old system and the new one, side by side, after the move."""
    journey = request.param
    settings.MAILADMIN_MAILDIR = journey.maildir
    place, source = journey.origin(mariadb, f"moving_{os.getpid()}")
    brought_in(journey, source, tmp_path / "refused.json")
    old = journey.system(place) if place else journey.system()
    with old, Moved() as new:
        mailservers.open_database(new, request)
        yield journey, old.run(), new.run()
    if place:
        mariadb.execute(f"DROP DATABASE `{place.name}`")


def unknown(address):
    """Return a refusal, where the old system accepted and bounced the mail."""
    text = (
        f"550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table"
    )
    return address, Outcome(text)


def denied(address):
    return address, Outcome(f"554 5.7.1 <{address}>: Relay access denied")


def reaches(address, *ends):
    return address, Outcome("", frozenset(ends))


def brought_in(journey, source, rejects):
    words = ("--from", journey.format, "--source", source, "--apply", "--rejects", rejects)
    try:
        call_command("import", *map(str, words), stdout=io.StringIO())
    except CommandError:
        assert set(refused_rows()) == journey.refused
    else:
        assert not journey.refused


def refused_rows():
    return PlanRow.objects.filter(verb=PlanRow.Verb.REFUSED).values_list("key", flat=True)


ISPMAIL = Journey(
    Ispmail,
    "ispmail",
    outside=(
        *("john@example.org", "bob@example.org", "carol@example.org", "jack@example.org"),
        *("team@example.org", f"{UNKNOWN}@example.org", "john@doe.org", "jack@doe.org"),
        *("jeff@foo.org", "john@doe.net", f"{UNKNOWN}@doe.org", "BOB@Example.ORG"),
        *("bob+shop@example.org", "email1@example.net", "friend@far.test"),
    ),
    passwords={
        "john@example.org": "john word",
        "bob@example.org": "bob word",
        "carol@example.org": "carol word",
        "john@doe.org": "john word",
        "jack@doe.org": "jack word",
        "jeff@foo.org": "jeff word",
    },
    unread=frozenset({"jack@doe.org"}),  # MD5 in hex
    maildir="{domain}/{local_part}/Maildir/",
    refused=frozenset({"email1@example.net"}),  # mail was never accepted there
    different=dict(
        [  # an extension was delivered to the catch-all, whose owner is the same
            reaches("bob+shop@example.org", ("bob+shop@example.org", "example.org/bob/Maildir"))
        ]
    ),
)
FORWARDINGS = Journey(
    Forwardings,
    "forwardings",
    outside=(
        *("sales@example.com", "info@example.com", "thomas@example.com", "joe@example.com"),
        *(f"{UNKNOWN}@example.com", "info@example.org", "billing@anotherdomain.com"),
        *("billing@example.net", f"{UNKNOWN}@example.net", "billing@partial.example"),
        *("boss@partial.example", "source@exemple.com", "destination@exemple.com"),
        *("mark@exemple.com", "paul@exemple.com", f"{UNKNOWN}@exemple.com"),
        *("x@sub.example.com", "x@host1.example.com", "friend@far.test"),
    ),
    inside=(
        *("x@sub.example.com", "x@host1.example.com", "x@host2.example.com"),
        *("x@host3.example.com", "x@host4.example.com", "x@host5.example.com"),
        *("joe@example.com", "friend@far.test", "x@deep.sub.example.com"),
    ),
    passwords={
        "billing@anotherdomain.com": "secret",  # SHA-256 in hex
        "destination@exemple.com": "secret",  # SHA-1
        "mark@exemple.com": "secret",  # MD5
        "info@exemple.com": "secret",  # DES
        "sales@example.com": "secret",  # SHA-512 in hex
        "paul@exemple.com": "secret",  # $6$
    },
    unread=frozenset(
        {
            *("billing@anotherdomain.com", "destination@exemple.com"),
            *("mark@exemple.com", "sales@example.com"),
        }
    ),
    different=dict([unknown(f"{UNKNOWN}@example.net")]),
)
NAMES = {
    "alpha.example.org": ("alfred", "bob", "charlie"),
    "beta.example.org": ("auntie", "bill", "chou"),
    "gamma.example.org": ("alistair", "ben", "cinder"),
}
NINE = {f"{name}@{domain}": name for domain, names in NAMES.items() for name in names}
UNKNOWN_ADDRESSES = tuple(f"{UNKNOWN}@{domain}" for domain in NAMES)
SHOP = "bob+shop@alpha.example.org"  # that system knew no extensions
POSTFIXADMIN_2007 = Journey(
    PostfixAdmin2007,
    "postfixadmin",
    outside=(*NINE, *UNKNOWN_ADDRESSES, SHOP, "friend@far.test"),
    passwords=NINE,
    different=dict([reaches(SHOP, (SHOP, "alpha.example.org/bob@alpha.example.org"))]),
)
CRAM = Journey(
    PostfixAdminCram,
    "postfixadmin",
    outside=(
        *("admin@magazin.com", "wilma.pebble@example.com", "wilma@example.com"),
        *("pebble@example.com", f"{UNKNOWN}@magazin.com", "admin@book.com", "off@magazin.com"),
        *(f"{UNKNOWN}@book.com", "old@magazin.com", f"{UNKNOWN}@example.com"),
        *("x@backup.example.net", "x@sub.backup.example.net", "friend@far.test"),
    ),
    passwords=dict.fromkeys(
        ("admin@magazin.com", "wilma.pebble@example.com", "old@magazin.com"), "secret"
    ),
    unread=frozenset({"old@magazin.com"}),  # $1$, where all were to be CRAM-MD5
    different=dict(
        [
            # The catch-all of the target domain was never looked up.
            reaches(f"{UNKNOWN}@book.com", ("admin@magazin.com", "magazin.com/admin")),
            # A copy was sent to a missing autoresponder.
            reaches("old@magazin.com", ("old@magazin.com", "magazin.com/old")),
            # It relayed for subdomains of a backup MX domain.
            denied("x@sub.backup.example.net"),
        ]
    ),
)
HASH = Journey(
    HashFiles,
    "hashfiles",
    outside=(
        *(*NINE, *UNKNOWN_ADDRESSES, SHOP, "info@alpha.example.org", "info@forwards.example"),
        *(f"{UNKNOWN}@forwards.example", "bob@delta.example", "info@delta.example"),
        *(f"{UNKNOWN}@delta.example", "x@backup.example.net", "x@sub.example.net"),
        "friend@far.test",
    ),
    inside=("x@sub.example.net", "x@backup.example.net"),
    passwords={"alfred@alpha.example.org": "alfred", "bob@alpha.example.org": "bob"},
    different=dict(
        [
            reaches(SHOP, (SHOP, "alpha.example.org/bob")),
            unknown(f"{UNKNOWN}@delta.example"),
        ]
    ),
)
journeys = pytest.mark.parametrize(
    "both", [ISPMAIL, FORWARDINGS, POSTFIXADMIN_2007, CRAM, HASH], indirect=True, ids=str
)


@journeys
def test_routes_and_logins_are_the_same_after_the_move(both):
    journey, old, new = both
    assert differences(journey, old, new) == {}
    for address, password in journey.passwords.items():
        assert old.signs_in(address, password) == (address not in journey.unread), address
        assert new.signs_in(address, password), address
        assert not new.signs_in(address, f"?{password}"), address
    shut = Mailbox.objects.exclude(pk__in=journey.passwords)
    for mailbox in shut:
        for password in ("", "!", "secret", mailbox.password):
            assert not new.signs_in(mailbox.pk, password), mailbox


def differences(journey, old, new):
    """Return address → both outcomes, where they are neither equal nor as intended."""
    found = {}
    probes = [(a, False) for a in journey.outside] + [(a, True) for a in journey.inside]
    for address, inside in probes:
        before, after = normalized(old.outcome_of(address, inside)), new.outcome_of(address, inside)
        if after != journey.different.get(address, before):
            found[address, inside] = before, after
    return found


def normalized(outcome):
    """With the panel, a domain of aliases only is an ordinary domain."""
    return outcome._replace(
        refusal=outcome.refusal.replace("virtual alias table", "virtual mailbox table")
    )
