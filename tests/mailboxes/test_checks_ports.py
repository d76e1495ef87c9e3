"""`mailserver check`: the servers listen where mail programs connect."""

from dataclasses import replace

import pytest
from django.core.management import call_command

from mailadmin.conf.client_servers import ServicePort
from mailboxes.client_setup.servers import get_offered_ports
from mailboxes.mailserver.checks import run_checks
from mailboxes.mailserver.checks.listeners import get_dovecot_ports, iter_postfix_ports
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.generator.client_settings import GENERATED_PORTS
from tests.mailboxes.generated_files import config
from tests.mailboxes.sample_configurations import NEW, add, change, codes, configuration

SIEVE = {"MAILADMIN_MAIL_SIEVE": (ServicePort(4190, "starttls"),)}


@pytest.mark.django_db
@pytest.mark.parametrize("version", ["2.3", "2.4"])
@pytest.mark.parametrize("sieve", [False, True])
def test_the_generated_configuration_offers_what_the_settings_name(
    folders, version, sieve, settings
):
    options = [f"--dovecot-version={version}", *(["--sieve"] if sieve else [])]
    config(folders, *options)
    if sieve:
        settings.MAILADMIN_MAIL_SIEVE = SIEVE["MAILADMIN_MAIL_SIEVE"]
    named = {name: set(ports) for name, ports in get_offered_ports().items()}
    dovecot = DovecotFiles(folders["dovecot"])
    assert all(named[name] for name in ("imap", "pop3", "smtp"))
    assert set(iter_postfix_ports(PostfixFiles(folders["postfix"]))) == named["smtp"]
    assert set(GENERATED_PORTS["smtp"]) == named["smtp"]
    for protocol in ("imap", "pop3", *(["sieve"] if sieve else [])):
        assert set(GENERATED_PORTS[protocol]) == get_dovecot_ports(dovecot, protocol)
    for protocol in ("imap", "pop3", "sieve"):
        assert named[protocol] <= get_dovecot_ports(dovecot, protocol), protocol
        assert bool(named[protocol]) == bool(get_dovecot_ports(dovecot, protocol)), protocol


@pytest.mark.django_db
def test_the_command_says_which_settings_fit_the_configuration(folders, settings):
    said = config(folders)
    assert "\n  MAILADMIN_MAIL_HOST=mail.test\n" in said
    assert "MAILADMIN_MAIL_SIEVE" not in said
    settings.MAILADMIN_MAIL_HOST = "mail.test"
    settings.MAILADMIN_MAIL_SMTP = (ServicePort(2525, "tls"), ServicePort(587, "starttls"))
    said = config(folders, "--sieve", "--overwrite")
    assert "\n  MAILADMIN_MAIL_SMTP=587/starttls\n" in said
    assert "\n  MAILADMIN_MAIL_SIEVE=4190/starttls\n" in said
    settings.MAILADMIN_MAIL_SMTP = (ServicePort(465, "tls"),)
    settings.MAILADMIN_MAIL_SIEVE = (ServicePort(4190, "starttls"),)
    assert "\n  MAILADMIN_MAIL_SIEVE=\n" in config(folders, "--overwrite")
    assert "MAILADMIN_MAIL" not in config(folders, "--sieve", "--overwrite")


def find_ports(folder, protocol, ports, *edits, **options):
    """Return the codes that a configuration gets if the settings name these ports."""
    found = replace(configuration(folder, *edits, **options), client_ports={protocol: ports})
    return codes(run_checks(found))


LISTENER = "service imap-login {\n  inet_listener %s {\n    port = %s\n    %s\n  }\n}\n"


@pytest.mark.parametrize("dovecot", ["clean", "modern"])
@pytest.mark.parametrize(
    ("text", "port", "is_offered"),
    [
        ("", (993, "tls"), True),
        ("", (143, "starttls"), True),
        ("", (143, "tls"), False),
        ("", (1993, "tls"), False),
        (LISTENER % ("imaps", 0, ""), (993, "tls"), False),
        (LISTENER % ("imaps", 1993, ""), (1993, "tls"), True),
        (LISTENER % ("imaps", 1993, ""), (993, "tls"), False),
        (LISTENER % ("more", 1993, "ssl = yes"), (1993, "tls"), True),
        (LISTENER % ("more", 1143, ""), (1143, "starttls"), True),
        (LISTENER % ("imaps", 993, "ssl = no"), (993, "tls"), False),
        ("ssl = no\n", (993, "tls"), False),
    ],
)
def test_ports_of_dovecot(dovecot, text, port, is_offered, tmp_path):
    edits = [add(NEW if dovecot == "modern" else "dovecot/dovecot.conf", text)]
    found = find_ports(tmp_path, "imap", (ServicePort(*port),), *edits, dovecot=dovecot)
    assert ("client-port-not-offered" not in found) == is_offered


@pytest.mark.parametrize(
    ("edits", "port", "is_offered"),
    [
        ([], (587, "starttls"), True),
        ([], (465, "tls"), True),
        ([], (587, "tls"), False),
        ([], (25, "starttls"), False),
        ([change("postfix/master.cf", "submissions inet", "127.0.0.1:465 inet")], (465, "tls"), 1),
        ([change("postfix/master.cf", "submission inet", "2525 inet")], (2525, "starttls"), True),
        (
            [
                change(
                    "postfix/master.cf", "-o smtpd_tls_wrappermode=yes -o smtpd_sasl", "-o x_sasl"
                )
            ],
            (465, "tls"),
            False,
        ),
    ],
)
def test_ports_of_postfix(edits, port, is_offered, tmp_path):
    found = find_ports(tmp_path, "smtp", (ServicePort(*port),), *edits)
    assert ("submission-port-not-offered" not in found) == bool(is_offered)


def test_protocols_in_files_of_the_package_are_not_guessed(tmp_path):
    edits = [change("dovecot/dovecot.conf", "protocols = imap lmtp\n")]
    found = find_ports(tmp_path, "pop3", (ServicePort(995, "tls"),), *edits)
    assert "client-port-not-offered" not in found


@pytest.mark.django_db
@pytest.mark.parametrize("host", [None, "mail.example.org"])
def test_the_command_warns_once_mail_programs_are_set_up(host, tmp_path, settings, capsys):
    settings.MAILADMIN_MAIL_HOST = host
    configuration(tmp_path)
    call_command("mailserver", "check", f"--dovecot={tmp_path}/dovecot")
    assert ("pop3 995/tls" in capsys.readouterr().out) == bool(host)
