"""Profiles for Apple's devices, read by plistlib and verified by openssl."""

import plistlib

import pytest
from django.test import Client

from mailadmin.conf.client_servers import ServicePort
from mailboxes.client_setup.mobileconfig import build_mobileconfig
from tests.base import World
from tests.mailboxes.client_setup.certificates import make_chain, openssl
from tests.started_panel import panel

BOB = ("bob@example.org", "Bob", "example.org")


@pytest.fixture(autouse=True)
def host(settings):
    settings.MAILADMIN_MAIL_HOST = "mail.{domain}"


def read(profile):
    """Return the profile and its account."""
    outer = plistlib.loads(profile)
    return outer, outer["PayloadContent"][0]


def test_a_profile_has_the_preferred_servers_and_asks_for_the_password():
    profile, account = read(build_mobileconfig(*BOB))
    assert profile["PayloadType"] == "Configuration"
    assert account["PayloadType"] == "com.apple.mail.managed"
    assert account["EmailAccountType"] == "EmailTypeIMAP"
    assert account["EmailAccountName"] == "Bob"
    assert account["EmailAddress"] == "bob@example.org"
    for prefix, port in (("Incoming", 993), ("Outgoing", 465)):
        assert account[f"{prefix}MailServerHostName"] == "mail.example.org"
        assert account[f"{prefix}MailServerPortNumber"] == port
        assert account[f"{prefix}MailServerUseSSL"] is True
        assert account[f"{prefix}MailServerUsername"] == "bob@example.org"
        assert account[f"{prefix}MailServerAuthentication"] == "EmailAuthPassword"
        assert f"{prefix}Password" not in account


def test_a_password_is_added_only_if_it_is_given():
    _profile, account = read(build_mobileconfig(*BOB, password="<s&cret>"))
    assert account["IncomingPassword"] == account["OutgoingPassword"] == "<s&cret>"


def test_a_server_with_pop3_alone(settings):
    settings.MAILADMIN_MAIL_IMAP = ()
    settings.MAILADMIN_MAIL_SMTP = (ServicePort(587, "starttls"),)
    _profile, account = read(build_mobileconfig(*BOB))
    assert account["EmailAccountType"] == "EmailTypePOP"
    assert account["IncomingMailServerPortNumber"] == 995
    assert account["OutgoingMailServerPortNumber"] == 587


def test_a_second_profile_replaces_the_first(settings):
    keys = ("PayloadUUID", "PayloadIdentifier")

    def names(profile):
        return [part[key] for part in read(profile) for key in keys]

    first = names(build_mobileconfig(*BOB))
    settings.MAILADMIN_MAIL_HOST = "imap.example.net"
    again = names(build_mobileconfig("Bob@example.org", "Robert", "example.org", "secret"))
    other = names(build_mobileconfig("carol@example.org", "Bob", "example.org"))
    assert first == again
    assert not set(first) & set(other)
    assert len(set(first)) == 4


def test_there_is_no_profile_without_the_name_of_the_mail_server(settings):
    settings.MAILADMIN_MAIL_HOST = None
    assert build_mobileconfig(*BOB) is None


@pytest.mark.parametrize("algorithm", ["rsa:2048", "EC:prime256v1"])
def test_openssl_verifies_a_signed_profile(algorithm, tmp_path, settings):
    root, settings.MAILADMIN_PROFILE_CERTIFICATE_FILE, settings.MAILADMIN_PROFILE_KEY_FILE = (
        make_chain(tmp_path, algorithm)
    )
    signed = build_mobileconfig(*BOB)
    for program in ("smime", "cms"):
        verify = (program, "-verify", "-inform", "DER", "-CAfile", root, "-purpose", "any")
        verified = openssl(*verify, input=signed)
        assert verified.returncode == 0, verified.stderr
        profile, _account = read(verified.stdout)
        assert profile["PayloadContent"][0]["EmailAddress"] == "bob@example.org"
        broken = signed.replace(b"bob@example.org", b"eve@example.org")
        assert openssl(*verify, input=broken).returncode != 0


def test_a_renewed_certificate_signs_without_a_restart(tmp_path, settings):
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        root, chain, key = make_chain(folder)
        for name, path in (("CERTIFICATE", chain), ("KEY", key)):
            copy = tmp_path / name
            copy.write_bytes(path.read_bytes())
            setattr(settings, f"MAILADMIN_PROFILE_{name}_FILE", copy)
        signed = build_mobileconfig(*BOB)
        verify = ("cms", "-verify", "-inform", "DER", "-CAfile", root, "-purpose", "any")
        assert openssl(*verify, input=signed).returncode == 0


@pytest.mark.sqlite
def test_the_key_has_to_fit_the_certificate(tmp_path):
    _root, chain, key = make_chain(tmp_path)
    names = {
        "MAILADMIN_PROFILE_CERTIFICATE_FILE": str(chain),
        "MAILADMIN_PROFILE_KEY_FILE": str(key),
    }
    started = panel("manage.py", "check", **names)
    assert started.returncode == 0, started.stderr
    faults = [
        ({"MAILADMIN_PROFILE_KEY_FILE": ""}, "MAILADMIN_PROFILE_KEY_FILE is required with"),
        (
            {"MAILADMIN_PROFILE_CERTIFICATE_FILE": ""},
            "MAILADMIN_PROFILE_CERTIFICATE_FILE is required with",
        ),
        (
            {"MAILADMIN_PROFILE_KEY_FILE": str(tmp_path / "root.key")},
            "MAILADMIN_PROFILE_KEY_FILE does not",
        ),
        (
            {"MAILADMIN_PROFILE_KEY_FILE": "/nowhere"},
            "MAILADMIN_PROFILE_KEY_FILE '/nowhere' cannot be read",
        ),
        (
            {"MAILADMIN_PROFILE_KEY_FILE": "/etc/hostname"},
            "MAILADMIN_PROFILE_KEY_FILE '/etc/hostname' is",
        ),
    ]
    for changed, said in faults:
        stopped = panel("manage.py", "check", **names | changed)
        assert stopped.returncode == 1
        assert stopped.stderr.startswith(f"mailadmin: {said}"), stopped.stderr
        assert stopped.stderr.count("\n") == 1


@pytest.mark.sqlite
def test_a_key_that_cannot_sign_profiles_stops_the_start(tmp_path):
    _root, chain, key = make_chain(tmp_path, "ED25519")
    names = {
        "MAILADMIN_PROFILE_CERTIFICATE_FILE": str(chain),
        "MAILADMIN_PROFILE_KEY_FILE": str(key),
    }
    stopped = panel("manage.py", "check", **names)
    assert stopped.returncode == 1
    assert "MAILADMIN_PROFILE_KEY_FILE: is neither an RSA key" in stopped.stderr


class ProfilePageTests(World):
    def test_a_device_downloads_the_profile_without_a_login(self):
        answer = Client().get("/mail/profile.mobileconfig?emailaddress=Bob@example.org")
        assert answer["Content-Type"] == "application/x-apple-aspen-config"
        assert "mail.mobileconfig" in answer["Content-Disposition"]
        _profile, account = read(answer.content)
        assert account["EmailAccountName"] == "bob@example.org"  # not their name
        assert "IncomingPassword" not in account
