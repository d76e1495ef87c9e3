"""Every program that tests start, with the Debian package that brings it.

Imports only the standard library: `deploy/install.py --tests` installs what is missing.
"""

import os
import shutil
from pathlib import Path
from typing import NamedTuple


class Release(NamedTuple):
    """Differences between the releases of Debian."""

    suite: str
    postfix: str
    dovecot: str
    php_fpm: str  # for the benchmark beside PostfixAdmin
    postfixadmin: tuple[str, ...]  # its packages
    collation: str = ""  # of MariaDB by Debian's own configuration, where that names one


RELEASES = {
    "12": Release("bookworm", "3.7", "2.3", "php-fpm8.2", ("postfixadmin",), "utf8mb4_general_ci"),
    "13": Release("trixie", "3.10", "2.4", "php-fpm8.4", ("postfixadmin", "smarty4")),
}
NEWEST = RELEASES["13"]
# Where another Debian release is unpacked, if its servers are tested.
ROOT_VARIABLE = "TEST_DEBIAN_ROOT"
POSTFIX, DOVECOT = Path("/usr/lib/postfix"), Path("/usr/lib/dovecot")
INSTALLED = Path("/var/lib/dpkg/info")

# The servers that the panel works with, of each Debian release alike: package → programs that
# tests call by name, or files that show that it is installed. The core packages of MariaDB bring a
# server without a service.
SERVERS = {
    "mariadb-server-core": ("mariadbd", "mariadb-install-db", "mariadb-upgrade"),
    "mariadb-client-core": ("mariadb",),
    "mariadb-client": ("mariadb-dump",),
    "galera-4": (Path("/usr/lib/galera/libgalera_smm.so"),),
    "postfix": (
        *("postfix", "postmap", "postconf", "postqueue", "postsuper", "postcat", "sendmail"),
        "smtp-sink",
    ),
    "postfix-mysql": (POSTFIX / "postfix-mysql.so",),
    "postfix-pcre": (POSTFIX / "postfix-pcre.so",),
    "postfix-sqlite": (POSTFIX / "postfix-sqlite.so",),
    "dovecot-core": ("dovecot", "doveadm", "doveconf"),
    "dovecot-imapd": (DOVECOT / "imap",),
    "dovecot-pop3d": (DOVECOT / "pop3",),
    "dovecot-lmtpd": (DOVECOT / "lmtp",),
    "dovecot-managesieved": (DOVECOT / "managesieve-login",),
    "dovecot-sieve": (DOVECOT / "modules/lib90_sieve_plugin.so",),
    "dovecot-mysql": (DOVECOT / "modules/libdriver_mysql.so",),
    "dovecot-sqlite": (DOVECOT / "modules/libdriver_sqlite.so",),
    # PostfixAdmin is written in PHP.
    "php-cli": ("php",),
    "php-mbstring": (INSTALLED / "php-mbstring.list",),
    "php-mysql": (INSTALLED / "php-mysql.list",),
}
# Further packages that `tests/run` installs.
TOOLS = {
    "curl": ("curl",),
    "fetchmail": ("fetchmail",),
    "opendkim": ("opendkim",),
    "libopendbx1-mysql": (INSTALLED / "libopendbx1-mysql.list",),
    "openssl": ("openssl",),
    "debootstrap": ("debootstrap",),
    "debian-archive-keyring": (Path("/usr/share/keyrings/debian-archive-keyring.gpg"),),
    "chromium": ("chromium",),
    "fonts-dejavu-core": (Path("/usr/share/fonts/truetype/dejavu"),),
    "gettext": ("msgfmt", "msgmerge", "xgettext"),
    "procps": ("ps",),
}
PACKAGES = SERVERS | TOOLS
# Packages of every Debian.
ESSENTIAL = {
    "apt": ("apt-cache", "apt-get"),
    "bash": ("bash",),
    "coreutils": ("cat", "chroot", "rm", "sleep"),
    "dash": ("sh",),
    "dpkg": ("dpkg",),
    "mount": ("mount", "umount"),
    "tar": ("tar",),
    "util-linux": ("unshare",),
}
# Programs of the benchmark against PostfixAdmin, which reports missing ones.
BENCHMARK = {"nginx": ("nginx",), "php8.2-fpm": ("php-fpm8.2",), "php8.4-fpm": ("php-fpm8.4",)}
# Programs whose tests are skipped without them.
OPTIONAL = {"systemd": ("systemd-analyze",)}

PACKAGE_OF = {
    program: package
    for table in (PACKAGES, ESSENTIAL, BENCHMARK, OPTIONAL)
    for package, programs in table.items()
    for program in programs
}


def path(given=None):
    """Return PATH, or the given value, with Debian's folders for servers."""
    given = os.environ.get("PATH", "") if given is None else given
    return f"{given}{os.pathsep}/usr/local/sbin:/usr/sbin:/sbin"


def installed(file):
    """Return the path of a packaged file in the tested release."""
    return Path(os.environ.get(ROOT_VARIABLE, "/"), str(file).lstrip("/"))


def names_of(packages):
    """Return the programs of these packages that tests call by name."""
    return [name for some in packages.values() for name in some if isinstance(name, str)]


def is_available(program):
    """Return whether a program can be started or a packaged file exists."""
    if isinstance(program, Path):
        return program.exists()
    return shutil.which(program, path=path()) is not None


def missing_packages():
    return [name for name, needed in PACKAGES.items() if not all(map(is_available, needed))]


def missing_programs():
    """Return the missing programs, each with its package."""
    needed = ((program, package) for package, some in PACKAGES.items() for program in some)
    return [f"{program} (package {name})" for program, name in needed if not is_available(program)]


def command(name):
    """Return the path of a listed program; a path is returned unchanged."""
    if os.path.isabs(name):
        return name
    package = PACKAGE_OF[name]
    if found := shutil.which(name, path=path()):
        return found
    raise RuntimeError(f"{name} is not installed (Debian package {package})")
