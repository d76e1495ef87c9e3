"""A newer Debian in a folder, for the servers that this machine's Debian does not have yet."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import mailservers
from tests.mailservers import Dovecot
from tests.programs import PATH, command

RELEASE, VERSION = "trixie", "13"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mailadmin-tests"
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PACKAGES = (
    "dovecot-core",
    "dovecot-imapd",
    "dovecot-lmtpd",
    "dovecot-pop3d",
    "dovecot-mysql",
    "dovecot-sqlite",
)


def unpacked():
    """The folder, made by the first test that asks for it and kept for the next run."""
    if missing := obstacle():
        pytest.skip(f"Debian {VERSION} cannot be unpacked: {missing}")
    CACHE.mkdir(parents=True, exist_ok=True)
    with locked(CACHE / "lock"):
        return present() or made()


def obstacle():
    """What stands in the way, or nothing."""
    if os.geteuid() != 0:
        return "only root may"
    if present():
        return ""
    if not shutil.which("debootstrap", path=PATH):
        return "debootstrap is not installed"
    if not KEYS.exists():
        return f"{KEYS} is missing (Debian: debian-archive-keyring)"
    return "" if mirror() else "apt knows no mirror of Debian"


def present():
    folder = CACHE / f"debian-{VERSION}"
    return folder if folder.is_dir() else None


@contextmanager
def locked(path):
    """Tests beside these wait, instead of making it twice."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def made():
    """Under its name once it is whole."""
    folder = Path(tempfile.mkdtemp(prefix="part-", dir=CACHE))
    done = subprocess.run(
        [command("debootstrap"), "--variant=minbase", f"--include={','.join(PACKAGES)}"]
        + [f"--keyring={KEYS}", RELEASE, folder, mirror()],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        shutil.rmtree(folder)
        pytest.skip(f"Debian {VERSION} cannot be unpacked: {done.stdout[-500:]}{done.stderr}")
    folder.chmod(0o755)
    shutil.rmtree(folder / "var/cache/apt")
    return folder.rename(CACHE / f"debian-{VERSION}")


def mirror():
    """From where this machine has its own packages."""
    said = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
    )
    places = (line.rstrip("/") for line in said.stdout.splitlines())
    return next((place for place in places if place.endswith("/debian")), "")


class NewDovecot(Dovecot):
    """Dovecot 2.4 within that folder; paths in its configuration begin there."""

    def __init__(self, ports):
        self.root = unpacked()
        self.folder = Path(tempfile.mkdtemp(prefix="dovecot-", dir=self.root / "tmp"))
        self._set_guard()
        self.shared, self.ports = self.folder, ports
        self.folder.chmod(0o755)
        for name in ("dovecot", "mail", "queue/private", "run", "state"):
            (self.folder / name).mkdir(parents=True)
        os.chown(self.folder / "mail", *mailservers.NOBODY)
        mailservers.make_certificate(self.folder)

    @property
    def inside(self):
        """The folder as the server calls it."""
        return f"/{self.folder.relative_to(self.root)}"

    def choices(self):
        return {
            "hostname": "mail.test",
            "dovecot_version": "2.4",
            "dovecot_directory": f"{self.inside}/dovecot",
            "queue_directory": f"{self.inside}/queue",
            "mail_directory": f"{self.inside}/mail",
            "mail_user": "nobody",
            "mail_group": "nogroup",
            "certificate": f"{self.inside}/certificate.pem",
            "key": f"{self.inside}/certificate.pem",
        }

    def adapt(self):
        """Besides, there is no Postfix in the folder, and paths begin there."""
        super().adapt()
        for path in (self.folder / "dovecot").iterdir():
            text = path.read_text().replace(str(self.folder), self.inside)
            path.write_text(text.replace(" = postfix\n", " = root\n"))

    def run(self):
        place = f"{self.inside}/dovecot/dovecot.conf"
        self.start("chroot", self.root, "dovecot", "-F", "-c", place)
        self.wait_until(self._answers)
        return self

    def tool(self, name, *arguments):
        place = f"{self.inside}/dovecot/dovecot.conf"
        return subprocess.run(
            [command("chroot"), self.root, name, "-c", place, *arguments],
            capture_output=True,
            text=True,
        )

    @property
    def lmtp_socket(self):
        return self.folder / "queue/private/dovecot-lmtp"
