"""The systems for which there are views, and which accounts read them."""

from collections.abc import Callable
from typing import NamedTuple

from mailboxes.transfer.legacy_views.views import LegacyView

SECRET_COLUMNS = {"password", "c_password"}


class ViewAccount(NamedTuple):
    """A program with a database account of its own, and the columns that it needs of a view."""

    name: str  # the option is --NAME-account
    title: str
    get_columns: Callable[[LegacyView], list[str]]


class LegacySystem(NamedTuple):
    views: tuple[LegacyView, ...]
    accounts: tuple[ViewAccount, ...]


def get_all_columns(view: LegacyView) -> list[str]:
    return list(view.columns)


def get_public_columns(view: LegacyView) -> list[str]:
    return [column for column in view.columns if column not in SECRET_COLUMNS]


def get_columns_with_secret(view: LegacyView) -> list[str]:
    """Return all columns of a view with passwords, and none of another."""
    return list(view.columns) if SECRET_COLUMNS & set(view.columns) else []


# Postfix may not read passwords, and Dovecot reads nothing else.
MAIL_ACCOUNTS = (
    ViewAccount("postfix", "Postfix", get_public_columns),
    ViewAccount("dovecot", "Dovecot", get_columns_with_secret),
)
LEGACY_SYSTEMS = {
    "ispmail": LegacySystem(
        (
            LegacyView("virtual_domains", "domains", {"id": "number", "name": "domain"}),
            LegacyView(
                "virtual_users",
                "mailboxes",
                {
                    "id": "number",
                    "domain_id": "domain_number",
                    "password": "password",
                    "email": "address",
                    "quota": "quota",
                },
            ),
            LegacyView(
                "virtual_aliases",
                "aliases",
                {
                    "id": "number",
                    "domain_id": "domain_number",
                    "source": "address",
                    "destination": "targets",
                },
            ),
        ),
        MAIL_ACCOUNTS,
    ),
    "forwardings": LegacySystem(
        (
            LegacyView("domains", "domains", {"domain": "domain"}),
            LegacyView("forwardings", "aliases", {"source": "address", "destination": "targets"}),
            LegacyView(
                "users", "mailboxes", {"email": "address", "password": "password", "quota": "quota"}
            ),
            LegacyView("transport", "transports", {"domain": "pattern", "transport": "transport"}),
        ),
        MAIL_ACCOUNTS,
    ),
    "sogo": LegacySystem(
        (
            LegacyView(
                "sogo_users",
                "sogo accounts",
                {
                    "c_uid": "address",
                    "c_name": "address",
                    "c_password": "password",
                    "c_cn": "name",
                    "mail": "address",
                    "domain": "domain",
                    "aliases": "aliases",
                },
            ),
        ),
        (ViewAccount("sogo", "SOGo", get_all_columns),),
    ),
    "nextcloud": LegacySystem(
        (
            LegacyView(
                "nextcloud_users",
                "nextcloud accounts",
                {
                    "uid": "address",
                    "display_name": "name",
                    "email": "address",
                    "password": "password",
                    "quota": "quota",
                    "active": "active",
                },
            ),
            LegacyView("nextcloud_groups", "domains", {"gid": "domain"}),
            LegacyView(
                "nextcloud_user_groups", "nextcloud accounts", {"uid": "address", "gid": "domain"}
            ),
        ),
        (ViewAccount("nextcloud", "Nextcloud", get_all_columns),),
    ),
}
# All programs, each once
ACCOUNTS = {
    account.name: account for system in LEGACY_SYSTEMS.values() for account in system.accounts
}
