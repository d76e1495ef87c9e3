"""Ports that are open to the network (CVE-2024-24760): what is shipped listens on this machine.

A container engine publishes a port past the firewall of the machine, on all of its addresses
unless one is named.
"""

import ipaddress
import re

import pytest
import yaml

from mailadmin import conf
from tests.architecture import ROOT

pytestmark = pytest.mark.sources
NOT_SHIPPED = {".git", ".venv", ".venv-tests", "vendor", "node_modules"}
# Of quadlet units, and of commands in scripts and pages.
PUBLISHED_RE = re.compile(r"^PublishPort=(\S+)|(?:docker|podman) run\b.*?(?:-p|--publish)[ =](\S+)")


def is_local(address):
    """Return whether a port is published to the machine itself: `127.0.0.1:8000:8000`."""
    host, colon, _port = address.strip("'\"").rpartition(":")
    host = host.rpartition(":")[0] if colon else ""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def find_open_ports(compose):
    """Return what the services of a compose file publish to other machines."""
    for name, service in (compose.get("services") or {}).items():
        if service.get("network_mode") == "host":
            yield name, "network_mode: host"
        for port in service.get("ports") or ():
            if isinstance(port, dict):
                host = port.get("host_ip", "")
                port = f"{host}:{port.get('published', '')}:{port['target']}"
            if not is_local(str(port)):
                yield name, str(port)


def find_published(text):
    """Return the ports that a unit or a command publishes to other machines."""
    for line in text.replace("\\\n", " ").splitlines():
        for match in PUBLISHED_RE.finditer(line):
            address = match[1] or match[2]
            if not is_local(address):
                yield address


def shipped_files(*suffixes):
    for path in ROOT.rglob("*"):
        is_shipped = not NOT_SHIPPED.intersection(path.relative_to(ROOT).parts)
        if path.is_file() and is_shipped and path.suffix in suffixes:
            yield path


def test_compose_files_publish_on_loopback_only():
    for path in shipped_files(".yml", ".yaml"):
        if path.parent != ROOT and "deploy" not in path.parts:
            continue
        documents = yaml.safe_load_all(path.read_text("utf-8"))
        found = [each for document in documents for each in find_open_ports(document or {})]
        assert found == [], path


def test_units_scripts_and_pages_publish_on_loopback_only():
    for path in shipped_files(".container", ".pod", ".sh", ".md", ".example", ""):
        if "tests" not in path.relative_to(ROOT).parts:
            text = path.read_text("utf-8", errors="replace")
            assert list(find_published(text)) == [], path


def test_the_panel_listens_on_loopback_unless_told_otherwise():
    setting = next(each for each in conf.SETTINGS if each.name == "MAILADMIN_BIND")
    assert is_local(f"{setting.default}:8000")
    example = (ROOT / "deploy/mailadmin.env.example").read_text("utf-8")
    for address in re.findall(r"^#?\s*MAILADMIN_BIND=(\S+)", example, re.MULTILINE):
        assert is_local(f"{address}:8000")


@pytest.mark.parametrize(
    ("port", "is_open"),
    [
        ("127.0.0.1:8000:8000", False),
        ("127.0.0.1::8000", False),
        ("[::1]:8000:8000/tcp", False),
        ({"target": 8000, "published": "8000", "host_ip": "127.0.0.1"}, False),
        ("8000:8000", True),
        ("8000", True),
        (8000, True),
        ("0.0.0.0:8000:8000", True),
        ("[::]:8000:8000", True),
        ("192.168.0.1:8000:8000", True),
        ("${ADDRESS}:8000:8000", True),
        ({"target": 8000, "published": "8000"}, True),
    ],
)
def test_the_check_finds_an_open_port(port, is_open):
    assert bool([*find_open_ports({"services": {"panel": {"ports": [port]}}})]) == is_open
    if isinstance(port, str):
        assert bool([*find_published(f"PublishPort={port}")]) == is_open
        assert bool([*find_published(f"podman run --rm -p {port} x")]) == is_open


def test_the_check_finds_the_network_of_the_host():
    assert [*find_open_ports({"services": {"panel": {"network_mode": "host"}}})]
