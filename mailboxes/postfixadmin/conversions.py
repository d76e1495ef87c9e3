"""Values of single options, converted to the values of the panel's variables."""

import re

from mailboxes.postfixadmin.outcomes import (
    PLACEHOLDER,
    NotConverted,
    NotNeeded,
    to_array,
    to_plain,
)
from mailboxes.postfixadmin.php_values import PhpValue, to_text

LANGUAGES = ("en", "de", "ru")
OWN_WELCOME_TEXT = "Hi, Welcome to your new account."


def convert_language(value: PhpValue) -> str:
    language = to_plain(value)
    if language not in LANGUAGES:
        raise NotConverted(
            f"the panel has no language {language!r}: choose one of {', '.join(LANGUAGES)}"
        )
    return language


def convert_default_aliases(value: PhpValue) -> str:
    """Return `name=address` for each alias; PostfixAdmin's own placeholders need no address."""
    parts = []
    for name, target in to_array(value).items():
        address = str(to_text(target)).strip()
        if "," in address or " " in address:
            raise NotConverted(f"{name} has several targets: set MAILADMIN_DEFAULT_ALIASES by hand")
        has_target = address and not address.endswith(PLACEHOLDER)
        parts.append(f"{name}={address}" if has_target else str(name))
    return ",".join(parts)


def convert_vacation_domain(value: PhpValue) -> str:
    domain = to_plain(value)
    if not domain or domain.endswith(PLACEHOLDER):
        raise NotNeeded("it still is PostfixAdmin's placeholder")
    return domain


def convert_delimiter(value: PhpValue) -> str:
    delimiter = to_plain(value)
    if not delimiter:
        raise NotNeeded(
            "empty in PostfixAdmin means that it does not look for one; set"
            " MAILADMIN_RECIPIENT_DELIMITER to that of Postfix's main.cf if it is not +"
        )
    return delimiter


def convert_welcome_text(value: PhpValue) -> str:
    text = to_plain(value)
    if " ".join(text.split()) in ("", OWN_WELCOME_TEXT):
        raise NotNeeded("it is PostfixAdmin's own text; the panel has one in each language")
    return re.sub(r"\r?\n", r"\\n", text)


def convert_site_url(value: PhpValue) -> str:
    url = to_plain(value).rstrip("/")
    if not url:
        raise NotNeeded("it is not set; set MAILADMIN_URL to the address of the panel")
    if not re.fullmatch(r"https?://[^/?#]+", url):
        raise NotConverted("the panel is served without a path: set MAILADMIN_URL to its address")
    return url


def convert_table_names(value: PhpValue) -> str:
    names = {str(table): str(to_text(name)) for table, name in to_array(value).items()}
    renamed = [f"{table}={name}" for table, name in names.items() if table != name]
    if not renamed:
        raise NotNeeded("the tables have their own names")
    return ",".join(renamed)


def convert_motd(value: PhpValue) -> str:
    text = to_plain(value)
    if re.search(r"</?[a-zA-Z]", text):
        raise NotConverted("the panel shows plain text: set the variable to the text without HTML")
    return re.sub(r"\r?\n", r"\\n", text)


def convert_reply_intervals(value: PhpValue) -> str:
    """Return the seconds of the choices; the panel has its own words for them."""
    return ",".join(str(seconds) for seconds in to_array(value))
