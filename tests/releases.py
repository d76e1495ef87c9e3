"""The Debian release whose servers the tests start: this machine's own, or another in a folder.

`MAILADMIN_TEST_DEBIAN` names it: `12`, `13`, or `other` for the one that this machine is not.
The other release is unpacked once, into the cache. Its programs come first in PATH as scripts
that change into that folder, which has this machine's processes, devices, temporary files and
users, so that tests, the panel and its scripts start them as they start this machine's own.
"""

import fcntl
import os
import platform
import pwd
import re
import shutil
import subprocess
import tempfile
import zlib
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests import programs
from tests.programs import ROOT_VARIABLE, SERVERS, names_of

RELEASES = {"12": "bookworm", "13": "trixie"}
PROJECT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mailadmin-tests"
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Run by the panel as a user of the mail server's, and so to be found where its programs are.
BESIDE = ("test", "true")
# Enter the folder $1 and run the rest there, where programs are found as everywhere.
ENTER = """\
root=$1
shift
mount --all --fstab "${0%/*}/places" || exit
case $PATH in *"${0%/*}":*) PATH=${PATH%%"${0%/*}":*}${PATH#*"${0%/*}":} ;; esac
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
exec chroot ${TEST_AS:+$TEST_AS} "$root" /usr/bin/env -C "$PWD" "$@"
"""


class Unavailable(Exception):
    """The other release cannot be had here; the message says why."""


def own():
    """This machine's release, such as `12`."""
    lines = Path("/etc/os-release").read_text().splitlines()
    said = dict(line.split("=", 1) for line in lines if "=" in line)
    return said.get("VERSION_ID", "").strip('"')


def wanted(name):
    """The release that is asked for by number, or as `other` than this machine's own."""
    if not name:
        return own()
    found = next(each for each in RELEASES if each != own()) if name == "other" else name
    if found not in (*RELEASES, own()):
        raise Unavailable(f"MAILADMIN_TEST_DEBIAN is one of: {', '.join(RELEASES)}, other")
    return found


def activate(name):
    """Let the programs of this release be those that are found; other processes inherit it."""
    release = os.environ["TEST_DEBIAN"] = wanted(name)
    if release != own():
        os.environ[ROOT_VARIABLE] = str(unpacked(release))
        os.environ["PATH"] = f"{scripts(release)}{os.pathsep}{os.environ.get('PATH', '')}"


def tested():
    """The release whose servers this run tests."""
    return os.environ.get("TEST_DEBIAN") or own()


def command(name, release=None):
    """The path of a program: of the release that is tested, unless another is named."""
    if release in (None, tested()):
        return programs.command(name)
    if release != own():
        return str(scripts(release) / name)
    kept = os.environ["PATH"].removeprefix(f"{scripts(tested())}{os.pathsep}")
    return shutil.which(name, path=programs.path(kept))


@cache
def scripts(release):
    """A folder with a script for each program of this release, for tests run from here."""
    root = unpacked(release)
    places = ("/dev", "/proc", tempfile.gettempdir(), str(PROJECT))
    folder = CACHE / f"scripts-{release}-{zlib.crc32(repr(places).encode()):x}"
    with locked(CACHE / "lock"):
        folder.mkdir(exist_ok=True)
        for place in places:
            (root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
        for name in ("passwd", "group", "hosts"):
            write(root / "etc" / name, Path("/etc", name).read_text(), 0o644)
        write(folder / "places", "".join(f"{p} {root}{p} none rbind\n" for p in places), 0o644)
        write(folder / "enter", ENTER)
        # What is mounted is seen by each process alone.
        enter = f"unshare --mount {propagation()} sh {folder}/enter {root}"
        for name in (*names_of(SERVERS), *BESIDE):
            write(folder / name, f'#!/bin/sh\nexec {enter} {name} "$@"\n')
    return folder


def propagation():
    """In a chroot "/" may be no mount point, and has no propagation that could be changed."""
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True)
    return "--propagation unchanged" if tried.returncode else ""


def write(path, text, mode=0o755):
    """Leave a file that says this already alone: another run may be reading it."""
    if not path.exists() or path.read_text() != text:
        part = path.with_name(f".{path.name}")
        part.write_text(text)
        part.chmod(mode)
        part.rename(path)


def as_user(name):
    """What a script is started with to run its program as this user."""
    person = pwd.getpwnam(name)
    groups = ",".join(map(str, os.getgrouplist(name, person.pw_gid)))
    asked = f"--userspec={person.pw_uid}:{person.pw_gid} --groups={groups}"
    return {"env": os.environ | {"TEST_AS": asked}}


def unpacked(release):
    """The release's folder, made by the first run that asks for it and kept for the next."""
    if os.geteuid() != 0:
        raise Unavailable("only root can change into another Debian")
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / f"debian-{release}"
    with locked(CACHE / "lock"):
        if not is_complete(folder):
            make(folder, release)
    return folder


@contextmanager
def locked(path):
    """Runs at the same time wait, instead of making it twice."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_complete(folder):
    """Whether it is there, with all packages that the tests need by now."""
    listed = folder / "packages"
    return listed.is_file() and set(SERVERS) <= set(listed.read_text().split())


def make(folder, release):
    """Unpack the release; it gets its name once it is whole."""
    if folder.exists():
        shutil.rmtree(folder)
    part = Path(tempfile.mkdtemp(prefix="part-", dir=CACHE))
    asked = [programs.command("debootstrap"), "--variant=minbase", f"--include={','.join(SERVERS)}"]
    asked += [f"--keyring={KEYS}", RELEASES[release], part, mirror()]
    done = subprocess.run(asked, capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(part)
        raise Unavailable(f"Debian {release}: {done.stdout[-500:]}{done.stderr}")
    part.chmod(0o755)
    shutil.rmtree(part / "var/cache/apt")
    (part / "packages").write_text("\n".join(SERVERS))
    part.rename(folder)


def mirror():
    """Where this machine gets its own packages from."""
    said = subprocess.run(
        [
            programs.command("apt-get"),
            "indextargets",
            "--format",
            "$(REPO_URI)",
            "Created-By: Packages",
        ],
        capture_output=True,
        text=True,
    )
    places = (line.rstrip("/") for line in said.stdout.splitlines())
    found = next((place for place in places if place.endswith("/debian")), None)
    if not found:
        raise Unavailable("apt knows no mirror of Debian")
    return found


def versions(release):
    """What the servers of a release call themselves."""
    said = {name: first_line(release, *words) for name, words in ASKED.items()}
    found = (f"{name} {re.search(VERSION, line)[0]}" for name, line in said.items())
    return f"Debian {release}: {', '.join(found)}"


def first_line(release, name, *arguments):
    done = subprocess.run([command(name, release), *arguments], capture_output=True, text=True)
    return done.stdout.partition("\n")[0]


# How each says its version.
ASKED = {
    "Postfix": ("postconf", "-h", "mail_version"),
    "Dovecot": ("dovecot", "--version"),
    "MariaDB": ("mariadbd", "--version"),
    "PHP": ("php", "--version"),
}
VERSION = r"\d+(\.\d+)+"


def main():
    os.environ["TEST_DEBIAN"] = own()
    print(f"Tested with Python {platform.python_version()} and the servers of")
    for release in [own()] + ([wanted("other")] if os.geteuid() == 0 else []):
        print(f"  {versions(release)}")


if __name__ == "__main__":
    main()
