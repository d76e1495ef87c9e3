"""Packages of Debian that are unpacked and not installed, of this machine's release or of another.

Another release's are chosen by its own index, from where this machine gets its own packages.
"""

import subprocess

from tests import releases
from tests.programs import command

SOURCE = "deb [signed-by={keys}] {mirror} {suite} main\n"
# What the machine's own apt knows is neither asked nor changed; how it reaches the network is.
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
    apt = [command("apt-get"), "-q", "-o", "APT::Sandbox::User=root"]
    apt += [] if suite is None else index(folder / "index", suite)
    downloads = folder / "downloads"
    downloads.mkdir()
    download = [*apt, "download", *names]
    if suite or subprocess.run(download, cwd=downloads, capture_output=True).returncode:
        subprocess.run([*apt, "update"], capture_output=True)
        subprocess.run(download, cwd=downloads, check=True, capture_output=True)
    for package in downloads.glob("*.deb"):
        subprocess.run([command("dpkg"), "-x", package, folder], check=True)


def index(folder, suite):
    """Options by which apt has an index of this suite alone, in the folder."""
    (folder / "state/lists/partial").mkdir(parents=True)
    (folder / "cache/archives/partial").mkdir(parents=True)
    (folder / "status").touch()
    source = SOURCE.format(keys=releases.KEYS, mirror=releases.mirror(), suite=suite)
    (folder / "sources.list").write_text(source)
    places = [f"{name}={folder / place}" for name, place in INDEX.items()]
    return [part for each in (*places, "Acquire::Languages=none") for part in ("-o", each)]
