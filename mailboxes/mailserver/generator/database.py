"""Where the panel's database is, in the words of those who are to ask it."""

from dataclasses import dataclass
from urllib.parse import quote

from django.db import connection

LOCALHOST = "127.0.0.1"


@dataclass(frozen=True)
class DatabaseLocation:
    driver: str
    name: str  # a path with SQLite
    socket: str = ""
    hosts: tuple[str, ...] = ()
    port: str = ""

    @classmethod
    def from_connection(cls):
        its = connection.settings_dict
        host, port = str(its.get("HOST") or LOCALHOST), str(its.get("PORT") or "")
        if host.startswith("/"):
            return cls(connection.vendor, str(its["NAME"]), host)
        return cls(connection.vendor, str(its["NAME"]), "", tuple(host.split(",")), port)

    @property
    def is_sqlite(self):
        return self.driver == "sqlite"

    @property
    def is_encrypted(self):
        """Whether the panel's own connections are; the files say nothing of it."""
        return bool(connection.settings_dict.get("OPTIONS", {}).get("ssl"))

    @property
    def client_hosts(self):
        """From where the accounts may come; a server may know this machine by number only."""
        if self.socket:
            return ("localhost",)
        hosts = {host for host, _port in self.pairs}
        return ("localhost", LOCALHOST) if hosts <= {"localhost", LOCALHOST, "::1"} else ("%",)

    @property
    def pairs(self):
        """(host, port); a port of its own stands in the host's name where there are several."""
        for host in self.hosts:
            name, colon, port = host.rpartition(":")
            yield (name, port) if colon and ":" not in name else (host, self.port)

    @property
    def postfix_hosts(self):
        """Postfix's `hosts`: all are asked in turn."""
        if self.socket:
            return f"unix:{self.socket}"
        return " ".join(f"inet:{host}:{port}".rstrip(":") for host, port in self.pairs)

    @property
    def host_list(self):
        """Return `host:port,host:port`."""
        return ",".join(f"{host}:{port}".rstrip(":") for host, port in self.pairs)

    @property
    def mysql_block(self):
        """Return the name of Dovecot 2.4's block `mysql NAME { }` and what it says of the host.

        Several hosts are one block, whose list MariaDB's client library tries in order. Where
        each has a block, Dovecot's processes crash when they retry a host that was unreachable.
        """
        if len(self.hosts) > 1:
            return "mailadmin", {"host": self.host_list}
        if self.socket:
            return self.socket, {}
        [(host, port)] = self.pairs
        return host, {"port": port} if port else {}

    def connect(self, password):
        """Dovecot 2.3's `connect`."""
        if self.is_sqlite:
            return self.name
        places = [f"host={host}" + (f" port={port}" if port else "") for host, port in self.pairs]
        where = " ".join(places) or f"host={self.socket}"
        return f"{where} dbname={self.name} user=mailadmin_dovecot password={password}"

    def url(self, password):
        """MAILADMIN_DATABASE_URL of the responder's account."""
        if self.is_sqlite:
            return f"sqlite://{quote(self.name)}"
        hosts = self.host_list or "localhost"
        options = f"?unix_socket={quote(self.socket)}" if self.socket else ""
        name = quote(self.name, safe="")
        return f"mysql://mailadmin_autoreply:{password}@{hosts}/{name}{options}"
