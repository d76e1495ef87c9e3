"""Settings of the panel's own mails."""

from mailadmin.conf.environment_setting import EnvironmentSetting
from mailadmin.conf.parsers import (
    choice_parser,
    optional_parser,
    parse_address,
    parse_folder,
    parse_host,
    parse_text,
)
from mailadmin.conf.urls import parse_smtp_url

MAIL_SETTINGS = (
    EnvironmentSetting(
        "MAILADMIN_SMTP_URL",
        "smtp://127.0.0.1:25",
        parse_smtp_url,
        "SMTP server for the panel's mails: `smtp://`, `smtp+starttls://` or `smtps://`"
        " `[user:password@]host[:port][?ca=/path.pem]`; with TLS its certificate is verified, by"
        " the file of `ca` if it is not one of a public authority, unless `?verify=no`",
        secret=True,
    ),
    EnvironmentSetting(
        "MAILADMIN_ADMIN_EMAIL",
        "",
        optional_parser(parse_address),
        "sender address of the panel's mail; default: the acting admin",
    ),
    EnvironmentSetting(
        "MAILADMIN_ADMIN_NAME",
        "",
        parse_text,
        "name beside the sender address of the panel's mail, such as `Postmaster`",
    ),
    EnvironmentSetting(
        "MAILADMIN_SMTP_CLIENT",
        "",
        optional_parser(parse_host),
        "name with which the panel greets the SMTP server; default: that of the machine",
    ),
    EnvironmentSetting(
        "MAILADMIN_WELCOME_SUBJECT",
        "",
        parse_text,
        "subject of the welcome email; default: the built-in text",
    ),
    EnvironmentSetting(
        "MAILADMIN_WELCOME_TEXT",
        "",
        parse_text,
        "text of the welcome email (`\\n` is a line break); default: the built-in text",
    ),
    EnvironmentSetting(
        "MAILADMIN_MAIL_TEMPLATES",
        "",
        optional_parser(parse_folder),
        "folder with texts of the panel's mails, which replace the built-in ones: see the page on"
        " mails",
    ),
    EnvironmentSetting(
        "MAILADMIN_BROADCAST",
        "superadmins",
        choice_parser("no", "superadmins", "admins"),
        "who sends messages to users: `no` one, `superadmins`, or all `admins` to those of their"
        " domains",
    ),
)
