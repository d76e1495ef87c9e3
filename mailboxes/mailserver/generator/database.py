"""The location of the panel's database, as Postfix, Dovecot and the autoresponder need it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self
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
    def from_connection(cls) -> Self:
        config = connection.settings_dict
        host, port = str(config.get("HOST") or LOCALHOST), str(config.get("PORT") or "")
        if host.startswith("/"):
            return cls(connection.vendor, str(config["NAME"]), host)
        return cls(connection.vendor, str(config["NAME"]), "", tuple(host.split(",")), port)

    @property
    def is_sqlite(self) -> bool:
        return self.driver == "sqlite"

    @property
    def is_encrypted(self) -> bool:
        """Check whether the panel uses TLS, which the generated files do not set."""
        return "ssl_mode" in connection.settings_dict.get("OPTIONS", {})

    @property
    def client_hosts(self) -> tuple[str, ...]:
        """Return the hosts of the accounts; a server may know this machine by address only."""
        if self.socket:
            return ("localhost",)
        hosts = {host for host, _port in self.pairs}
        return ("localhost", LOCALHOST) if hosts <= {"localhost", LOCALHOST, "::1"} else ("%",)

    @property
    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield (host, port); with several hosts, each name may contain a port of its own."""
        for host in self.hosts:
            name, colon, port = host.rpartition(":")
            yield (name, port) if colon and ":" not in name else (host, self.port)

    @property
    def postfix_hosts(self) -> str:
        """Return Postfix's `hosts`, for templates."""
        if self.socket:
            return f"unix:{self.socket}"
        return " ".join(f"inet:{host}:{port}".rstrip(":") for host, port in self.pairs)

    @property
    def host_list(self) -> str:
        """Return `host:port,host:port`."""
        return ",".join(f"{host}:{port}".rstrip(":") for host, port in self.pairs)

    @property
    def mysql_block(self) -> tuple[str, dict[str, str]]:
        """Return the name of Dovecot 2.4's block `mysql NAME { }` and its settings of the host.

        Several hosts are one block, whose list MariaDB's client library tries in order. Where
        each has a block, Dovecot's processes crash when they retry a host that was unreachable.
        """
        if len(self.hosts) > 1:
            return "mailadmin", {"host": self.host_list}
        if self.socket:
            return self.socket, {}
        [(host, port)] = self.pairs
        return host, {"port": port} if port else {}

    def connect(self, password: str) -> str:
        """Return Dovecot 2.3's `connect`."""
        if self.is_sqlite:
            return self.name
        hosts = [f"host={host}" + (f" port={port}" if port else "") for host, port in self.pairs]
        server = " ".join(hosts) or f"host={self.socket}"
        return f"{server} dbname={self.name} user=mailadmin_dovecot password={password}"

    def url(self, password: str) -> str:
        """Return MAILADMIN_DATABASE_URL for the autoresponder's account."""
        if self.is_sqlite:
            return f"sqlite://{quote(self.name)}"
        hosts = self.host_list or "localhost"
        options = f"?unix_socket={quote(self.socket)}" if self.socket else ""
        name = quote(self.name, safe="")
        return f"mysql://mailadmin_autoreply:{password}@{hosts}/{name}{options}"
