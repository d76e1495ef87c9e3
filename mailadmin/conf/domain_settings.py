"""Settings of domains, mailboxes and aliases, and of who may change them."""

from mailadmin.conf.environment_setting import EnvironmentSetting
from mailadmin.conf.parsers import (
    choice_parser,
    integer_parser,
    list_parser,
    optional_parser,
    parse_boolean,
    parse_default_alias,
    parse_domain,
    parse_maildir_template,
    parse_recipient_delimiter,
    parse_regex,
    parse_service_name,
    regex_parser,
)

DOMAIN_SETTINGS = (
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
        "MAILADMIN_QUOTA_LIMITS",
        "all",
        choice_parser("all", "mailboxes", "no"),
        "which limits of domains are enforced when a mailbox gets a quota: `all`; only the maximum"
        " per mailbox (`mailboxes`, PostfixAdmin's `domain_quota` NO); `no` one (`quota` NO)",
    ),
    EnvironmentSetting(
        "MAILADMIN_QUOTA_LEVEL_MED_PCT",
        "70",
        integer_parser(0, 100),
        "percentage in use from which the bar of a quota or limit is yellow",
    ),
    EnvironmentSetting(
        "MAILADMIN_QUOTA_LEVEL_HIGH_PCT",
        "90",
        integer_parser(0, 100),
        "percentage in use from which it is red",
    ),
    EnvironmentSetting(
        "MAILADMIN_TRANSPORT_DEFAULT",
        "virtual",
        regex_parser(r"\S+", "the name of one transport"),
        "transport of a new domain",
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
        "MAILADMIN_EMAILCHECK_LOCALALIASONLY",
        "no",
        parse_boolean,
        "`yes`: new targets of aliases and forwardings must be in domains of this panel",
    ),
    EnvironmentSetting(
        "MAILADMIN_EMAILCHECK_RESOLVE_DOMAIN",
        "no",
        parse_boolean,
        "`yes`: forms, the API and commands refuse new domains, and targets in domains, that have"
        " no MX, address or NS record in DNS; imports do not look",
    ),
    EnvironmentSetting(
        "MAILADMIN_USERNAME_LEGAL_CHARS",
        "",
        optional_parser(parse_regex),
        "regular expression that local parts of new mailboxes must match, such as"
        " `[a-zA-Z0-9._-]+`",
    ),
    EnvironmentSetting(
        "MAILADMIN_LOGGING",
        "yes",
        parse_boolean,
        "`no`: no lines in PostfixAdmin's table `log`, so the page Log stays empty; the panel's own"
        " records of changes, which undo needs, are kept",
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
        "MAILADMIN_VACATION_CONTROL",
        "yes",
        parse_boolean,
        "`no`: mailbox owners cannot set their vacation reply",
    ),
    EnvironmentSetting(
        "MAILADMIN_VACATION_CONTROL_ADMIN",
        "yes",
        parse_boolean,
        "`no`: domain admins cannot set the vacation replies of mailboxes",
    ),
    EnvironmentSetting(
        "MAILADMIN_VACATION_CHOICE_OF_REPLY",
        "0,86400,604800",
        list_parser(integer_parser(0, 2**31 - 1)),
        "seconds after which a sender gets a vacation reply again, as forms offer them; 0 is once,"
        " 1 is always",
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
)
