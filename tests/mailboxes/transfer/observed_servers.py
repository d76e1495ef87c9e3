"""Mail servers of tests, whose deliveries and logins can be observed."""

import os
import re
import secrets
import time
from dataclasses import dataclass, replace
from typing import NamedTuple

from tests import mail_receivers, postfix_server
from tests.servers import PATIENCE, MariaDBClient

READER = f"reader{os.getpid()}"  # tests beside these use the same server


SENDER = "sender@far.test"


LINE = re.compile(
    r"(?P<service>\S+?)\[\d+\]: \w+: to=<(?P<to>[^>]*)>,.* status=(?P<status>\w+) \((?P<text>.*)\)"
)


@dataclass(frozen=True)
class Place:
    """A database and the account with which a mail server queries it."""

    server: MariaDBClient
    name: str
    user: str = READER
    password: str = "reader"

    def with_account(self, user="", grants=None):
        """Return the same with an account that has these grants, by default to read all tables."""
        place = replace(self, user=user or self.user)
        person = f"'{place.user}'@'%'"
        usual = [f"GRANT SELECT ON `{self.name}`.* TO {person};"]
        sql = [f"CREATE OR REPLACE USER {person} IDENTIFIED BY '{place.password}';"]
        self.server.execute("\n".join(sql + (usual if grants is None else grants)))
        return place


class Outcome(NamedTuple):
    """The outcome of a message: its refusal, or its deliveries.

    An end is (final recipient, maildir within the mail folder), (…, `transport:next hop`), or
    (…, `bounced: …` or `deferred: …`).
    """

    refusal: str
    ends: frozenset = frozenset()


def keep_here(server):
    """Send nothing outside: the log shows the intended destination."""
    path = server.config / "master.cf"
    way = r"\1discard -o syslog_name=to/\2"
    path.write_text(re.sub(r"^((smtp|relay) +unix .*)\bsmtp$", way, path.read_text(), flags=re.M))


class Observed:
    """A Postfix with its Dovecot, whose deliveries and logins can be observed."""

    inside = None  # a port for clients that may relay

    def outcome_of(self, address, inside=False, sender=SENDER):
        """Send by SMTP, from outside or from the system's own network; return the outcome."""
        token = secrets.token_hex(8)
        with self.smtp(self.inside if inside else None) as client:
            client.ehlo()
            client.mail(sender)
            code, text = client.rcpt(address)
            if code != 250:
                return Outcome(f"{code} {text.decode()}")
            code, reply = client.data(f"From: {sender}\nSubject: {token}\n\n{token}\n")
        assert code == 250, reply
        lines = self._settled(postfix_server.queue_id(reply))
        return Outcome("", frozenset(self._end(hit, token) for hit in lines))

    def _settled(self, queue_id):
        """Return the log line for each recipient, without waiting for retries."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            lines = [line for line in self._lines() if f" {queue_id}: " in line]
            known = re.search(r"nrcpt=(\d+)", "\n".join(lines))
            hits = list(filter(None, map(LINE.search, lines)))
            if known and len(hits) >= int(known[1]):
                break
            time.sleep(0.01)
        else:
            raise RuntimeError("\n".join(self._lines()[-40:]))
        if any(hit["status"] == "deferred" for hit in hits):
            self.tool("postsuper", "-d", queue_id)
        return hits

    def _end(self, hit, token):
        if hit["status"] != "sent":
            return hit["to"], f"{hit['status']}: {hit['text']}"
        if hit["service"].endswith("/discard"):
            return hit["to"], f"{hit['service'].split('/')[-2]}:{hit['text']}"
        return hit["to"], self._maildir(hit["to"], token)

    def _maildir(self, recipient, token):
        """Return the folder into which this was delivered for this recipient."""
        for path in (self.folder / "mail").rglob("*"):
            if path.parent.name in ("new", "cur") and path.is_file():
                mail = mail_receivers.read_mail(path)
                if mail["Subject"] == token and mail["Delivered-To"] == recipient:
                    return str(path.parent.parent.relative_to(self.folder / "mail"))
        raise AssertionError(f"{recipient} was sent something that is nowhere.")

    def signs_in(self, address, password, client="127.0.0.1"):
        """Return whether Dovecot accepts this password from this address."""
        options = ("-x", "service=imap", "-x", f"rip={client}")
        return self.dovecot.tool("auth", "test", *options, address, password).returncode == 0

    def home_of(self, address):
        """Return Dovecot's fields of a user: home, mail, uid, quota_rule …; empty if unknown.

        Paths are relative to the mail folder.
        """
        said = self.dovecot.tool("user", address)
        lines = [line.split("\t") for line in said.stdout.splitlines()[1:]]
        mail = str(self.folder / "mail")
        return {line[0]: line[-1].replace(mail, "") for line in lines}
