"""SOGo itself, from Debian's packages, driven by HTTP; its sessions are in a memcached of its own.

The packages are unpacked, not installed: they bring services and jobs of cron.
"""

import atexit
import http.cookiejar
import json
import os
import pwd
import signal
import urllib.error
import urllib.request
from functools import cache

from tests import packages
from tests.servers import Server, free_port

USER = "nobody"  # SOGo does not run as root


@cache
def package():
    """Debian's packages, unpacked, with the libraries that this machine lacks."""
    server = Server()
    atexit.register(server.stop)
    packages.unpack_missing(["sogo", "memcached"], server.folder)
    server.folder.chmod(0o755)
    return server.folder


def build_environment(folder):
    """Return an environment in which the programs find their libraries, bundles and settings."""
    root = package()
    libraries = [root / "usr/lib", root / "usr/lib/sogo", *root.glob("usr/lib/*-linux-gnu")]
    text = (root / "etc/GNUstep/GNUstep.conf").read_text()
    (folder / "GNUstep.conf").write_text(text.replace("=/usr/", f"={root}/usr/"))
    return os.environ | {
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "GNUSTEP_CONFIG_FILE": str(folder / "GNUstep.conf"),
        "HOME": str(folder),
    }


class Memcached(Server):
    """A memcached on a socket."""

    def __init__(self):
        super().__init__()
        self.folder.chmod(0o755)
        self.socket = self.folder / "socket"
        program = package() / "usr/bin/memcached"
        arguments = ("-u", "root", "-s", self.socket, "-a", "0777", "-m", "8")
        self.start(str(program), *arguments, env=build_environment(self.folder))
        self.wait_until(self.socket.exists)


class Sogo(Server):
    """SOGo with a database of its own, and a source of users."""

    def __init__(self, own_url, sources):
        self.memcached = Memcached()
        super().__init__()
        self.folder.chmod(0o755)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/SOGo"
        settings = {
            "WONoDetach": "YES",
            "WOWorkersCount": "1",
            "WOPort": f"127.0.0.1:{self.port}",
            "WOPidFile": self.folder / "pid",
            "WOLogFile": "-",
            "SOGoMemcachedHost": self.memcached.socket,
            "SOGoTimeZone": "Europe/Berlin",
            "SOGoProfileURL": f"{own_url}/sogo_user_profile",
            "OCSFolderInfoURL": f"{own_url}/sogo_folder_info",
            "OCSSessionsFolderURL": f"{own_url}/sogo_sessions_folder",
            "SOGoXSRFValidationEnabled": "NO",
            "SOGoUserSources": sources,
        }
        arguments = [part for name, value in settings.items() for part in (f"-{name}", value)]
        entry = pwd.getpwnam(USER)
        os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        self.start(
            str(package() / "usr/sbin/sogod"),
            *arguments,
            env=build_environment(self.folder),
            user=entry.pw_uid,
            group=entry.pw_gid,
            extra_groups=[],
        )
        self.wait_until(lambda: "notified the watchdog that we are ready" in self.log.read_text())

    def stop(self, keep=False):
        """End it with its children, for which it would wait half a minute."""
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
        super().stop(keep)
        self.memcached.stop()

    # The browser

    def connect(self, username, password):
        """Sign in by a browser without cookies; return the status of the response."""
        jar = http.cookiejar.CookieJar()
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        data = {"userName": username, "password": password, "rememberLogin": 0}
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/connect", json.dumps(data).encode(), {"Content-Type": "application/json"}
        )
        try:
            with self.browser.open(request) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code

    def get(self, path):
        with self.browser.open(f"{self.url}/{path}") as response:
            return response.read().decode()
