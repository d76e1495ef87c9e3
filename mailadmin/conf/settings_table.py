"""Every setting of the panel: its name, its default, how it is read and what it means."""

from collections.abc import Callable
from typing import NamedTuple

from mailadmin.conf.parsers import (
    address,
    bind,
    boolean,
    choice,
    default_alias,
    delimiter,
    domain,
    host,
    integer,
    log_format,
    maildir,
    matching,
    names,
    network,
    optional,
    password_scheme,
    service,
    text,
    time_zone,
    url,
)
from mailadmin.conf.urls import database, smtp


class Setting(NamedTuple):
    """One variable; a secret one is also read from the file that `<name>_FILE` names."""

    name: str
    default: str
    parse: Callable[[str], object]
    meaning: str
    secret: bool = False


SETTINGS = (
    Setting(
        "MAILADMIN_DATABASE_URL",
        "",
        database,
        "`mysql://user:password@host[:port][,host[:port]…]/name[?unix_socket=…&ssl_ca=…]` "
        "(user and password percent-encoded) or `sqlite:///path`; without it the file "
        "`mailadmin.sqlite3` beside `manage.py`",
        secret=True,
    ),
    Setting(
        "MAILADMIN_TABLE_PREFIX",
        "",
        matching(r"[A-Za-z0-9_]*", "made of letters, digits and _"),
        "PostfixAdmin's `database_prefix`",
    ),
    Setting(
        "MAILADMIN_SECRET_KEY",
        "",
        text,
        "signs sessions and links, 50 characters or more; required with MySQL, with SQLite made "
        "at the first start in a file beside the database",
        secret=True,
    ),
    Setting(
        "MAILADMIN_URL",
        "",
        url,
        "the panel's own address, `https://…`: links in mails, Secure cookies, HSTS, the origin "
        "of forms",
    ),
    Setting(
        "MAILADMIN_HSTS",
        "host",
        choice("host", "subdomains", "preload", "no"),
        "with an `https://` address, what browsers open by HTTPS alone for a year: this `host`, "
        "its `subdomains` too, both and in browsers' own lists (`preload`), or nothing (`no`)",
    ),
    Setting(
        "MAILADMIN_ALLOWED_HOSTS",
        "localhost,127.0.0.1",
        names(host),
        "names the panel answers to, beside the host of `MAILADMIN_URL`",
    ),
    Setting(
        "MAILADMIN_BIND",
        "127.0.0.1:8000",
        bind,
        "where `deploy/run` listens: `address:port` or `unix:/path`",
    ),
    Setting("MAILADMIN_DEBUG", "no", boolean, "`yes`: error pages with details; never in public"),
    Setting(
        "MAILADMIN_TRUSTED_PROXIES",
        "",
        names(network),
        "addresses or networks of reverse proxies whose `X-Forwarded-For` and "
        "`X-Forwarded-Proto` are believed",
    ),
    Setting(
        "MAILADMIN_TIME_ZONE",
        "",
        time_zone,
        "the time zone PostfixAdmin's dates are in; without it the machine's",
    ),
    Setting(
        "MAILADMIN_LANGUAGE",
        "en",
        choice("en", "de", "ru"),
        "language of those whose browser asks for none of `en`, `de`, `ru`",
    ),
    Setting(
        "MAILADMIN_ADMIN",
        "admin@localhost",
        address,
        "the first superadmin, made by `deploy/run` where there is none",
    ),
    Setting(
        "MAILADMIN_ADMIN_PASSWORD",
        "",
        text,
        "the first superadmin's password; without it one is made and shown once",
        secret=True,
    ),
    Setting(
        "MAILADMIN_PASSWORD_SCHEME",
        "BLF-CRYPT",
        password_scheme,
        "what new passwords are stored as: a Dovecot scheme",
    ),
    Setting(
        "MAILADMIN_PASSWORD_PREFIX",
        "auto",
        choice("yes", "no", "auto"),
        "the `{SCHEME}` prefix before a stored password: `yes`, `no`, or `auto`: none before "
        "`$…$` hashes, one before all others",
    ),
    Setting(
        "MAILADMIN_PASSWORD_ROUNDS",
        "",
        optional(integer(1)),
        "cost of new hashes, in the scheme's own unit; without it the scheme's default",
    ),
    Setting(
        "MAILADMIN_PASSWORD_REHASH",
        "no",
        boolean,
        "`yes`: store the configured scheme at the next correct login",
    ),
    Setting(
        "MAILADMIN_MAILDIR",
        "{domain}/{local_part}/",
        maildir,
        "folder of a new mailbox, of `{domain}`, `{local_part}` and `{username}`",
    ),
    Setting(
        "MAILADMIN_QUOTA_MULTIPLIER",
        "1024000",
        integer(1),
        "bytes per MB of quota, as PostfixAdmin counts",
    ),
    Setting(
        "MAILADMIN_DOMAIN_ALIASES",
        "0",
        integer(-1),
        "aliases a new domain may have; 0 is unlimited, -1 none",
    ),
    Setting(
        "MAILADMIN_DOMAIN_MAILBOXES",
        "0",
        integer(-1),
        "mailboxes a new domain may have; 0 is unlimited, -1 none",
    ),
    Setting(
        "MAILADMIN_DOMAIN_MAXQUOTA",
        "0",
        integer(-1),
        "largest quota of one mailbox of a new domain in MB; 0 is unlimited, -1 none",
    ),
    Setting(
        "MAILADMIN_DOMAIN_QUOTA",
        "0",
        integer(-1),
        "quota of a whole new domain in MB; 0 is unlimited, -1 none",
    ),
    Setting(
        "MAILADMIN_DEFAULT_ALIASES",
        "abuse,hostmaster,postmaster,webmaster",
        names(default_alias),
        "aliases made with a domain: `name` goes where the form says, else to the acting admin, "
        "`name=address` to that address (without `@`: in the same domain)",
    ),
    Setting(
        "MAILADMIN_TRANSPORTS",
        "virtual,local,relay",
        names(),
        "transports offered for a domain",
    ),
    Setting(
        "MAILADMIN_SERVICES",
        "",
        names(service),
        "delivery services of your own `master.cf` that transports may name besides those of the "
        "written one, such as `maildrop` or `virtual`",
    ),
    Setting(
        "MAILADMIN_SYSTEM_USERS",
        "superadmins",
        choice("superadmins", "admins"),
        "who may let an alias point to a user of the mail server's own system, such as `root`",
    ),
    Setting(
        "MAILADMIN_ALIAS_DOMAIN",
        "yes",
        boolean,
        "`no`: no alias domains",
    ),
    Setting(
        "MAILADMIN_EDIT_ALIAS",
        "yes",
        boolean,
        "`no`: mailbox owners may not change their forwarding",
    ),
    Setting(
        "MAILADMIN_ALIAS_CONTROL_ADMIN",
        "yes",
        boolean,
        "`no`: admins may not change the targets of a mailbox's own alias",
    ),
    Setting(
        "MAILADMIN_SPECIAL_ALIAS_CONTROL",
        "no",
        boolean,
        "`yes`: admins, not only superadmins, may change the default aliases",
    ),
    Setting("MAILADMIN_VACATION", "yes", boolean, "`no`: no vacation messages"),
    Setting(
        "MAILADMIN_VACATION_DOMAIN",
        "autoreply.localhost",
        domain,
        "the domain that Postfix hands to the vacation responder",
    ),
    Setting(
        "MAILADMIN_RECIPIENT_DELIMITER",
        "+",
        delimiter,
        "as Postfix has it; empty where it has none",
    ),
    Setting(
        "MAILADMIN_SMTP_URL",
        "smtp://127.0.0.1:25",
        smtp,
        "the server for welcome mails: `smtp://`, `smtp+starttls://` or `smtps://` "
        "`[user:password@]host[:port]`",
        secret=True,
    ),
    Setting(
        "MAILADMIN_ADMIN_EMAIL",
        "",
        optional(address),
        "sender of the panel's mails; without it the acting admin",
    ),
    Setting(
        "MAILADMIN_WELCOME_SUBJECT",
        "",
        text,
        "subject of the mail to a new mailbox; without it the panel's own words",
    ),
    Setting(
        "MAILADMIN_WELCOME_TEXT",
        "",
        text,
        "text of the mail to a new mailbox (`\\n` is a new line); without it the panel's own words",
    ),
    Setting(
        "MAILADMIN_UNDO_DAYS",
        "30",
        integer(),
        "days for which what was deleted is kept in the database, shown nowhere",
    ),
    Setting(
        "MAILADMIN_UPLOAD_MB",
        "100",
        integer(1),
        "largest file that a page takes to import; the command has no limit",
    ),
    Setting(
        "MAILADMIN_API_RATE",
        "1200",
        integer(),
        "requests a minute that the API takes from one person, by all their tokens; 0 is unlimited",
    ),
    Setting("MAILADMIN_PAGE_SIZE", "50", integer(1), "rows on one page of a list"),
    Setting(
        "MAILADMIN_LOG_LEVEL",
        "INFO",
        choice("DEBUG", "INFO", "WARNING", "ERROR", fold=str.upper),
        "the least that is written to standard error: `DEBUG`, `INFO`, `WARNING` or `ERROR`",
    ),
    Setting(
        "MAILADMIN_LOG_FORMAT",
        "%(levelname)s %(name)s: %(message)s",
        log_format,
        "form of those lines, as Python's `logging` has it, also with `%(request_id)s` and "
        "`%(page)s`; `json`: an object each, and one for each request",
    ),
    Setting(
        "MAILADMIN_SLOW_QUERY_MS",
        "500",
        integer(),
        "statements that take so many milliseconds are logged with their page, without values; "
        "0: none",
    ),
    Setting(
        "MAILADMIN_METRICS_TOKEN",
        "",
        text,
        "opens `/metrics` to other machines (`Authorization: Bearer …`); without it, it is open "
        "to this one",
        secret=True,
    ),
)


def rows():
    """The README's table of settings."""
    for setting in SETTINGS:
        secret = f", `…{setting.name.removeprefix('MAILADMIN')}_FILE`" if setting.secret else ""
        default = f"`{setting.default}`" if setting.default else ""
        yield f"| `{setting.name}`{secret} | {default} | {setting.meaning} |"
