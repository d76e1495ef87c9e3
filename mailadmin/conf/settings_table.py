"""Every setting of the panel: its name, its default, its parser and its help text."""

from mailadmin.conf.client_settings import CLIENT_SETTINGS
from mailadmin.conf.custom_columns import CUSTOM_COLUMN_SETTINGS
from mailadmin.conf.device_settings import DEVICE_SETTINGS
from mailadmin.conf.environment_setting import EnvironmentSetting
from mailadmin.conf.fetchmail_settings import FETCHMAIL_SETTINGS
from mailadmin.conf.hook_settings import HOOK_SETTINGS
from mailadmin.conf.parsers import (
    choice_parser,
    integer_parser,
    list_parser,
    optional_parser,
    parse_address,
    parse_bind,
    parse_boolean,
    parse_breached_file,
    parse_default_alias,
    parse_domain,
    parse_folder,
    parse_host,
    parse_log_format,
    parse_maildir_template,
    parse_network,
    parse_panel_url,
    parse_password_scheme,
    parse_recipient_delimiter,
    parse_service_name,
    parse_text,
    parse_time_zone,
    regex_parser,
)
from mailadmin.conf.sign_in_settings import SIGN_IN_SETTINGS
from mailadmin.conf.urls import parse_database_url, parse_smtp_url

SETTINGS = (
    EnvironmentSetting(
        "MAILADMIN_DATABASE_URL",
        "",
        parse_database_url,
        "`mysql://user:password@host[:port][,host[:port]…]/name[?unix_socket=…&ssl_ca=…]`"
        " (user and password percent-encoded) or `sqlite:///path`; default: the file"
        " `mailadmin.sqlite3` next to `manage.py`",
        secret=True,
    ),
    EnvironmentSetting(
        "MAILADMIN_TABLE_PREFIX",
        "",
        regex_parser(r"[A-Za-z0-9_]*", "made of letters, digits and _"),
        "PostfixAdmin's `database_prefix`",
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
    EnvironmentSetting(
        "MAILADMIN_BROADCAST",
        "superadmins",
        choice_parser("no", "superadmins", "admins"),
        "who sends messages to users: `no` one, `superadmins`, or all `admins` to those of their"
        " domains",
    ),
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
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_LENGTH", "8", integer_parser(1, 64), "minimum length of new passwords"
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_BREACHED",
        "",
        optional_parser(parse_breached_file),
        "file of breached passwords that are refused: `SHA-1:count` lines sorted by hash",
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_SCHEME",
        "BLF-CRYPT",
        parse_password_scheme,
        "Dovecot scheme in which new passwords are stored",
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_PREFIX",
        "auto",
        choice_parser("yes", "no", "auto"),
        "`{SCHEME}` prefix of stored passwords: `yes`, `no`, or `auto` (no prefix for"
        " `$…$` hashes, a prefix for all others)",
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_ROUNDS",
        "",
        optional_parser(integer_parser(1)),
        "cost of new hashes, in the unit of the scheme; default: that of the scheme",
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_REHASH",
        "no",
        parse_boolean,
        "`yes`: rehash a password in the configured scheme at the next successful sign-in",
    ),
    EnvironmentSetting(
        "MAILADMIN_SIGN_IN_NOTICES",
        "yes",
        parse_boolean,
        "`no`: no email about a sign-in from a network and browser not used before",
    ),
    EnvironmentSetting(
        "MAILADMIN_MAILDIR",
        "{domain}/{local_part}/",
        parse_maildir_template,
        "folder of a new mailbox, made of `{domain}`, `{local_part}` and `{username}`",
    ),
    EnvironmentSetting(
        "MAILADMIN_QUOTA_MULTIPLIER",
        "1024000",
        integer_parser(1),
        "bytes per MB of quota, as in PostfixAdmin",
    ),
    EnvironmentSetting(
        "MAILADMIN_DOMAIN_ALIASES",
        "0",
        integer_parser(-1),
        "maximum number of aliases in a new domain; 0 is unlimited, -1 allows none",
    ),
    EnvironmentSetting(
        "MAILADMIN_DOMAIN_MAILBOXES",
        "0",
        integer_parser(-1),
        "maximum number of mailboxes in a new domain; 0 is unlimited, -1 allows none",
    ),
    EnvironmentSetting(
        "MAILADMIN_DOMAIN_MAXQUOTA",
        "0",
        integer_parser(-1),
        "maximum quota per mailbox in a new domain, in MB; 0 is unlimited, -1 disables quotas",
    ),
    EnvironmentSetting(
        "MAILADMIN_DOMAIN_QUOTA",
        "0",
        integer_parser(-1),
        "quota of a new domain, in MB; 0 is unlimited, -1 disables quotas",
    ),
    EnvironmentSetting(
        "MAILADMIN_DEFAULT_ALIASES",
        "abuse,hostmaster,postmaster,webmaster",
        list_parser(parse_default_alias),
        "aliases created with a domain: `name` points to the address entered in the form,"
        " else to the acting admin, `name=address` to that address (without `@`: in the"
        " same domain)",
    ),
    EnvironmentSetting(
        "MAILADMIN_TRANSPORTS",
        "virtual,local,relay",
        list_parser(),
        "transports that a domain can be set to",
    ),
    EnvironmentSetting(
        "MAILADMIN_SERVICES",
        "",
        list_parser(parse_service_name),
        "delivery services of your own `master.cf` that transports may use besides those"
        " of the generated one, such as `maildrop` or `virtual`",
    ),
    EnvironmentSetting(
        "MAILADMIN_SYSTEM_USERS",
        "superadmins",
        choice_parser("superadmins", "admins"),
        "who may point an alias to a system user of the mail server, such as `root`",
    ),
    EnvironmentSetting(
        "MAILADMIN_ALIAS_DOMAIN",
        "yes",
        parse_boolean,
        "`no`: disable alias domains",
    ),
    EnvironmentSetting(
        "MAILADMIN_EDIT_ALIAS",
        "yes",
        parse_boolean,
        "`no`: mailbox owners cannot change their forwarding",
    ),
    EnvironmentSetting(
        "MAILADMIN_ALIAS_CONTROL_ADMIN",
        "yes",
        parse_boolean,
        "`no`: domain admins cannot change the forwarding of mailboxes",
    ),
    EnvironmentSetting(
        "MAILADMIN_SPECIAL_ALIAS_CONTROL",
        "no",
        parse_boolean,
        "`yes`: domain admins, not only superadmins, can change the standard aliases",
    ),
    EnvironmentSetting(
        "MAILADMIN_VACATION", "yes", parse_boolean, "`no`: disable vacation replies"
    ),
    EnvironmentSetting(
        "MAILADMIN_VACATION_DOMAIN",
        "autoreply.localhost",
        parse_domain,
        "domain whose mail Postfix hands to the vacation responder",
    ),
    EnvironmentSetting(
        "MAILADMIN_RECIPIENT_DELIMITER",
        "+",
        parse_recipient_delimiter,
        "as in Postfix's `main.cf`; empty if it has none",
    ),
    *CLIENT_SETTINGS,
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
        "MAILADMIN_API_RATE",
        "1200",
        integer_parser(),
        "maximum number of API requests per minute and person, over all their tokens; 0"
        " is unlimited",
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
