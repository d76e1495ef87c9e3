"""The settings of fetchmail, which fetches mail from mailboxes elsewhere."""

from mailadmin.conf.environment_setting import EnvironmentSetting
from mailadmin.conf.parsers import (
    integer_parser,
    list_parser,
    parse_boolean,
    parse_network,
    parse_smtp_server,
    parse_text,
)

FETCHMAIL_SETTINGS = (
    EnvironmentSetting(
        "MAILADMIN_FETCHMAIL",
        "no",
        parse_boolean,
        "admins can have mail fetched from mailboxes elsewhere; `mailadmin fetchmail` has to run"
        " every few minutes, see [Fetching mail](fetchmail.md)",
    ),
    EnvironmentSetting(
        "MAILADMIN_FETCHMAIL_PROGRAM",
        "fetchmail",
        parse_text,
        "the program that `mailadmin fetchmail` runs",
    ),
    EnvironmentSetting(
        "MAILADMIN_FETCHMAIL_SMTP",
        "localhost:25",
        parse_smtp_server,
        "host and port of the SMTP server that takes fetched mail",
    ),
    EnvironmentSetting(
        "MAILADMIN_FETCHMAIL_NETWORKS",
        "",
        list_parser(parse_network),
        "private networks whose servers mail may be fetched from; default: public addresses only",
    ),
    EnvironmentSetting(
        "MAILADMIN_FETCHMAIL_PROCESSES",
        "4",
        integer_parser(1, 100),
        "how many mailboxes `mailadmin fetchmail` fetches from at the same time",
    ),
    EnvironmentSetting(
        "MAILADMIN_FETCHMAIL_SECONDS",
        "900",
        integer_parser(30, 86400),
        "number of seconds after which fetching from one mailbox is ended; the next run continues",
    ),
)
