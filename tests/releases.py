"""The Debian release whose servers are tested: this machine's own, or another in a folder.

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
import shlex
import shutil
import subprocess
import tempfile
import zlib
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests import programs
from tests.programs import RELEASES, ROOT_VARIABLE, SERVERS, names_of

PROJECT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mailadmin-tests"
CAPTURED = {"capture_output": True, "text": True}
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Programs of coreutils that the panel runs as a user of the mail server.
COREUTILS = ("test", "true")
DEFAULT_MIRROR = "http://deb.debian.org/debian"
# Run the program by whose name this was started, with mounts of its own.
PROGRAM = """\
#!/bin/sh
exec unshare --mount {options} sh {folder}/enter {root} "${{0##*/}}" "$@"
"""
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
    """The other release is unavailable; the message gives the reason."""


def own():
    """Return this machine's release, such as `12`."""
    lines = Path("/etc/os-release").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return values.get("VERSION_ID", "").strip('"')


def wanted(name):
    """Return the requested release, given by number or as `other`."""
    if not name:
        return own()
    found = next(each for each in RELEASES if each != own()) if name == "other" else name
    if found not in (*RELEASES, own()):
        raise Unavailable(f"MAILADMIN_TEST_DEBIAN is one of: {', '.join(RELEASES)}, other")
    return found


def activate(name):
    """Use the programs of this release; other processes inherit it."""
    release = os.environ["TEST_DEBIAN"] = wanted(name)
    if release != own():
        os.environ[ROOT_VARIABLE] = str(unpacked(release))
        os.environ["PATH"] = f"{scripts(release)}{os.pathsep}{os.environ.get('PATH', '')}"


def tested():
    """Return the release whose servers this run tests."""
    return os.environ.get("TEST_DEBIAN") or own()


def command(name, release=None):
    """Return the path of a program of the tested release, or of another."""
    if release in (None, tested()):
        return programs.command(name)
    if release != own():
        return str(scripts(release) / name)
    kept = os.environ["PATH"].removeprefix(f"{scripts(tested())}{os.pathsep}")
    found = shutil.which(name, path=programs.path(kept))
    if not found:
        raise Unavailable(f"{name} of Debian {release} is not installed")
    return found


@cache
def scripts(release):
    """A folder with a script for each program of this release, for tests run from here."""
    root = unpacked(release)
    places = ("/dev", "/proc", tempfile.gettempdir(), str(PROJECT))
    number = zlib.crc32(repr((places, root, PROGRAM, ENTER)).encode())
    folder = CACHE / f"scripts-{release}-{number:x}"
    with locked(CACHE / "lock"):
        folder.mkdir(exist_ok=True)
        for place in places:
            (root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
        for name in ("passwd", "group", "hosts"):
            write(root / "etc" / name, Path("/etc", name).read_text(), 0o644)
        lines = (f"{fstab(place)} {fstab(f'{root}{place}')} none rbind" for place in places)
        write(folder / "places", "\n".join(lines) + "\n", 0o644)
        write(folder / "enter", ENTER)
        quoted = {
            name: shlex.quote(str(path)) for name, path in (("folder", folder), ("root", root))
        }
        write(folder / "program", PROGRAM.format(options=unshare_options(), **quoted))
        for name in (*names_of(SERVERS), *COREUTILS):
            if not (folder / name).exists():
                (folder / name).symlink_to("program")
    return folder


def fstab(path):
    """A path as it is written in a table of mounts."""
    return str(path).replace(" ", "\\040")


def unshare_options():
    """Options with which `unshare` gives a program mounts that are seen by it alone.

    In a chroot "/" may be no mount point, and then its propagation cannot be changed. It need not
    be, unless the mounts around it are shared.
    """
    is_shared = " shared:" in Path("/proc/self/mountinfo").read_text()
    for options in [[]] if is_shared else [[], ["--propagation", "unchanged"]]:
        tried = subprocess.run(["unshare", "--mount", *options, "true"], **CAPTURED)
        if not tried.returncode:
            return " ".join(options)
    raise Unavailable(f"no mounts are allowed here (CAP_SYS_ADMIN): {tried.stderr.strip()}")


def write(path, text, mode=0o755):
    """Write a file unless it has this content: another run may be reading it."""
    if not path.exists() or path.read_text() != text:
        part = path.with_name(f".{path.name}")
        part.write_text(text)
        part.chmod(mode)
        part.rename(path)


def as_user(name):
    """Return the arguments with which a script runs its program as this user."""
    person = pwd.getpwnam(name)
    groups = ",".join(map(str, os.getgrouplist(name, person.pw_gid)))
    arguments = f"--userspec={person.pw_uid}:{person.pw_gid} --groups={groups}"
    return {"env": os.environ | {"TEST_AS": arguments}}


def unpacked(release):
    """Return the release's folder, created by the first run and kept for the next."""
    if os.geteuid() != 0:
        raise Unavailable("only root can change into another Debian")
    unshare_options()
    CACHE.mkdir(parents=True, exist_ok=True)
    # Of other packages another folder: a run that uses this one may still be going on.
    folder = CACHE / f"debian-{release}-{zlib.crc32(repr(sorted(SERVERS)).encode()):x}"
    with locked(CACHE / "lock"):
        if not folder.exists():
            make(folder, release)
    return folder


@contextmanager
def locked(path):
    """Let concurrent runs wait instead of creating it twice."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make(folder, release):
    """Unpack the release; it gets its name once complete."""
    with part_of_cache() as part:
        arguments = [programs.command("debootstrap"), "--variant=minbase", f"--keyring={KEYS}"]
        arguments += [f"--include={','.join(SERVERS)}", RELEASES[release].suite, part, mirror()]
        done = subprocess.run(arguments, **CAPTURED)
        if done.returncode:
            raise Unavailable(f"Debian {release}: {done.stdout[-500:]}{done.stderr}")
        part.chmod(0o755)
        shutil.rmtree(part / "var/cache/apt")
        part.rename(folder)


@contextmanager
def part_of_cache():
    """Fill a folder and then rename it; remove leftovers of earlier runs.

    The caller holds the lock, so no other run is filling one.
    """
    remove(*CACHE.glob("part-*"))
    part = Path(tempfile.mkdtemp(prefix="part-", dir=CACHE))
    try:
        yield part
    finally:
        remove(part)


def remove(*folders):
    """Remove these, but nothing that may be mounted within."""
    subprocess.run(["rm", "-rf", "--one-file-system", "--", *folders], check=True)


def mirror():
    """Return the mirror of this machine's packages, or Debian's own server."""
    arguments = [programs.command("apt-get"), "indextargets", "--format", "$(REPO_URI)"]
    values = subprocess.run([*arguments, "Created-By: Packages"], **CAPTURED)
    places = (line.rstrip("/") for line in values.stdout.splitlines())
    is_usable = re.compile(r"https?:.*/debian")
    return next(filter(is_usable.fullmatch, places), DEFAULT_MIRROR)


def versions(release):
    """Return the versions of a release's servers."""
    values = {name: first_line(release, *words) for name, words in ASKED.items()}
    found = (f"{name} {re.search(VERSION, line)[0]}" for name, line in values.items())
    return f"Debian {release}: {', '.join(found)}"


def first_line(release, name, *arguments):
    done = subprocess.run([command(name, release), *arguments], **CAPTURED)
    if done.returncode:
        raise Unavailable(f"{name} of Debian {release}: {done.stderr.strip()}")
    return done.stdout.partition("\n")[0]


# How each prints its version.
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
