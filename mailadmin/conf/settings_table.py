"""Every setting of the panel: its name, its default, its parser and its help text."""

from mailadmin.conf.client_settings import CLIENT_SETTINGS
from mailadmin.conf.custom_columns import CUSTOM_COLUMN_SETTINGS
from mailadmin.conf.device_settings import DEVICE_SETTINGS
from mailadmin.conf.domain_settings import DOMAIN_SETTINGS
from mailadmin.conf.environment_setting import EnvironmentSetting
from mailadmin.conf.fetchmail_settings import FETCHMAIL_SETTINGS
from mailadmin.conf.hook_settings import HOOK_SETTINGS
from mailadmin.conf.mail_settings import MAIL_SETTINGS
from mailadmin.conf.maildir_settings import MAILDIR_SETTINGS
from mailadmin.conf.parsers import (
    choice_parser,
    integer_parser,
    list_parser,
    parse_address,
    parse_bind,
    parse_boolean,
    parse_host,
    parse_log_format,
    parse_network,
    parse_panel_url,
    parse_text,
    parse_time_zone,
    regex_parser,
)
from mailadmin.conf.password_settings import PASSWORD_SETTINGS
from mailadmin.conf.sign_in_settings import SIGN_IN_SETTINGS
from mailadmin.conf.table_names import parse_table_names
from mailadmin.conf.urls import parse_database_url

SETTINGS = (
    EnvironmentSetting(
        "MAILADMIN_DATABASE_URL",
        "",
        parse_database_url,
        "`mysql://user:password@host[:port][,host[:port]…]/name[?unix_socket=…&ssl_ca=…]`"
        " (user and password percent-encoded) or `sqlite:///path`; default: the file"
        " `mailadmin.sqlite3` next to `manage.py`. For TLS there are the options `ssl_ca`,"
        " `ssl_capath`, `ssl_cert`, `ssl_key` and `ssl_cipher`: with a CA the server's certificate"
        " is verified; with the others, or `ssl_verify=no`, the connection is encrypted without"
        " verifying it",
        secret=True,
    ),
    EnvironmentSetting(
        "MAILADMIN_TABLE_PREFIX",
        "",
        regex_parser(r"[A-Za-z0-9_]*", "made of letters, digits and _"),
        "PostfixAdmin's `database_prefix`",
    ),
    EnvironmentSetting(
        "MAILADMIN_DATABASE_TABLES",
        "",
        parse_table_names,
        "PostfixAdmin's `database_tables`, where tables have other names behind the prefix:"
        " `mailbox=accounts,alias=forwards`",
    ),
    EnvironmentSetting(
        "MAILADMIN_SECRET_KEY",
        "",
        parse_text,
        "signs sessions and links, at least 50 characters; required with MySQL; with"
        " SQLite, generated at the first start in a file next to the database",
        secret=True,
    ),
    EnvironmentSetting(
        "MAILADMIN_URL",
        "",
        parse_panel_url,
        "public URL of the panel, `https://…`: for links in mail, Secure cookies, HSTS"
        " and the origin check of forms",
    ),
    EnvironmentSetting(
        "MAILADMIN_HSTS",
        "host",
        choice_parser("host", "subdomains", "preload", "no"),
        "with an `https://` URL, what browsers open by HTTPS only for a year: this"
        " `host`, also its `subdomains`, both and in browsers' preload lists (`preload`),"
        " or nothing (`no`)",
    ),
    EnvironmentSetting(
        "MAILADMIN_ALLOWED_HOSTS",
        "localhost,127.0.0.1",
        list_parser(parse_host),
        "host names the panel answers to, in addition to that of `MAILADMIN_URL`",
    ),
    EnvironmentSetting(
        "MAILADMIN_BIND",
        "127.0.0.1:8000",
        parse_bind,
        "address `deploy/run` listens on: `address:port` or `unix:/path`",
    ),
    EnvironmentSetting(
        "MAILADMIN_DEBUG",
        "no",
        parse_boolean,
        "`yes`: error pages with details; never use in production",
    ),
    EnvironmentSetting(
        "MAILADMIN_TRUSTED_PROXIES",
        "",
        list_parser(parse_network),
        "addresses or networks of reverse proxies whose `X-Forwarded-For` and"
        " `X-Forwarded-Proto` are trusted",
    ),
    *SIGN_IN_SETTINGS,
    *DEVICE_SETTINGS,
    *FETCHMAIL_SETTINGS,
    *CUSTOM_COLUMN_SETTINGS,
    *HOOK_SETTINGS,
    *MAILDIR_SETTINGS,
    EnvironmentSetting(
        "MAILADMIN_DKIM",
        "no",
        choice_parser("no", "superadmins", "admins"),
        "who manages DKIM keys: `no` one, `superadmins`, or all `admins` those of their domains;"
        " see [DKIM](dkim.md)",
    ),
    EnvironmentSetting(
        "MAILADMIN_TIME_ZONE",
        "",
        parse_time_zone,
        "time zone of the dates in PostfixAdmin's database; default: that of the machine",
    ),
    EnvironmentSetting(
        "MAILADMIN_LANGUAGE",
        "en",
        choice_parser("en", "de", "ru"),
        "language for browsers that request none of `en`, `de`, `ru`",
    ),
    EnvironmentSetting(
        "MAILADMIN_ADMIN",
        "admin@localhost",
        parse_address,
        "first superadmin, created by `deploy/run` if there is none",
    ),
    EnvironmentSetting(
        "MAILADMIN_ADMIN_PASSWORD",
        "",
        parse_text,
        "password of the first superadmin; default: generated and shown once",
        secret=True,
    ),
    *PASSWORD_SETTINGS,
    EnvironmentSetting(
        "MAILADMIN_SIGN_IN_NOTICES",
        "yes",
        parse_boolean,
        "`no`: no email about a sign-in from a network and browser not used before",
    ),
    *DOMAIN_SETTINGS,
    *CLIENT_SETTINGS,
    *MAIL_SETTINGS,
    EnvironmentSetting(
        "MAILADMIN_UNDO_DAYS",
        "30",
        integer_parser(),
        "number of days for which deleted rows are kept in the database (not shown in the panel)",
    ),
    EnvironmentSetting(
        "MAILADMIN_UPLOAD_MB",
        "100",
        integer_parser(1),
        "maximum size of a file uploaded for import; the command has no limit",
    ),
    EnvironmentSetting(
        "MAILADMIN_XMLRPC",
        "no",
        parse_boolean,
        "`yes`: PostfixAdmin's `xmlrpc.php`, by which plugins of webmail programs change password,"
        " vacation reply and forwarding",
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_API",
        "no",
        parse_boolean,
        "`yes`: `/webmail/password/`, by which Roundcube's driver `httpapi` changes passwords",
    ),
    EnvironmentSetting(
        "MAILADMIN_API_RATE",
        "1200",
        integer_parser(),
        "maximum number of API requests per minute and person, over all their tokens; 0"
        " is unlimited",
    ),
    *(
        EnvironmentSetting(
            f"MAILADMIN_MOTD_{name}",
            "",
            parse_text,
            f"text on the first page of {people} (`\\n` is a line break)",
        )
        for name, people in (
            ("USER", "mailbox owners"),
            ("ADMIN", "domain admins"),
            ("SUPERADMIN", "superadmins"),
        )
    ),
    EnvironmentSetting("MAILADMIN_PAGE_SIZE", "50", integer_parser(1), "rows per page in lists"),
    EnvironmentSetting(
        "MAILADMIN_LOG_LEVEL",
        "INFO",
        choice_parser("DEBUG", "INFO", "WARNING", "ERROR", fold=str.upper),
        "minimum level of messages written to standard error: `DEBUG`, `INFO`, `WARNING`"
        " or `ERROR`",
    ),
    EnvironmentSetting(
        "MAILADMIN_LOG_FORMAT",
        "%(levelname)s %(name)s: %(message)s",
        parse_log_format,
        "format of log messages, as in Python's `logging`, plus `%(request_id)s` and"
        " `%(page)s`; `json`: one object per message, and one per request",
    ),
    EnvironmentSetting(
        "MAILADMIN_SLOW_QUERY_MS",
        "500",
        integer_parser(),
        "log statements that take at least this many milliseconds, with their page but"
        " without values; 0 disables this",
    ),
    EnvironmentSetting(
        "MAILADMIN_METRICS_TOKEN",
        "",
        parse_text,
        "token for access to `/metrics` from other machines (`Authorization: Bearer …`);"
        " default: local access only",
        secret=True,
    ),
)
