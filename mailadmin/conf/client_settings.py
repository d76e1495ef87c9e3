"""The settings of mail programs: which servers they connect to, and how profiles are signed."""

from mailadmin.conf.client_servers import parse_mail_host, parse_pem_file, parse_service_port
from mailadmin.conf.environment_setting import EnvironmentSetting
from mailadmin.conf.parsers import list_parser, optional_parser

CLIENT_SETTINGS = (
    EnvironmentSetting(
        "MAILADMIN_MAIL_HOST",
        "",
        optional_parser(parse_mail_host),
        "host name that mail programs connect to; in it, `{domain}` is the domain of the mailbox;"
        " default: pages name none, and mail programs are not set up automatically, see [Mail"
        " programs](mail-programs.md)",
    ),
    EnvironmentSetting(
        "MAILADMIN_MAIL_IMAP",
        "993/tls",
        list_parser(parse_service_port),
        "ports of IMAP, the preferred one first, each with `/tls` or `/starttls`; empty: not"
        " offered. The defaults of these four are what `mailadmin mailserver config` configures",
    ),
    EnvironmentSetting(
        "MAILADMIN_MAIL_POP3",
        "995/tls",
        list_parser(parse_service_port),
        "the same for POP3",
    ),
    EnvironmentSetting(
        "MAILADMIN_MAIL_SMTP",
        "465/tls,587/starttls",
        list_parser(parse_service_port),
        "the same for sending mail after a login",
    ),
    EnvironmentSetting(
        "MAILADMIN_MAIL_SIEVE",
        "",
        list_parser(parse_service_port),
        "the same for ManageSieve: `4190/starttls` with `mailadmin mailserver config --sieve`",
    ),
    EnvironmentSetting(
        "MAILADMIN_PROFILE_CERTIFICATE_FILE",
        "",
        optional_parser(parse_pem_file),
        "file with the certificate, and its chain, that signs configuration profiles for Apple"
        " devices; default: they are not signed, and devices show them as unverified",
    ),
    EnvironmentSetting(
        "MAILADMIN_PROFILE_KEY_FILE",
        "",
        optional_parser(parse_pem_file),
        "file with the private key of that certificate, which the panel has to be able to read",
    ),
)
