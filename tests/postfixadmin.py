"""PostfixAdmin itself, from Debian's package, run by PHP's own web server and driven by HTTP."""

import atexit
import http.cookiejar
import shutil
import socket
import urllib.error
import urllib.parse
import urllib.request
from functools import cache
from html.parser import HTMLParser

from tests import packages, releases
from tests.programs import NEWEST, RELEASES
from tests.servers import Server, free_port

# Its other dependency is a web server, and PHP has one itself.
CONFIG = """<?php
$CONF['configured'] = true;
$CONF['database_type'] = 'mysqli';
$CONF['database_host'] = '127.0.0.1';
$CONF['database_port'] = '{server.port}';
$CONF['database_user'] = '{server.user}';
$CONF['database_password'] = '{server.password}';
$CONF['database_name'] = '{name}';
$CONF['database_prefix'] = '{prefix}';
$CONF['encrypt'] = 'php_crypt';
$CONF['emailcheck_resolve_domain'] = 'NO';
$CONF['vacation'] = 'YES';
$CONF['vacation_domain'] = 'autoreply.localhost';
$CONF['default_aliases'] = array('abuse' => 'abuse@example.net');
$CONF['sendmail'] = 'NO';
?>
"""


@cache
def package():
    """Debian's package, unpacked: that of the release whose PHP runs it."""
    server = Server()
    atexit.register(server.stop)
    release = releases.tested()
    suite = None if release == releases.own() else RELEASES[release].suite
    packages.unpack(RELEASES.get(release, NEWEST).postfixadmin, server.folder, suite)
    return server.folder


class PostfixAdmin(Server):
    """A copy of PostfixAdmin on a database of the run's server."""

    def __init__(self, server, name, prefix=""):
        super().__init__()
        self.place = self.folder / "share/postfixadmin"
        given = shutil.ignore_patterns("config.inc.php", "config.local.php", "templates_c")
        shutil.copytree(package() / "usr/share", self.folder / "share", symlinks=True, ignore=given)
        (self.place / "templates_c").mkdir()
        shutil.copy(package() / "etc/postfixadmin/config.inc.php", self.place)
        # Debian's own script asks the machine for a database here.
        (self.place / "dbconfig.inc.php").write_text(
            "<?php $dbtype = $dbserver = $dbuser = $dbpass = $dbname = $dbport = ''; ?>"
        )
        config = CONFIG.format(server=server, name=name, prefix=prefix)
        (self.place / "config.local.php").write_text(config)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.serve()
        self.wait_until(self._answers)
        self.clear_cookies()

    def serve(self):
        self.start(
            "php",
            *("-d", "display_errors=0", "-d", f"session.save_path={self.folder}"),
            *("-S", self.url.removeprefix("http://"), "-t", self.place / "public"),
        )

    def _answers(self):
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    # The browser

    def clear_cookies(self):
        """A browser without cookies."""
        jar = http.cookiejar.CookieJar()
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def get(self, path):
        with self.browser.open(f"{self.url}/{path}") as answer:
            return answer.read().decode()

    def post(self, path, **data):
        body = urllib.parse.urlencode(data).encode()
        with self.browser.open(f"{self.url}/{path}", body) as answer:
            return answer.read().decode()

    def submit(self, path, **values):
        """Fill in the form of a page, leave the rest of it as it is, and send it."""
        fields = Fields(self.get(path)).sent
        return self.post(path, **fields | values)

    def sign_in(self, username, password, page="login.php"):
        """Sign in and return the next page."""
        self.clear_cookies()
        token = Fields(self.get(page)).sent["token"]
        return self.post(page, fUsername=username, fPassword=password, token=token, lang="en")

    def delete(self, table, key):
        token = Fields(self.get("edit.php?table=domain")).sent["token"]
        return self.post("delete.php", table=table, delete=key, token=token)

    def upgrade(self):
        """Run PostfixAdmin's upgrade of its tables and return its output."""
        try:
            return self.get("upgrade.php")
        except urllib.error.HTTPError as error:
            return error.read().decode() + self.log.read_text()[-3000:]


class Fields(HTMLParser):
    """The data that a browser would send for a page's forms."""

    def __init__(self, page):
        super().__init__()
        self.sent, self.name, self.first = {}, None, False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        match tag, given.get("type", "text"):
            case "input", "submit":
                pass
            case "input", "checkbox" | "radio":
                if "checked" in given:
                    self.sent[given["name"]] = given.get("value", "on")
            case "input", _ if "name" in given:
                self.sent[given["name"]] = given.get("value", "")
            case "textarea" | "select", _:
                self.name, self.first = given.get("name"), True
            case "option", _ if self.name and (self.first or "selected" in given):
                self.first = False
                self.sent[self.name] = given.get("value", "")

    def handle_data(self, text):
        if self.lasttag == "textarea" and self.name:
            self.sent[self.name] = text.strip()

    def handle_endtag(self, tag):
        if tag in ("textarea", "select"):
            self.name = None
