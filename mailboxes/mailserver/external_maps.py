"""The tables of an operator's own configuration, asked with care.

An SQL map is asked with its own account: one SELECT, read only, two seconds at most, and not at
all with an account that may write. Other maps are asked by `postmap -q`; what cannot be asked is
never guessed.
"""

import os
import re
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from mailboxes.mailserver.config_parser import maps as lists
from mailboxes.mailserver.config_parser.postfix import PostfixFiles, read_logical_lines
from mailboxes.mailserver.programs import find_program
from mailboxes.postfix.routing import Lookup, LookupTable, RoutingConfig, StaticTable, split_address

QUERY_TIMEOUT_SECONDS = 2
CONNECT_TIMEOUT_SECONDS = 10  # seconds for a connection and for postmap
POSTMAP_STDIN_KEY = (
    "-"  # as a key it makes postmap read keys from there, and answer with key and value
)
GRANT_RE = re.compile(r"GRANT (.+?) ON .+ TO ", re.IGNORECASE)
READ_PRIVILEGES = {"USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES"}
PLACEHOLDER_RE = re.compile(r"%([%sSuUdD1-9])")
DOMAIN_LIST_PARAMETERS = (
    "virtual_mailbox_domains",
    "virtual_alias_domains",
    "relay_domains",
    "mydestination",
)
MAP_PARAMETERS = (
    "virtual_alias_maps",
    "virtual_mailbox_maps",
    "relay_recipient_maps",
    "local_recipient_maps",
    "transport_maps",
    "smtpd_sender_login_maps",
)
CANONICAL_PARAMETERS = ("canonical_maps", "recipient_canonical_maps")
TRANSPORT_PARAMETERS = {
    "virtual": "virtual_transport",
    "relay": "relay_transport",
    "local": "local_transport",
    "default": "default_transport",
}


class MapUnavailable(Exception):
    """Why a table is not asked."""


# The setup


def load_routing_config(directory):
    """The parameters of a folder's main.cf, with tables that ask by its maps."""
    postfix = PostfixFiles(Path(directory))
    raise_config_problems(postfix.main_settings.problems)
    if rewriting := [name for name in CANONICAL_PARAMETERS if postfix.maps(name)]:
        raise ValidationError(
            _("%(name)s rewrites addresses before anything is asked; that is not followed here.")
            % {"name": ", ".join(rewriting)}
        )
    return RoutingConfig(
        **{name: build_domain_tables(postfix, name) for name in DOMAIN_LIST_PARAMETERS},
        **{
            name: [build_map_table(postfix, word) for word in postfix.words(name)]
            for name in MAP_PARAMETERS
        },
        smtpd_recipient_restrictions=[
            build_map_table(postfix, word) for word in find_access_maps(postfix)
        ],
        recipient_delimiter=postfix.value("recipient_delimiter"),
        myorigin=postfix.value("myorigin").lower(),
        appended_domain=(
            postfix.value("mydomain").lower() if postfix.is_yes("append_dot_mydomain") else ""
        ),
        delivery_agents=find_delivery_agents(postfix),
        propagates_extensions="virtual"
        in get_lowercase_words(postfix, "propagate_unmatched_extensions"),
        relays_subdomains="relay_domains"
        in get_lowercase_words(postfix, "parent_domain_matches_subdomains"),
        access_matches_parents="smtpd_access_maps"
        in get_lowercase_words(postfix, "parent_domain_matches_subdomains"),
        transport_matches_parents="transport_maps"
        in get_lowercase_words(postfix, "parent_domain_matches_subdomains"),
        services={kind: postfix.value(name) for kind, name in TRANSPORT_PARAMETERS.items()},
        left_out=find_unsupported_restrictions(postfix),
    )


# Programs of master.cf to which mail can be given.
DELIVERY_PROGRAMS = {"smtp", "lmtp", "local", "virtual", "pipe", "error", "discard", "spawn"}
DEFAULT_MESSAGE_SIZE_LIMIT = 10_240_000  # bytes, where message_size_limit is not set


def find_delivery_agents(postfix: PostfixFiles) -> dict[str, str] | None:
    """The delivery services of master.cf, each with why it cannot work; None without a file."""
    found = {
        service.name: find_virtual_agent_error(postfix, service)
        for service in postfix.services
        if service.type == "unix"
        and service.fields[2] != "n"
        and get_program_name(service) in DELIVERY_PROGRAMS
    }
    return found or None


def get_program_name(service) -> str:
    return service.command.rpartition("/")[2]


def find_virtual_agent_error(postfix: PostfixFiles, service) -> str:
    """What virtual(8) lacks: without it mail stays in the queue."""
    if get_program_name(service) != "virtual":
        return ""
    own = postfix.for_service(service)
    limit, largest = (
        get_size_limit(own, "virtual_mailbox_limit"),
        get_size_limit(own, "message_size_limit"),
    )
    if limit and (not largest or limit < largest):
        return _("virtual_mailbox_limit is smaller than message_size_limit")
    missing = [name for name in ("virtual_uid_maps", "virtual_gid_maps") if not own.words(name)]
    return _("%(name)s is not set") % {"name": missing[0]} if missing else ""


def get_size_limit(postfix: PostfixFiles, name: str) -> int:
    text = postfix.value(name).strip()
    return int(text) if text.isascii() and text.isdigit() else DEFAULT_MESSAGE_SIZE_LIMIT


def get_lowercase_words(postfix, name):
    return [word.lower() for word in postfix.words(name)]


def raise_config_problems(problems):
    """What cannot be read decides nothing, and is named."""
    if problems:
        raise ValidationError([format_config_problem(each) for each in problems])


def format_config_problem(problem):
    return f"{problem.line}: {problem.reason or problem.code}"


def build_domain_tables(postfix, name):
    """A list of domains: words, files of words, and maps, in their order."""
    return [build_domain_table(postfix, name, word) for word in postfix.words(name)]


def build_domain_table(postfix, name, word):
    if word.startswith("/"):
        return StaticTable(word, dict.fromkeys(read_names_file(postfix, word), ""))
    if ":" in word or word.startswith("!"):
        return build_map_table(postfix, word)
    return StaticTable(name, {word: ""})


def read_names_file(postfix, path):
    """The names that a file lists, comments apart."""
    entries, problems = read_logical_lines(postfix.resolve_path(path))
    raise_config_problems(problems)
    return [word for entry in entries for word in lists.split_words(entry.text)]


def find_access_maps(postfix):
    """The tables of `check_recipient_access`, in the order in which a stranger meets them."""
    found = list(iter_recipient_restrictions(postfix))
    return [
        word
        for before, word in zip(found, found[1:], strict=False)
        if before == "check_recipient_access"
    ]


def find_unsupported_restrictions(postfix):
    """What else may refuse a recipient, or let him pass, and is not asked."""
    found = [
        word for word in iter_recipient_restrictions(postfix) if not lists.parse_map_reference(word)
    ]
    others = [name for name in UNSUPPORTED_RESTRICTION_LISTS if postfix.words(name)]
    return [word for word in found if word not in SUPPORTED_RESTRICTIONS] + others


SUPPORTED_RESTRICTIONS = {
    "check_recipient_access",
    "reject_unauth_destination",
    "defer_unauth_destination",
    "reject_non_fqdn_recipient",
    "permit_mynetworks",
    "permit_sasl_authenticated",
}
UNSUPPORTED_RESTRICTION_LISTS = (
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
)


def iter_recipient_restrictions(postfix):
    yield from postfix.words("smtpd_relay_restrictions")
    yield from postfix.words("smtpd_recipient_restrictions")


def build_map_table(postfix, word):
    reference = lists.parse_map_reference(word)
    if word.startswith("!"):
        return UnsupportedMap(word, _("exceptions are not followed here"))
    if not reference:
        return UnsupportedMap(word, _("this is no table that is known here"))
    if reference.type == "pgsql" or any(part.is_sql for part in get_nested_maps(reference)):
        return UnsupportedMap(word, _("SQL is asked here by mysql: and sqlite: alone"))
    if reference.type == "inline":
        return StaticTable(reference.text, dict(reference.pairs))
    kind = {"mysql": ExternalMySQLMap, "sqlite": ExternalSQLiteMap}.get(reference.type, PostmapMap)
    return kind(postfix, reference)


def get_nested_maps(reference):
    """What a map combines; postmap would ask it without our care."""
    return [part for part in reference.walk() if part is not reference]


# Tables


class ExternalMap(LookupTable):
    """A map of main.cf; what goes wrong is its trouble, told with its name."""

    def __init__(self, postfix, reference):
        super().__init__()
        self.postfix, self.reference = postfix, reference
        self.name = self.title = reference.text
        self.is_pattern = reference.type in lists.PATTERN_TYPES

    def fetch(self, key):
        try:
            return Lookup(self, key, self.answer(key))
        except MapUnavailable as error:
            trouble = _("%(map)s cannot be asked: %(reason)s")
            return Lookup(self, key, error=trouble % {"map": self.reference.text, "reason": error})


class UnsupportedMap(LookupTable):
    """A table of which it is known that it cannot be asked."""

    def __init__(self, name, reason):
        super().__init__()
        self.name = self.title = name
        self.reason = reason

    def fetch(self, key):
        return Lookup(self, key, error=f"{self.name}: {self.reason}")


class PostmapMap(ExternalMap):
    def answer(self, key):
        """What `postmap -q` prints; it says on stderr why it could not."""
        program = find_program("postmap")
        if not program:
            raise MapUnavailable(_("postmap is not installed here"))
        said = self._run_postmap(program, key, self.postfix.postmap_name(self.reference))
        if said.returncode not in (0, 1) or said.stderr.strip():
            raise MapUnavailable(said.stderr.strip() or _("postmap failed"))
        if said.returncode:
            return None
        answer = said.stdout.rstrip("\n")
        return answer.partition("\t")[2] if key == POSTMAP_STDIN_KEY else answer

    def _run_postmap(self, program, key, place):
        """With a configuration of our own: a foreign one also says which libraries are loaded."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "main.cf").write_text("myhostname = localhost\n")
            os.utime(Path(folder, "main.cf"), (0, 0))  # a new file makes Postfix wait
            command = [program, "-c", folder, "-q", key, place]
            try:
                return subprocess.run(  # noqa: S603 (no shell)
                    command,
                    input=f"{POSTMAP_STDIN_KEY}\n",
                    capture_output=True,
                    text=True,
                    timeout=CONNECT_TIMEOUT_SECONDS,
                )
            except subprocess.TimeoutExpired as error:
                raise MapUnavailable(_("postmap does not answer")) from error


class ExternalSQLMap(ExternalMap):
    """A query with its values put in as Postfix does."""

    def __init__(self, postfix, reference):
        super().__init__(postfix, reference)
        self.map_config = postfix.sql_map(reference)
        self.sql = self.map_config.query
        self.connection = None

    def answer(self, key):
        if self.map_config.problems:
            raise MapUnavailable(format_config_problem(self.map_config.problems[0]))
        query = self.sql.strip().rstrip(";").strip()
        if not query.lower().startswith("select"):
            raise MapUnavailable(_("it runs no SELECT"))
        if not self.accepts_key(key):
            return None
        self.connection = self.connection or self.connect()
        sql = expand_placeholders(query, key, self.escape)
        return None if sql is None else self.joined(self.rows(sql), key)

    def accepts_key(self, key):
        """Whether the map's `domain` lets it be asked: about whole addresses there, no others."""
        local_part, domain = split_address(key)
        domains = [name.lower() for name in self.map_config.domains]
        return not domains or bool(local_part and domain.lower() in domains)

    def joined(self, rows, key):
        form = self.map_config.value("result_format")
        values = [str(value) for row in rows for value in row if value not in (None, "")]
        results = [expand_placeholders(form, value, str, key=key) for value in values]
        return ",".join(result for result in results if result) or None


def expand_placeholders(text, value, quoted, key=None):
    """Postfix's expansion of a query or result; None where it does not ask at all."""
    key = value if key is None else key
    parts = {"s": value, "u": get_local_part(value), "d": get_domain(value)}
    parts |= {"S": key, "U": get_local_part(key), "D": get_domain(key), "%": "%"}
    labels = (get_domain(key) or "").split(".")[::-1]
    parts |= {str(n): label for n, label in enumerate(labels[:9], 1) if label}
    wanted = set(PLACEHOLDER_RE.findall(text))
    if any(not parts.get(word) for word in wanted):
        return None
    return PLACEHOLDER_RE.sub(lambda word: "%" if word[1] == "%" else quoted(parts[word[1]]), text)


def get_local_part(value):
    return value.rpartition("@")[0] if "@" in value else value


def get_domain(value):
    return value.rpartition("@")[2] if "@" in value else None


class ExternalMySQLMap(ExternalSQLMap):
    def connect(self):
        """The first host that answers, by an account that can do no more than read."""
        try:
            import MySQLdb
        except ImportError as error:
            raise MapUnavailable(_("mysqlclient is not installed here")) from error
        if self.map_config.value("option_file"):
            raise MapUnavailable(_("its account is in an option_file"))
        troubles = []
        for place in self.map_config.hosts:
            try:
                connection = MySQLdb.connect(**self.where(place), **self.connection_options())
                return self.secure_connection(connection)
            except (MySQLdb.Error, ValueError) as error:
                troubles.append(f"{place}: {error.args[-1]}")
        raise MapUnavailable("; ".join(troubles) or _("it names no host"))

    def secure_connection(self, connection):
        refuse_write_privileges(connection, self.map_config.value("user"))
        self.limit(connection)
        return connection

    def where(self, place):
        place = place.removeprefix("inet:")
        if place.startswith("unix:"):
            return {"unix_socket": place.removeprefix("unix:")}
        host, _colon, port = place.partition(":")
        return {"host": host, **({"port": int(port)} if port else {})}

    def connection_options(self):
        return {
            "user": self.map_config.value("user"),
            "password": self.map_config.value("password"),
            "database": self.map_config.value("dbname"),
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "read_timeout": CONNECT_TIMEOUT_SECONDS,
            "charset": self.map_config.value("charset") or "utf8mb4",
            "multi_statements": False,
            "local_infile": 0,
        }

    def limit(self, connection):
        """Read only, and for so long; MariaDB and MySQL call that by different names."""
        cursor = connection.cursor()
        cursor.execute("SELECT VERSION()")
        limit = (
            f"max_statement_time = {QUERY_TIMEOUT_SECONDS}"
            if "mariadb" in cursor.fetchone()[0].lower()
            else f"max_execution_time = {QUERY_TIMEOUT_SECONDS * 1000}"
        )
        cursor.execute(f"SET SESSION {limit}")
        cursor.execute("SET SESSION TRANSACTION READ ONLY")

    def escape(self, text):
        return self.connection.escape_string(text.encode()).decode()

    def rows(self, sql):
        import MySQLdb

        try:
            cursor = self.connection.cursor()
            cursor.execute("START TRANSACTION READ ONLY")
            cursor.execute(sql.encode())
            return cursor.fetchall()
        except MySQLdb.Error as error:
            raise MapUnavailable(str(error.args[-1])) from error
        finally:
            self.connection.rollback()  # or a lock on the table's shape stays


def refuse_write_privileges(connection, user):
    """An account that may write is a danger in an operator's hands and no use to Postfix."""
    cursor = connection.cursor()
    cursor.execute("SHOW GRANTS FOR CURRENT_USER")
    for (line,) in cursor.fetchall():
        found = GRANT_RE.match(line)
        rights = re.sub(r"\([^)]*\)", "", found[1]).split(",") if found else [_("a role")]
        if more := {right.strip().upper() for right in rights} - READ_PRIVILEGES:
            connection.close()
            text = _("its account %(user)s may do more than read (%(more)s)")
            raise MapUnavailable(text % {"user": user, "more": ", ".join(sorted(more))})


class ExternalSQLiteMap(ExternalSQLMap):
    def connect(self):
        path = Path(self.map_config.value("dbpath"))
        if not path.is_file():
            raise MapUnavailable(_("there is no file %(path)s") % {"path": path})
        try:
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            connection.execute("PRAGMA query_only = 1")
        except sqlite3.Error as error:
            raise MapUnavailable(str(error)) from error
        return connection

    def escape(self, text):
        return text.replace("'", "''")

    def rows(self, sql):
        deadline = time.monotonic() + QUERY_TIMEOUT_SECONDS
        self.connection.set_progress_handler(lambda: time.monotonic() > deadline, 1000)
        try:
            return self.connection.execute(sql).fetchall()
        except sqlite3.Error as error:
            raise MapUnavailable(str(error)) from error
