"""The settings of maildirs that belong to no mailbox any more, and of `mailadmin maildirs`."""

from mailadmin.conf.environment_setting import EnvironmentSetting
from mailadmin.conf.parsers import (
    integer_parser,
    parse_absolute_path,
    parse_boolean,
    parse_maildir_template,
    regex_parser,
)


def parse_optional_template(value: str) -> str:
    """Accept a template, or nothing: that of new mailboxes."""
    return parse_maildir_template(value) if value else ""


MAILDIR_SETTINGS = (
    EnvironmentSetting(
        "MAILADMIN_MAILDIRS",
        "no",
        parse_boolean,
        "superadmins see the maildirs that belong to no mailbox any more; `mailadmin maildirs run`"
        " finds, archives and purges them, see [Maildirs of former mailboxes](maildirs.md)",
    ),
    EnvironmentSetting(
        "MAILADMIN_MAILDIRS_ROOT",
        "/var/vmail",
        parse_absolute_path,
        "the folder of all mail",
    ),
    EnvironmentSetting(
        "MAILADMIN_MAILDIRS_PATH",
        "",
        parse_optional_template,
        "where maildirs are below that folder, if not as `MAILADMIN_MAILDIR` says:"
        " `{domain}/{local_part}/Maildir` for example",
    ),
    EnvironmentSetting(
        "MAILADMIN_MAILDIRS_ARCHIVE",
        "/var/lib/mailadmin-maildirs",
        parse_absolute_path,
        "the folder of archives; only the mail user may have access to it",
    ),
    EnvironmentSetting(
        "MAILADMIN_MAILDIRS_ARCHIVE_DAYS",
        "30",
        integer_parser(1, 36500),
        "number of days without a mailbox and without a change after which a maildir is archived;"
        " not fewer than `MAILADMIN_UNDO_DAYS`, or a mailbox that is brought back has no mail",
    ),
    EnvironmentSetting(
        "MAILADMIN_MAILDIRS_PURGE_DAYS",
        "180",
        integer_parser(0, 36500),
        "number of days after which an archive is deleted; `0`: never",
    ),
    EnvironmentSetting(
        "MAILADMIN_MAILDIRS_MAX_NEW",
        "100",
        integer_parser(1, 10**7),
        "`mailadmin maildirs` does nothing if more maildirs than this have lost their mailboxes"
        " since its last run, except with `--force`",
    ),
    EnvironmentSetting(
        "MAILADMIN_MAILDIRS_MAX_LOSS",
        "10",
        integer_parser(1, 100),
        "the same if the number of mailboxes has shrunk by more than this percentage, and by more"
        " than 10",
    ),
    EnvironmentSetting(
        "MAILADMIN_MAILDIRS_STORAGE",
        "mail",
        regex_parser(r"[A-Za-z0-9_.-]{1,64}", "1 to 64 letters, digits, `_`, `.` and `-`"),
        "name of the mail storage: the same on machines that share it, another one on machines"
        " with mail of their own",
    ),
)
