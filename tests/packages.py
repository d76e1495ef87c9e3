"""Debian packages, unpacked without installing, of this machine's release or of another.

Another release's are chosen by its own index, from where this machine gets its own packages.
"""

import shutil
import subprocess

from tests import releases
from tests.programs import command

SOURCE = "deb [signed-by={keys}] {mirror} {suite} main\n"
# The machine's own package lists are neither read nor changed; its network settings are used.
INDEX = {
    "Dir::State": "state",
    "Dir::State::status": "status",
    "Dir::Cache": "cache",
    "Dir::Etc::SourceList": "sources.list",
    "Dir::Etc::SourceParts": "none",
    "Dir::Etc::Preferences": "none",
    "Dir::Etc::PreferencesParts": "none",
}


def unpack(names, folder, suite=None):
    """Unpack these into the folder: of the suite of Debian, or of this machine's release."""
    options = index(folder, suite) if suite else []
    downloads = folder / "downloads"
    downloads.mkdir()
    if not suite and apt("download", *names, cwd=downloads, check=False).returncode:
        apt("update", check=False)
    apt(*options, "download", *names, cwd=downloads)
    extract(downloads, folder)


def unpack_whole(name, folder, suite):
    """Unpack this one of the suite, with all that it depends on."""
    options = index(folder, suite)
    apt(*options, "install", "--yes", "--no-install-recommends", "--download-only", name)
    extract(folder / "index/cache/archives", folder)
    shutil.rmtree(folder / "index")


def unpack_missing(names, folder):
    """Unpack these of this machine's release, with what they need and this machine lacks."""
    cache = folder / "cache"
    (cache / "partial").mkdir(parents=True)
    wanted = ["install", "--yes", "--no-install-recommends", "--download-only", *names]
    options = ["-o", f"Dir::Cache::archives={cache}"]
    if apt(*options, *wanted, check=False).returncode:
        apt("update", check=False)
        apt(*options, *wanted)
    extract(cache, folder)


def apt(*arguments, check=True, **options):
    command_line = [command("apt-get"), "-q", "-o", "APT::Sandbox::User=root", *arguments]
    done = subprocess.run(command_line, capture_output=True, text=True, **options)
    if check and done.returncode:
        raise releases.Unavailable(f"apt-get: {done.stderr.strip()}")
    return done


def extract(downloads, folder):
    for package in downloads.glob("*.deb"):
        subprocess.run([command("dpkg"), "-x", package, folder], check=True)
        package.unlink()


def index(place, suite):
    """Options by which apt has an index of this suite alone, and no package installed."""
    folder = place / "index"
    (folder / "state/lists/partial").mkdir(parents=True)
    (folder / "cache/archives/partial").mkdir(parents=True)
    (folder / "status").touch()
    source = SOURCE.format(keys=releases.KEYS, mirror=releases.mirror(), suite=suite)
    (folder / "sources.list").write_text(source)
    places = [f"{name}={folder / file}" for name, file in INDEX.items()]
    options = [part for each in (*places, "Acquire::Languages=none") for part in ("-o", each)]
    apt(*options, "update")
    return options
