"""Older mail systems, run with their own files.

`configurations/` has the files as the guides have them. The tests change only names, ports,
folders and the location of the database; mail to external hosts is logged and dropped.
"""

import imaplib
import os
import re
import shutil
from pathlib import Path
from typing import NamedTuple

from tests import dovecot_server, postfix_server
from tests.mailboxes.transfer.observed_servers import Observed, Place, keep_here
from tests.mailboxes.transfer.reading import SAMPLES
from tests.servers import free_port

OLD_RELEASE = "12"  # the last with Dovecot 2.3, for which these files were written


CONFIGURATIONS = Path(__file__).parent / "configurations"


# A second port is for the system's own network.
MASTER = (
    postfix_server.MASTER + "127.0.0.1:{inside} inet n - n - - smtpd -o mynetworks=127.0.0.0/8\n"
)


INDEXED = re.compile(r"\b(?:hash|btree):[^\s,]+")


TABLE = re.compile(r"\b(?:mysql|hash|btree|texthash):[^\s,]+")


# Parameters set by the tests elsewhere that belong to the system.
ITS_OWN = ("mydestination", "virtual_uid_maps", "virtual_gid_maps", "virtual_minimum_uid")


class Fix(NamedTuple):
    """A fix that a system needs to deliver at all; without an old text, a line is added."""

    file: str
    old: str
    new: str


class OldSystem(Observed, postfix_server.Postfix):
    """A Postfix and its Dovecot with an operator's configuration.

    `fixed` chooses the fixes to apply: all, none, or those of these names.
    Dovecot may query with its own account: `dovecot_place`.
    """

    release = OLD_RELEASE
    files = None  # a folder with `postfix` and `dovecot`
    sample = ""  # its SQL dump, or its folder of files
    paths = {}  # a path in the files → its replacement in the test
    words = {}  # other texts of the files that differ on this machine
    fixes = {}
    owner = postfix_server.NOBODY  # owner of the mail

    def __init__(self, place=None, fixed=True, dovecot_place=None):
        self.inside = free_port()
        super().__init__(master=MASTER, inside=self.inside)
        self.place, self.dovecot_place = place, dovecot_place or place
        self._own_folders()
        self._add_files("postfix", self.config)
        self._add_files("dovecot", self.folder / "dovecot")
        self._apply_fixes(self.fixes if fixed is True else fixed or ())
        self._adapt()
        keep_here(self)
        self.dovecot = OldDovecot(self.folder)
        self.dovecot.adapt()

    def _own_parameters(self):
        usual = super()._own_parameters()
        kept = {name: value for name, value in usual.items() if name not in ITS_OWN}
        return kept | {"smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination"}

    def _own_folders(self):
        os.chown(self.folder / "mail", *self.owner)
        (self.folder / "queue/private").mkdir(0o700)
        shutil.chown(self.folder / "queue/private", "postfix")

    # Its files and their adaptations

    def _add_files(self, name, folder):
        """Copy the system's files; they override existing ones."""
        for path in (self.files / name).rglob("*"):
            if path.is_file():
                there = folder / path.relative_to(self.files / name)
                there.parent.mkdir(exist_ok=True, parents=True)
                before = there.read_text() if there.exists() else ""
                there.write_text(without(before, path.read_text()) + path.read_text())

    def _apply_fixes(self, names):
        for name in names:
            fix = self.fixes[name]
            path = self.folder / fix.file
            text = path.read_text()
            assert fix.old in text, fix
            path.write_text(text.replace(fix.old, fix.new) if fix.old else text + fix.new)

    def _adapt(self):
        for folder in (self.config, self.folder / "dovecot"):
            for path in filter(Path.is_file, folder.rglob("*")):
                path.write_text(self._adapted(path.read_text()))
        for table in INDEXED.findall(self._main()):
            self.tool("postmap", table, check=True)

    def _adapted(self, text):
        if self.place:
            text = re.sub(r"^(hosts|user|password|dbname) = .*", self._setting, text, flags=re.M)
            text = re.sub(r"^connect = .*", self._connect, text, flags=re.M)
        for old, new in self._words().items():
            text = text.replace(old, new)
        return text

    def _setting(self, hit):
        place = self.place
        values = {"hosts": f"127.0.0.1:{place.server.port}", "user": place.user}
        values |= {"password": place.password, "dbname": place.name}
        return f"{hit[1]} = {values[hit[1]]}"

    def _connect(self, _hit):
        place = self.dovecot_place
        where = f"host=127.0.0.1 port={place.server.port} dbname={place.name}"
        return f"connect = {where} user={place.user} password={place.password}"

    def _words(self):
        """Return the replacements: texts first, since they contain paths; longer paths first."""
        ours = {"/etc/postfix": "etc", "/etc/dovecot": "dovecot", "/var/spool/postfix": "queue"}
        ours |= self.paths
        by_length = sorted(ours, key=len, reverse=True)
        return self.words | {path: str(self.folder / ours[path]) for path in by_length}

    def _main(self):
        """main.cf, a line for each parameter."""
        lines = (self.config / "main.cf").read_text().splitlines()
        text = "\n".join(line for line in lines if line.strip() and line.lstrip()[0] != "#")
        return re.sub(r"\n\s+", " ", text)

    def run(self):
        self.dovecot.run()
        return super().run()

    def stop(self, keep=False):
        if hasattr(self, "dovecot"):
            self.dovecot.stop()
        super().stop(keep)

    # Lookups

    def tables(self):
        """Return parameter → its tables, in order."""
        found = {}
        for line in self._main().splitlines():
            name, _equals, value = line.partition("=")
            if tables := TABLE.findall(value):
                found[name.strip()] = tables
        found.pop("alias_maps", None)
        return found

    def answers(self, keys):
        """Return parameter → key → the first result of its tables, or None."""
        return {
            name: self._first_answers(tables, list(dict.fromkeys(keys)))
            for name, tables in self.tables().items()
        }

    def _first_answers(self, tables, keys):
        found = dict.fromkeys(keys)
        for table in reversed(tables):
            found |= self.look_up(table, keys)
        return found

    def look_up(self, table, keys):
        """Return key → result of one table, without missing keys."""
        said = self.tool("postmap", "-q", "-", table, input="".join(f"{key}\n" for key in keys))
        assert not said.stderr.strip(), said.stderr
        some = "|".join(sorted(map(re.escape, keys), key=len, reverse=True))
        _nothing, *found = re.split(rf"^({some})\t", said.stdout, flags=re.M)
        return {
            key: text.removesuffix("\n") for key, text in zip(found[::2], found[1::2], strict=True)
        }


def without(text, other):
    """Return a main.cf without parameters that the other overrides."""
    lines = text.splitlines(keepends=True)
    overridden = set(re.findall(r"^(\w+) *=", other, re.M))
    return "".join(line for line in lines if line.partition(" =")[0] not in overridden)


class OldDovecot(dovecot_server.Dovecot):
    """A Dovecot without encryption."""

    release = OLD_RELEASE

    def __init__(self, shared):
        super().__init__(shared, {"imap": free_port()})

    def adapt(self):
        (self.folder / "dovecot.log").touch()
        (self.folder / "dovecot.log").chmod(0o666)  # the delivery program runs unprivileged
        with (self.shared / "dovecot/dovecot.conf").open("a") as file:
            file.write(
                f"base_dir = {self.folder}/run\nstate_dir = {self.folder}/state\n"
                f"log_path = {self.folder}/dovecot.log\nlisten = 127.0.0.1\n"
                "ssl = no\ndisable_plaintext_auth = no\n"
                + self._listener("imap", self.ports["imap"])
                + dovecot_server.NO_PENALTY
            )

    def imap(self):
        return imaplib.IMAP4("127.0.0.1", self.ports["imap"])


# The systems


class Ispmail(OldSystem):
    files = CONFIGURATIONS / "ispmail"
    sample = "ispmail.sql"
    paths = {"/var/vmail": "mail"}
    owner = (5000, 5000)


class Forwardings(OldSystem):
    files = CONFIGURATIONS / "forwardings"
    sample = "forwardings.sql"
    paths = {"/home/vmail": "mail"}
    fixes = {
        # For a domain with a row, it returns the domain's name, which is not a transport.
        "transport": Fix(
            "etc/mysql-virtual_transport.cf", "SELECT domain FROM", "SELECT transport FROM"
        ),
    }
    owner = (200, 200)


class PostfixAdmin2007(OldSystem):
    files = CONFIGURATIONS / "postfixadmin-2007"
    sample = "postfixadmin-2007.sql"
    paths = {"/var/spool/postfix/vmail": "mail"}
    owner = (901, 901)


class PostfixAdminCram(OldSystem):
    files = CONFIGURATIONS / "postfixadmin-cram"
    sample = "postfixadmin-cram.sql"
    paths = {"/var/mail": "mail"}
    words = {
        "vmail:vmail": "nobody:nogroup",
        "2000": str(postfix_server.NOBODY[0]),
        "/usr/local/libexec/dovecot/dovecot-lda": (
            "/usr/lib/dovecot/dovecot-lda -c /etc/dovecot/dovecot.conf"
        ),
    }
    fixes = {
        # pipe's flag D takes one recipient at a time.
        "recipients": Fix("etc/main.cf", "", "dovecot_destination_recipient_limit = 1\n"),
        # `%/` is no variable, and the delivery program ends.
        "location": Fix("dovecot/dovecot.conf", "/d%/", "/%d/"),
    }


class HashFiles(OldSystem):
    """A system whose files are its data; `files` may be a changed copy."""

    files = SAMPLES / "hash"
    sample = "hash"
    paths = {"/var/spool/postfix/vmail": "mail"}
    owner = (901, 901)

    def __init__(self, files=None, fixed=True):
        self.files = files or self.files
        super().__init__(fixed=fixed)


# Their databases

IN_OUR_TIME = (  # statements that current servers refuse, or about another database
    (r"\bTYPE=", "ENGINE="),
    (r"^(CREATE DATABASE|USE) .*;$", ""),
    (r"NAMES latin1", "NAMES utf8mb4"),
    (r"`pfa_", "`"),  # the guide's queries know no prefix
)


def load(mariadb, system, name):
    """Create a database from the system's sample."""
    raw = (SAMPLES / system.sample).read_bytes()
    text = raw.decode("latin1" if b"NAMES latin1" in raw else "utf-8")
    for old, new in IN_OUR_TIME:
        text = re.sub(old, new, text, flags=re.M)
    mariadb.create(name, charset="latin1")
    mariadb.execute(text, name)
    return Place(mariadb, name)
