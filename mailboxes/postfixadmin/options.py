"""Every option of PostfixAdmin 2.3 to 4: the panel's variable, or why there is none."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from mailboxes.postfixadmin import conversions
from mailboxes.postfixadmin.outcomes import to_list, to_plain, to_yes_or_no
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
    "database_tables": Option("DATABASE_TABLES", conversions.convert_table_names),
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
    "username_legal_chars": Option("USERNAME_LEGAL_CHARS"),
    "totp": ignored(ALWAYS),
    "app_passwords": ignored(ALWAYS),
    "smtp_active_flag": ignored(ALWAYS),
    "password_expiration": Option("PASSWORD_EXPIRATION", to_yes_or_no),
    "sms_send_function": unsupported(
        "the panel sends no SMS: recovery links go to email addresses"
    ),
    "motd_user": Option("MOTD_USER", conversions.convert_motd),
    "motd_admin": Option("MOTD_ADMIN", conversions.convert_motd),
    "motd_superadmin": Option("MOTD_SUPERADMIN", conversions.convert_motd),
    "logging": Option("LOGGING", to_yes_or_no),
    "backup": ignored("superadmins always have the page Backup"),
    "xmlrpc_enabled": Option("XMLRPC", to_yes_or_no),
}
MAIL_OPTIONS: Mapping[str, Option] = {
    "admin_email": Option("ADMIN_EMAIL"),
    "admin_name": Option("ADMIN_NAME"),
    "smtp_client": Option("SMTP_CLIENT"),
    "welcome_text": Option("WELCOME_TEXT", conversions.convert_welcome_text),
    "vacation": Option("VACATION", to_yes_or_no),
    "vacation_domain": Option("VACATION_DOMAIN", conversions.convert_vacation_domain),
    "vacation_control": Option("VACATION_CONTROL", to_yes_or_no),
    "vacation_control_admin": Option("VACATION_CONTROL_ADMIN", to_yes_or_no),
    "vacation_choice_of_reply": Option(
        "VACATION_CHOICE_OF_REPLY", conversions.convert_reply_intervals
    ),
    "recipient_delimiter": Option("RECIPIENT_DELIMITER", conversions.convert_delimiter),
    "emailcheck_resolve_domain": Option("EMAILCHECK_RESOLVE_DOMAIN", to_yes_or_no),
    "emailcheck_localaliasonly": Option("EMAILCHECK_LOCALALIASONLY", to_yes_or_no),
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
    "quota_level_med_pct": Option("QUOTA_LEVEL_MED_PCT"),
    "quota_level_high_pct": Option("QUOTA_LEVEL_HIGH_PCT"),
    "transport": ignored("superadmins can always set the transport of a domain"),
    "transport_options": Option("TRANSPORTS", to_list),
    "transport_default": Option("TRANSPORT_DEFAULT"),
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
