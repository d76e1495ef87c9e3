"""Roundcube itself, from Debian's packages, run by PHP's own web server and driven by HTTP.

The packages are unpacked, not installed: they bring a web server, and configure a database.
"""

import atexit
import http.cookiejar
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from functools import cache
from pathlib import Path

from tests import packages, releases
from tests.postfixadmin import Fields
from tests.programs import NEWEST, RELEASES
from tests.servers import Server, command, free_port

PACKAGES = (
    *("roundcube-core", "roundcube-plugins", "roundcube-sqlite3"),
    *("php-pear", "php-auth-sasl", "php-mail-mime", "php-net-socket", "php-net-smtp"),
    *("php-net-sieve", "php-masterminds-html5", "php-getallheaders"),
    *("php-guzzlehttp-guzzle", "php-guzzlehttp-promises", "php-guzzlehttp-psr7"),
    *("php-psr-http-message", "php-psr-http-factory", "php-psr-http-client"),
    "php-symfony-deprecation-contracts",
)
# Of PHP, in the order in which they are loaded: package → extensions
EXTENSIONS = {"xml": ("dom", "xml"), "intl": ("intl",), "sqlite3": ("pdo_sqlite",)}
CONFIG = """<?php
$config = [
    'db_dsnw' => 'sqlite:///{folder}/roundcube.sqlite3?mode=0600',
    'log_dir' => '{folder}/',
    'temp_dir' => '{folder}/',
    'des_key' => 'for tests and nothing else',
    'imap_host' => 'ssl://127.0.0.1:{imaps}',
    'imap_conn_options' => ['ssl' => ['verify_peer' => false, 'verify_peer_name' => false]],
    'language' => 'en_US',
    'plugins' => [],
];
{more}
"""


@cache
def package():
    """Debian's packages, unpacked: those of the release whose PHP runs them."""
    server = Server()
    atexit.register(server.stop)
    release = releases.tested()
    suite = None if release == releases.own() else RELEASES.get(release, NEWEST).suite
    version = find_php_version()
    names = (*PACKAGES, *(f"php{version}-{name}" for name in EXTENSIONS))
    packages.unpack(names, server.folder, suite)
    make_relative(server.folder / "usr/share/php")
    return server.folder


def make_relative(libraries):
    """Have the libraries load each other from here: those of Debian 13 name where they belong."""
    for path in libraries.rglob("*autoload.php"):
        text = path.read_text()
        path.write_text(text.replace("'/usr/share/php/", f"'{libraries}/"))


def find_php_version():
    done = subprocess.run(
        [command("php"), "-r", "echo PHP_MAJOR_VERSION, '.', PHP_MINOR_VERSION;"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


class Roundcube(Server):
    """Roundcube with a database of its own, and lines of its configuration."""

    def __init__(self, imaps, more):
        super().__init__()
        root = package()
        self.place = root / "usr/share/roundcube"
        config = self.folder / "config"
        config.mkdir()
        shutil.copy(root / "etc/roundcube/defaults.inc.php", config)
        shutil.copy(root / "etc/roundcube/mimetypes.php", config)
        text = CONFIG.format(folder=self.folder, imaps=imaps, more=more)
        (config / "config.inc.php").write_text(text)
        (self.folder / "first.php").write_text(
            f"<?php define('INSTALL_PATH', '{self.place}/');"
            f" define('RCMAIL_CONFIG_DIR', '{config}');"
        )
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        jar = http.cookiejar.CookieJar()
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        self.start("php", *self.options(), "-S", f"127.0.0.1:{self.port}", "-t", self.place)
        self.wait_until(lambda: "Development Server" in self.log.read_text())

    def options(self):
        root = package()
        found = {path.stem: path for path in Path(root).glob("usr/lib/php/*/*.so")}
        names = (name for some in EXTENSIONS.values() for name in some)
        values = {
            "display_errors": "0",
            "include_path": f".:{root}/usr/share/php",
            "auto_prepend_file": self.folder / "first.php",
            "session.save_path": self.folder,
        }
        yield from (part for name in names for part in ("-d", f"extension={found[name]}"))
        yield from (part for name in values for part in ("-d", f"{name}={values[name]}"))

    # The browser

    def get(self, **query):
        with self.browser.open(f"{self.url}?{urllib.parse.urlencode(query)}") as response:
            return response.read().decode()

    def post(self, query, **data):
        url = f"{self.url}?{urllib.parse.urlencode(query)}"
        with self.browser.open(url, urllib.parse.urlencode(data).encode()) as response:
            return response.read().decode()

    def sign_in(self, username, password):
        """Sign in and tell whether that succeeded; a failure is answered with 401."""
        fields = Fields(self.get(_task="login")).sent
        try:
            page = self.post({"_task": "login"}, **fields | {"_user": username, "_pass": password})
        except urllib.error.HTTPError as error:
            assert error.code == 401, error
            return False
        return "_task=logout" in page

    def change_password(self, current, new):
        """Fill in the plugin's page, and return what it says."""
        form = {"_task": "settings", "_action": "plugin.password"}
        fields = Fields(self.get(**form)).sent
        typed = {"_curpasswd": current, "_newpasswd": new, "_confpasswd": new}
        page = self.post(form | {"_action": "plugin.password-save"}, **fields | typed)
        return re.findall(r'display_message\("(.*?)","(\w+)"', page)

    def read_errors(self):
        path = self.folder / "errors.log"
        return path.read_text() if path.exists() else ""
