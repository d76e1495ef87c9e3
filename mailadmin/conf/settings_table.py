"""Every setting of the panel: its name, its default, its parser and its help text."""

from collections.abc import Callable
from typing import NamedTuple

from mailadmin.conf.parsers import (
    choice_parser,
    integer_parser,
    list_parser,
    optional_parser,
    parse_address,
    parse_bind,
    parse_boolean,
    parse_default_alias,
    parse_domain,
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
from mailadmin.conf.urls import parse_database_url, parse_smtp_url


class EnvironmentSetting(NamedTuple):
    """One variable; the value of a secret may also be in the file that `<name>_FILE` names."""

    name: str
    default: str
    parse: Callable[[str], object]
    help_text: str
    secret: bool = False


SETTINGS = (
    EnvironmentSetting(
        "MAILADMIN_DATABASE_URL",
        "",
        parse_database_url,
        "`mysql://user:password@host[:port][,host[:port]…]/name[?unix_socket=…&ssl_ca=…]` "
        "(user and password percent-encoded) or `sqlite:///path`; without it the file "
        "`mailadmin.sqlite3` beside `manage.py`",
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
        "signs sessions and links, 50 characters or more; required with MySQL, with SQLite made "
        "at the first start in a file beside the database",
        secret=True,
    ),
    EnvironmentSetting(
        "MAILADMIN_URL",
        "",
        parse_panel_url,
        "the panel's own address, `https://…`: links in mails, Secure cookies, HSTS, the origin "
        "of forms",
    ),
    EnvironmentSetting(
        "MAILADMIN_HSTS",
        "host",
        choice_parser("host", "subdomains", "preload", "no"),
        "with an `https://` address, what browsers open by HTTPS alone for a year: this `host`, "
        "its `subdomains` too, both and in browsers' own lists (`preload`), or nothing (`no`)",
    ),
    EnvironmentSetting(
        "MAILADMIN_ALLOWED_HOSTS",
        "localhost,127.0.0.1",
        list_parser(parse_host),
        "names the panel answers to, beside the host of `MAILADMIN_URL`",
    ),
    EnvironmentSetting(
        "MAILADMIN_BIND",
        "127.0.0.1:8000",
        parse_bind,
        "where `deploy/run` listens: `address:port` or `unix:/path`",
    ),
    EnvironmentSetting(
        "MAILADMIN_DEBUG", "no", parse_boolean, "`yes`: error pages with details; never in public"
    ),
    EnvironmentSetting(
        "MAILADMIN_TRUSTED_PROXIES",
        "",
        list_parser(parse_network),
        "addresses or networks of reverse proxies whose `X-Forwarded-For` and "
        "`X-Forwarded-Proto` are believed",
    ),
    EnvironmentSetting(
        "MAILADMIN_TIME_ZONE",
        "",
        parse_time_zone,
        "the time zone PostfixAdmin's dates are in; without it the machine's",
    ),
    EnvironmentSetting(
        "MAILADMIN_LANGUAGE",
        "en",
        choice_parser("en", "de", "ru"),
        "language of those whose browser asks for none of `en`, `de`, `ru`",
    ),
    EnvironmentSetting(
        "MAILADMIN_ADMIN",
        "admin@localhost",
        parse_address,
        "the first superadmin, made by `deploy/run` where there is none",
    ),
    EnvironmentSetting(
        "MAILADMIN_ADMIN_PASSWORD",
        "",
        parse_text,
        "the first superadmin's password; without it one is made and shown once",
        secret=True,
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_SCHEME",
        "BLF-CRYPT",
        parse_password_scheme,
        "what new passwords are stored as: a Dovecot scheme",
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_PREFIX",
        "auto",
        choice_parser("yes", "no", "auto"),
        "the `{SCHEME}` prefix before a stored password: `yes`, `no`, or `auto`: none before "
        "`$…$` hashes, one before all others",
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_ROUNDS",
        "",
        optional_parser(integer_parser(1)),
        "cost of new hashes, in the scheme's own unit; without it the scheme's default",
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_REHASH",
        "no",
        parse_boolean,
        "`yes`: store the configured scheme at the next correct login",
    ),
    EnvironmentSetting(
        "MAILADMIN_MAILDIR",
        "{domain}/{local_part}/",
        parse_maildir_template,
        "folder of a new mailbox, of `{domain}`, `{local_part}` and `{username}`",
    ),
    EnvironmentSetting(
        "MAILADMIN_QUOTA_MULTIPLIER",
        "1024000",
        integer_parser(1),
        "bytes per MB of quota, as PostfixAdmin counts",
    ),
    EnvironmentSetting(
        "MAILADMIN_DOMAIN_ALIASES",
        "0",
        integer_parser(-1),
        "aliases a new domain may have; 0 is unlimited, -1 none",
    ),
    EnvironmentSetting(
        "MAILADMIN_DOMAIN_MAILBOXES",
        "0",
        integer_parser(-1),
        "mailboxes a new domain may have; 0 is unlimited, -1 none",
    ),
    EnvironmentSetting(
        "MAILADMIN_DOMAIN_MAXQUOTA",
        "0",
        integer_parser(-1),
        "largest quota of one mailbox of a new domain in MB; 0 is unlimited, -1 none",
    ),
    EnvironmentSetting(
        "MAILADMIN_DOMAIN_QUOTA",
        "0",
        integer_parser(-1),
        "quota of a whole new domain in MB; 0 is unlimited, -1 none",
    ),
    EnvironmentSetting(
        "MAILADMIN_DEFAULT_ALIASES",
        "abuse,hostmaster,postmaster,webmaster",
        list_parser(parse_default_alias),
        "aliases made with a domain: `name` goes where the form says, else to the acting admin, "
        "`name=address` to that address (without `@`: in the same domain)",
    ),
    EnvironmentSetting(
        "MAILADMIN_TRANSPORTS",
        "virtual,local,relay",
        list_parser(),
        "transports offered for a domain",
    ),
    EnvironmentSetting(
        "MAILADMIN_SERVICES",
        "",
        list_parser(parse_service_name),
        "delivery services of your own `master.cf` that transports may name besides those of the "
        "written one, such as `maildrop` or `virtual`",
    ),
    EnvironmentSetting(
        "MAILADMIN_SYSTEM_USERS",
        "superadmins",
        choice_parser("superadmins", "admins"),
        "who may let an alias point to a user of the mail server's own system, such as `root`",
    ),
    EnvironmentSetting(
        "MAILADMIN_ALIAS_DOMAIN",
        "yes",
        parse_boolean,
        "`no`: no alias domains",
    ),
    EnvironmentSetting(
        "MAILADMIN_EDIT_ALIAS",
        "yes",
        parse_boolean,
        "`no`: mailbox owners may not change their forwarding",
    ),
    EnvironmentSetting(
        "MAILADMIN_ALIAS_CONTROL_ADMIN",
        "yes",
        parse_boolean,
        "`no`: admins may not change the targets of a mailbox's own alias",
    ),
    EnvironmentSetting(
        "MAILADMIN_SPECIAL_ALIAS_CONTROL",
        "no",
        parse_boolean,
        "`yes`: admins, not only superadmins, may change the default aliases",
    ),
    EnvironmentSetting("MAILADMIN_VACATION", "yes", parse_boolean, "`no`: no vacation messages"),
    EnvironmentSetting(
        "MAILADMIN_VACATION_DOMAIN",
        "autoreply.localhost",
        parse_domain,
        "the domain that Postfix hands to the vacation responder",
    ),
    EnvironmentSetting(
        "MAILADMIN_RECIPIENT_DELIMITER",
        "+",
        parse_recipient_delimiter,
        "as Postfix has it; empty where it has none",
    ),
    EnvironmentSetting(
        "MAILADMIN_SMTP_URL",
        "smtp://127.0.0.1:25",
        parse_smtp_url,
        "the server for welcome mails: `smtp://`, `smtp+starttls://` or `smtps://` "
        "`[user:password@]host[:port]`",
        secret=True,
    ),
    EnvironmentSetting(
        "MAILADMIN_ADMIN_EMAIL",
        "",
        optional_parser(parse_address),
        "sender of the panel's mails; without it the acting admin",
    ),
    EnvironmentSetting(
        "MAILADMIN_WELCOME_SUBJECT",
        "",
        parse_text,
        "subject of the mail to a new mailbox; without it the panel's own words",
    ),
    EnvironmentSetting(
        "MAILADMIN_WELCOME_TEXT",
        "",
        parse_text,
        "text of the mail to a new mailbox (`\\n` is a new line); without it the panel's own words",
    ),
    EnvironmentSetting(
        "MAILADMIN_UNDO_DAYS",
        "30",
        integer_parser(),
        "days for which what was deleted is kept in the database, shown nowhere",
    ),
    EnvironmentSetting(
        "MAILADMIN_UPLOAD_MB",
        "100",
        integer_parser(1),
        "largest file that a page takes to import; the command has no limit",
    ),
    EnvironmentSetting(
        "MAILADMIN_API_RATE",
        "1200",
        integer_parser(),
        "requests a minute that the API takes from one person, by all their tokens; 0 is unlimited",
    ),
    EnvironmentSetting(
        "MAILADMIN_PAGE_SIZE", "50", integer_parser(1), "rows on one page of a list"
    ),
    EnvironmentSetting(
        "MAILADMIN_LOG_LEVEL",
        "INFO",
        choice_parser("DEBUG", "INFO", "WARNING", "ERROR", fold=str.upper),
        "the least that is written to standard error: `DEBUG`, `INFO`, `WARNING` or `ERROR`",
    ),
    EnvironmentSetting(
        "MAILADMIN_LOG_FORMAT",
        "%(levelname)s %(name)s: %(message)s",
        parse_log_format,
        "form of those lines, as Python's `logging` has it, also with `%(request_id)s` and "
        "`%(page)s`; `json`: an object each, and one for each request",
    ),
    EnvironmentSetting(
        "MAILADMIN_SLOW_QUERY_MS",
        "500",
        integer_parser(),
        "statements that take so many milliseconds are logged with their page, without values; "
        "0: none",
    ),
    EnvironmentSetting(
        "MAILADMIN_METRICS_TOKEN",
        "",
        parse_text,
        "opens `/metrics` to other machines (`Authorization: Bearer …`); without it, it is open "
        "to this one",
        secret=True,
    ),
)
