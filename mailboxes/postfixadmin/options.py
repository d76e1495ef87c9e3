"""Every option of PostfixAdmin 2.3 to 4: the panel's variable, or why there is none."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from mailboxes.postfixadmin import conversions
from mailboxes.postfixadmin.outcomes import NOT_NEEDED, to_list, to_plain, to_yes_or_no
from mailboxes.postfixadmin.php_functions import TIME_ZONE_OPTION
from mailboxes.postfixadmin.php_values import PhpValue

OFF = ("", "no", "0", "false", "null")
LOOKS = "it is about the look of PostfixAdmin's own pages"
PHP_ONLY = "it is about PHP or PostfixAdmin's own set-up"
ALWAYS = "the panel always has it"
NO_FUNCTIONS = "the panel calls no functions of PHP, but scripts after changes (MAILADMIN_…_SCRIPT)"
CUSTOM_COLUMNS = "name columns of your own in MAILADMIN_CUSTOM_COLUMNS (docs/custom-columns.md)"
OWN_MARKS = "lists of the panel mark disabled, forwarded and undeliverable addresses on their own"


class Option(NamedTuple):
    """An option: its variable; or a reason, and what to do unless the value is one of `neutral`."""

    variable: str = ""
    convert: Callable[[PhpValue], str] = to_plain
    reason: str = ""
    advice: str = ""
    neutral: tuple[str, ...] = OFF

    @property
    def default_reason(self) -> str:
        return self.reason or "it is not in use"


def ignored(reason: str) -> Option:
    return Option(reason=reason)


def unsupported(advice: str, *neutral: str, reason: str = "") -> Option:
    """Return an option that matters only with other values than those."""
    return Option(advice=advice, neutral=neutral or OFF, reason=reason)


def named(names: str, option: Option) -> dict[str, Option]:
    """Return the same entry for several options."""
    return dict.fromkeys(names.split(), option)


DATABASE_OPTIONS: Mapping[str, Option] = {
    "database_prefix": Option("TABLE_PREFIX"),
    "database_tables": Option(NOT_NEEDED, conversions.check_table_names),
    **named(
        "database_ssl_ca_path database_ssl_cipher",
        unsupported("the panel takes a CA file only: ?ssl_ca=/path.pem in MAILADMIN_DATABASE_URL"),
    ),
    "database_ssl_verify_server_cert": unsupported(
        "with a CA the panel always verifies the server's certificate", "yes", "1", "true"
    ),
    TIME_ZONE_OPTION: Option("TIME_ZONE"),
}
PEOPLE_OPTIONS: Mapping[str, Option] = {
    "default_language": Option("LANGUAGE", conversions.convert_language),
    "site_url": Option("URL", conversions.convert_site_url),
    "page_size": Option("PAGE_SIZE"),
    "edit_alias": Option("EDIT_ALIAS", to_yes_or_no),
    "alias_control": ignored("it only hides a link from superadmins"),
    "alias_control_admin": Option("ALIAS_CONTROL_ADMIN", to_yes_or_no),
    "special_alias_control": Option("SPECIAL_ALIAS_CONTROL", to_yes_or_no),
    "alias_domain": Option("ALIAS_DOMAIN", to_yes_or_no),
    "generate_password": ignored("forms have a button that generates a password"),
    "show_password": ignored("a password is shown only to the person who enters it"),
    "username_legal_chars": unsupported(
        "the panel accepts every local part that is valid in an email address"
    ),
    "totp": ignored(ALWAYS),
    "app_passwords": ignored(ALWAYS),
    "smtp_active_flag": ignored(ALWAYS),
    "password_expiration": unsupported(
        "passwords expire in the panel where the domain has a number of days: set password_expiry"
        " of the domains to 0",
        *("yes", "1", "true"),
        reason="passwords expire where the domain has a number of days",
    ),
    "sms_send_function": unsupported(
        "the panel sends no SMS: recovery links go to email addresses"
    ),
    **named(
        "motd_user motd_admin motd_superadmin",
        unsupported("the panel shows no message of the day: tell people by email"),
    ),
    "logging": unsupported(
        "the panel always writes PostfixAdmin's log", "yes", "1", "true", reason=ALWAYS
    ),
    "backup": ignored("back up the database with mariadb-dump; `mailadmin export` writes the rows"),
    **named(
        "sendmail sendmail_all_admins",
        ignored("write to mailbox owners from a mail program: the panel has no such page"),
    ),
    "xmlrpc_enabled": unsupported("programs use the API (`/api/v1/`) instead of XML-RPC"),
}
MAIL_OPTIONS: Mapping[str, Option] = {
    "admin_email": Option("ADMIN_EMAIL"),
    "admin_name": unsupported(
        "write the name into your own texts of mails (MAILADMIN_MAIL_TEMPLATES)",
        *("", "postmaster"),
        reason="the panel's mails are not signed",
    ),
    "smtp_client": unsupported("the panel greets the mail server with the name of its machine"),
    "welcome_text": Option("WELCOME_TEXT", conversions.convert_welcome_text),
    "vacation": Option("VACATION", to_yes_or_no),
    "vacation_domain": Option("VACATION_DOMAIN", conversions.convert_vacation_domain),
    **named(
        "vacation_control vacation_control_admin",
        unsupported(
            "owners and admins can both set vacation replies; MAILADMIN_VACATION=no hides them for"
            " all",
            *("yes", "1", "true"),
            reason=ALWAYS,
        ),
    ),
    "vacation_choice_of_reply": ignored("the form has its own choice of intervals"),
    "recipient_delimiter": Option("RECIPIENT_DELIMITER", conversions.convert_delimiter),
    "emailcheck_resolve_domain": ignored("the panel saves an address without looking it up in DNS"),
    "emailcheck_localaliasonly": unsupported("aliases may point to foreign addresses"),
    "dovecotpw": ignored("the panel computes all hashes itself"),
    "fetchmail": Option("FETCHMAIL", to_yes_or_no),
    "fetchmail_extra_options": unsupported(
        "extra options that rows have are kept, but new ones cannot be entered"
    ),
}
DOMAIN_OPTIONS: Mapping[str, Option] = {
    "aliases": Option("DOMAIN_ALIASES"),
    "mailboxes": Option("DOMAIN_MAILBOXES"),
    "default_aliases": Option("DEFAULT_ALIASES", conversions.convert_default_aliases),
    "quota_multiplier": Option("QUOTA_MULTIPLIER"),
    **named(
        "quota domain_quota",
        unsupported(
            "the panel always enforces the limits of domains: where they hold values that nobody"
            " meant, remove them with `mailadmin domain edit DOMAIN --maxquota 0 --quota 0`",
            *("yes", "1", "true"),
            reason="the panel enforces the limits of domains",
        ),
    ),
    **named("quota_level_med_pct quota_level_high_pct", ignored(LOOKS)),
    "transport": ignored("superadmins can always set the transport of a domain"),
    "transport_options": Option("TRANSPORTS", to_list),
    "transport_default": unsupported(
        "a new domain has the transport virtual unless the form or the command names another",
        *("", "virtual"),
        reason="it is the transport of new domains in the panel as well",
    ),
    "used_quotas": ignored(ALWAYS),
    "new_quota_table": unsupported(
        "the panel reads the usage from quota2: let Dovecot's quota dictionary write that table",
        *("yes", "1", "true"),
        reason="the panel reads quota2 as well",
    ),
    **named(
        "create_mailbox_subdirs create_mailbox_subdirs_host create_mailbox_subdirs_hostport"
        " create_mailbox_subdirs_hostoptions create_mailbox_subdirs_prefix",
        ignored("let Dovecot create folders: `mailbox Spam { auto = subscribe }`"),
    ),
}
HOOK_OPTIONS: Mapping[str, Option] = {
    **{
        f"{name}_script": Option(f"{name.upper()}_SCRIPT")
        for name in (
            *("mailbox_postcreation", "mailbox_postedit", "mailbox_postdeletion"),
            *("mailbox_postpassword", "mailbox_postapppassword", "mailbox_post_TOTP_change_secret"),
            *("mailbox_post_totp_exception_add", "mailbox_post_totp_exception_delete"),
            *("domain_postcreation", "domain_postedit", "domain_postdeletion"),
        )
    },
    **named(
        "language_hook mailbox_postcreation_hook admin_struct_hook alias_domain_struct_hook"
        " fetchmail_struct_hook dkim_struct_hook dkim_signing_struct_hook"
        " totp_exception_address_struct_hook",
        unsupported(NO_FUNCTIONS),
    ),
    **named(
        "domain_struct_hook mailbox_struct_hook alias_struct_hook", unsupported(CUSTOM_COLUMNS)
    ),
}
LEGACY_OPTIONS: Mapping[str, Option] = {
    **named(
        "show_status show_status_key show_status_text show_undeliverable show_undeliverable_color"
        " show_undeliverable_exceptions show_expired show_expired_color show_vacation"
        " show_vacation_color show_disabled show_disabled_color show_popimap show_popimap_color"
        " show_custom_domains show_custom_colors",
        ignored(OWN_MARKS),
    ),
    **named(
        "show_header_text header_text show_footer_text footer_text footer_link user_footer_link"
        " theme theme_favicon theme_logo theme_css theme_custom_css logo_url alias_goto_limit"
        " domain_list_hide_maxquota domain_list_hide_password_expiry",
        ignored(LOOKS),
    ),
    **named("configured version postfix_admin_url postfix_admin_path", ignored(PHP_ONLY)),
    "setup_password": ignored("the panel has no set-up page; superadmins keep their passwords"),
}
OPTIONS: Mapping[str, Option] = {
    **DATABASE_OPTIONS,
    **PEOPLE_OPTIONS,
    **MAIL_OPTIONS,
    **DOMAIN_OPTIONS,
    **HOOK_OPTIONS,
    **LEGACY_OPTIONS,
}
