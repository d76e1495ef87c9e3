"""The generated configuration: Dovecot's delivery program, and CRAM-MD5."""

import pytest

from domains.models import Domain
from mailadmin import passwords
from mailadmin.changes.perform import Actor, perform
from mailboxes.models import Mailbox, Usage
from mailboxes.services.aliases import create_aliases
from mailboxes.services.mailboxes import create_mailboxes
from tests import mailservers
from tests.base import PASSWORD, build_world
from tests.mailboxes.generated_files import receive
from tests.mailservers import MailServer


@pytest.mark.mailserver
@mailservers.needs_root
def test_dovecot_lda_accepts_several_recipients_of_a_domain(transactional_db, request):
    build_world()
    with MailServer(delivery="lda", lda="/usr/lib/dovecot/dovecot-lda -c {dovecot}") as server:
        mailservers.open_database(server, request)
        alias = {"local_part": "all", "domain": Domain.objects.get(pk="example.org")}
        targets = ["bob@example.org", "carol@example.com", "erin@example.org"]
        erin = alias | {"local_part": "erin", "password": "x", "quota": 0}
        perform(Actor.console(), create_mailboxes, [erin])
        perform(Actor.console(), create_aliases, [alias | {"goto": targets}])
        server.run()
        log = receive(server, "all@example.org")
        assert sum("relay=dovecot" in line and "status=sent" in line for line in log) == 3, log
        assert not any("rror" in line for line in log), log
        for address in targets:
            [mail] = server.mails(address)
            assert mail["Delivered-To"] == address
        assert Usage.objects.get(pk="erin@example.org").messages == 1


@pytest.mark.mailserver
@mailservers.needs_root
def test_dovecot_offers_cram_md5_and_accepts_it(transactional_db, request):
    build_world()
    with MailServer(cram_md5=True) as server:
        mailservers.open_database(server, request)
        challenge_bob()
        server.dovecot.run()
        answers_challenge(server.dovecot)


def challenge_bob():
    stored = passwords.make_hash(PASSWORD, "bob@example.org", "CRAM-MD5")
    Mailbox.objects.filter(pk="bob@example.org").update(password=stored)


def answers_challenge(dovecot):
    with dovecot.imap() as imap:
        assert "AUTH=CRAM-MD5" in imap.capabilities
        assert imap.login_cram_md5("bob@example.org", PASSWORD)[0] == "OK"
    with dovecot.imap() as imap:
        assert imap.login("bob@example.org", PASSWORD)[0] == "OK"
    with dovecot.imap() as imap, pytest.raises(imap.error):
        imap.login_cram_md5("bob@example.org", "wrong")
