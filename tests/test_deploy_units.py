"""The units of systemd in deploy/: systemd can read them, and each is hardened."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mailadmin.conf import BASE_DIR

UNITS = sorted((BASE_DIR / "deploy").glob("*.service")) + sorted(
    (BASE_DIR / "deploy").glob("*.timer")
)
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
HARDENING = (
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "CapabilityBoundingSet=",
    "SystemCallFilter=@system-service",
)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_it(unit, tmp_path):
    """With a program that exists, since systemd looks for it."""
    for each in UNITS:
        text = re.sub(r"/opt/mailadmin/\S+/bin/\S+", "/bin/true", each.read_text())
        (tmp_path / each.name).write_text(text)
    command = ["systemd-analyze", "verify", tmp_path / unit.name]
    result = subprocess.run(command, capture_output=True, text=True)
    named = [line for line in result.stderr.splitlines() if "mailadmin" in line]
    assert (result.returncode, named) == (0, [])


@pytest.mark.parametrize("service", SERVICES, ids=lambda unit: unit.name)
def test_it_is_hardened(service):
    lines = service.read_text().splitlines()
    missing = [each for each in HARDENING if not any(line.startswith(each) for line in lines)]
    assert missing == []


def test_the_service_of_maildirs_has_neither_the_panels_user_nor_its_settings():
    text = (BASE_DIR / "deploy/mailadmin-maildirs.service").read_text()
    assert "User=vmail" in text and "MAILADMIN_ENV_FILE=/etc/mailadmin/maildirs.env" in text
    assert "EnvironmentFile" not in text
    assert re.findall("^CapabilityBoundingSet=(.*)$", text, re.MULTILINE) == [""]
    example = Path(BASE_DIR, "deploy/maildirs.env.example").read_text()
    names = re.findall(r"^#?(MAILADMIN_\w+)=", example, re.MULTILINE)
    assert {"MAILADMIN_MAILDIRS", "MAILADMIN_DATABASE_URL"} <= set(names)
