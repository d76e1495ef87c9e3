"""Outages of databases and processes."""

import os
import signal
import sqlite3
import threading
import time
from contextlib import contextmanager, suppress


class Outages:
    def __init__(self, panels, chance):
        self.panels, self.chance, self.counts = panels, chance, {}

    def one(self):
        """Let one outage happen, chosen at random."""
        outage = self.chance.choice(self.kinds())
        self.counts[outage.__name__] = self.counts.get(outage.__name__, 0) + 1
        with outage():
            time.sleep(self.chance.uniform(0.5, 3))

    def kinds(self):
        return [self.process_killed, self.process_killed]

    @contextmanager
    def process_killed(self):
        if processes := self.chance.choice(self.panels).processes():
            with suppress(ProcessLookupError):
                os.kill(self.chance.choice(processes), signal.SIGKILL)
        yield


class MariaDBOutages(Outages):
    def __init__(self, panels, chance, server):
        super().__init__(panels, chance)
        self.server = server

    def kinds(self):
        own = [self.killed, self.stopped, self.paused, self.read_only, self.locked, self.crowded]
        return super().kinds() + own

    @contextmanager
    def killed(self):
        os.killpg(self.server.process.pid, signal.SIGKILL)
        self.server.process.wait()
        yield
        self.server._run()

    @contextmanager
    def stopped(self):
        self.server.stop(keep=True)
        yield
        self.server._run()

    @contextmanager
    def paused(self):
        os.killpg(self.server.process.pid, signal.SIGSTOP)
        yield
        os.killpg(self.server.process.pid, signal.SIGCONT)

    @contextmanager
    def during(self, begin, end, database=""):
        """Hold a lock of one connection, so that other connections wait."""
        sql = f"{begin}; DO SLEEP(3); {end}"
        holder = threading.Thread(target=self.server.client.execute, args=(sql, database))
        holder.start()
        yield
        holder.join()

    def read_only(self):
        return self.during("SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0")

    def locked(self):
        return self.during("LOCK TABLES mailbox WRITE", "UNLOCK TABLES", "mailadmin")

    def crowded(self):
        few, usual = "SET GLOBAL max_connections = 10", "SET GLOBAL max_connections = 151"
        return self.during(few, usual)


class SQLiteOutages(Outages):
    def __init__(self, panels, chance, path, has_own_disk):
        super().__init__(panels, chance)
        self.path, self.has_own_disk = path, has_own_disk

    def kinds(self):
        full = [self.disk_full, self.disk_full] if self.has_own_disk else []
        return [*super().kinds(), self.locked, *full]

    @contextmanager
    def locked(self):
        other = sqlite3.connect(self.path, isolation_level=None, timeout=60)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()
        other.close()

    @contextmanager
    def disk_full(self):
        filler = self.path.with_name("filler")
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(65536)) == 65536:
                pass
        yield
        filler.unlink()
