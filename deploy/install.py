"""Make virtual environments as the lock files say, with the Debian packages that takes.

Runs before anything is installed and so knows only Python's own library. As a script it makes
the panel's environment, does nothing where it stands already, and runs its arguments in it;
with `--tests` it makes the one that tests/run uses, and installs the servers that tests start;
with `--tests FOLDER` it makes one in another folder, for the Python that runs this.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "deploy/requirements.lock"
MYSQL_LOCK = ROOT / "deploy/requirements-mysql.lock"
TESTS_LOCK = ROOT / "tests/requirements.lock"
POLICY = Path("/usr/sbin/policy-rc.d")
PATH = os.environ.get("PATH", "") + os.pathsep + "/usr/local/sbin:/usr/sbin:/sbin"
# What mysqlclient is compiled with: the package, and a file or command that says it is there.
COMPILER = {
    "gcc": "gcc",
    "pkg-config": "pkg-config",
    "libmariadb-dev": "mariadb_config",
    "python3-dev": Path(sysconfig.get_paths()["include"], "Python.h"),
}


def stop(message):
    sys.exit(f"mailadmin: {message}")


def run(*command, **options):
    """Run a command; its own words say what went wrong, ours what it was for."""
    try:
        subprocess.run(command, check=True, **options)
    except subprocess.CalledProcessError as error:
        stop(f"`{' '.join(map(str, command[:4]))} …` ended with status {error.returncode}")


def virtual_environment(folder, *locks):
    """Make or mend the environment; one made of these locks by this Python stays as it is."""
    stamp, python = folder / "mailadmin.stamp", folder / "bin/python"
    digest = state(folder, locks)
    if python.exists() and stamp.exists() and stamp.read_text() == digest:
        return python
    if not os.access(folder.parent, os.W_OK):
        stop(f"the folder {folder.parent} cannot be written")
    print(f"mailadmin: installing into {folder.name} …", flush=True)
    run(sys.executable, "-m", "venv", "--clear", folder)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for lock in locks:
        run(*pip, "--no-build-isolation", "--require-hashes", "-r", lock)
    run(*pip, "--no-build-isolation", "--no-deps", "--editable", ROOT)
    stamp.write_text(digest)
    return python


def state(folder, locks):
    """What an environment depends on; it cannot be moved either, so its place counts too."""
    digest = hashlib.sha256(f"{folder} {sys.executable} {sys.version}".encode())
    for file in (*locks, ROOT / "pyproject.toml"):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def missing_compiler():
    """What mysqlclient is compiled with and is not there."""
    missing = [package for package, probe in COMPILER.items() if not shutil.which(probe, path=PATH)]
    return [package for package in missing if not Path(COMPILER[package]).exists()]


def debian_packages(missing):
    """Install these packages, as root or with sudo; without either, stop and name them."""
    if not missing:
        return
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    line = f"apt-get install --no-install-recommends {' '.join(missing)}"
    if not shutil.which("apt-get") or (root and not has_sudo()):
        stop(f"missing Debian packages; run as root: {line}")
    print(f"mailadmin: {line}", flush=True)
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
    with services_stay_down(root):
        run(*apt, "update", stdout=subprocess.DEVNULL)
        # --no-remove: a mail server that is here already must not give way to ours.
        run(*apt, *line.split()[1:], "--no-remove", stdout=subprocess.DEVNULL)


def has_sudo():
    return shutil.which("sudo") and not subprocess.run(["sudo", "-n", "true"]).returncode


@contextmanager
def services_stay_down(root):
    """Debian starts what it installs unless policy-rc.d forbids it; a policy that is here stays."""
    if POLICY.exists():
        yield
        return
    with tempfile.NamedTemporaryFile("w", suffix="policy-rc.d") as policy:
        policy.write("#!/bin/sh\nexit 101\n")
        policy.flush()
        run(*root, "install", "-m", "755", policy.name, POLICY)
    try:
        yield
    finally:
        run(*root, "rm", "-f", POLICY)


def for_panel():
    sys.path.insert(0, str(ROOT))
    from mailadmin import conf

    settings = conf.read_settings(report_warning=lambda line: None)
    if settings["MAILADMIN_DATABASE_URL"]["ENGINE"].endswith("mysql"):
        debian_packages(missing_compiler())
        return virtual_environment(ROOT / ".venv", LOCK, MYSQL_LOCK)
    return virtual_environment(ROOT / ".venv", LOCK)


def for_tests(folder=".venv-tests"):
    sys.path.insert(0, str(ROOT))
    from tests.programs import missing_packages

    debian_packages(missing_compiler() + missing_packages())
    virtual_environment(ROOT / folder, LOCK, TESTS_LOCK)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if sys.argv[1:2] == ["--tests"]:
            return for_tests(*sys.argv[2:])
        python = for_panel()
        os.execv(python, [python, *sys.argv[1:]])  # noqa: S606 (no shell is wanted)
    except OSError as error:
        stop(f"{error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()
