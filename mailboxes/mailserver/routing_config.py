"""The routing parameters of an operator's own main.cf and master.cf."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError

from mailadmin.translation import gettext as _
from mailboxes.mailserver.config_parser import maps as lists
from mailboxes.mailserver.config_parser.lines import ConfigProblem
from mailboxes.mailserver.config_parser.postfix import PostfixFiles, read_logical_lines
from mailboxes.mailserver.config_parser.services import MasterService
from mailboxes.mailserver.external_maps import (
    ExternalMySQLMap,
    ExternalSQLiteMap,
    PostmapMap,
    UnsupportedMap,
    format_config_problem,
)
from mailboxes.postfix.routing import LookupTable, RoutingConfig, StaticTable

DOMAIN_LIST_PARAMETERS = (
    "virtual_mailbox_domains",
    "virtual_alias_domains",
    "relay_domains",
    "mydestination",
)
MAP_PARAMETERS = (
    "virtual_alias_maps",
    "virtual_mailbox_maps",
    "relay_recipient_maps",
    "local_recipient_maps",
    "transport_maps",
    "smtpd_sender_login_maps",
)
CANONICAL_PARAMETERS = ("canonical_maps", "recipient_canonical_maps")
TRANSPORT_PARAMETERS = {
    "virtual": "virtual_transport",
    "relay": "relay_transport",
    "local": "local_transport",
    "default": "default_transport",
}
# Programs of master.cf to which mail can be given.
DELIVERY_PROGRAMS = {"smtp", "lmtp", "local", "virtual", "pipe", "error", "discard", "spawn"}
DEFAULT_MESSAGE_SIZE_LIMIT = 10_240_000  # bytes, where message_size_limit is not set
SUPPORTED_RESTRICTIONS = {
    "check_recipient_access",
    "reject_unauth_destination",
    "defer_unauth_destination",
    "reject_non_fqdn_recipient",
    "permit_mynetworks",
    "permit_sasl_authenticated",
}
UNSUPPORTED_RESTRICTION_LISTS = (
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
)


def load_routing_config(directory: str | Path) -> RoutingConfig:
    """Return the parameters of a folder's main.cf, with tables that look up in its maps."""
    postfix = PostfixFiles(Path(directory))
    raise_config_problems(postfix.main_settings.problems)
    if rewriting := [name for name in CANONICAL_PARAMETERS if postfix.maps(name)]:
        raise ValidationError(
            _("%(name)s rewrites addresses before lookups. Explain does not follow this.")
            % {"name": ", ".join(rewriting)}
        )
    matching_parents = get_lowercase_words(postfix, "parent_domain_matches_subdomains")
    mydomain = postfix.value("mydomain").lower()
    return RoutingConfig(
        **build_tables(postfix),
        recipient_delimiter=postfix.value("recipient_delimiter"),
        myorigin=postfix.value("myorigin").lower(),
        appended_domain=mydomain if postfix.is_yes("append_dot_mydomain") else "",
        delivery_agents=find_delivery_agents(postfix),
        propagates_extensions="virtual"
        in get_lowercase_words(postfix, "propagate_unmatched_extensions"),
        relays_subdomains="relay_domains" in matching_parents,
        access_matches_parents="smtpd_access_maps" in matching_parents,
        transport_matches_parents="transport_maps" in matching_parents,
        services={kind: postfix.value(name) for kind, name in TRANSPORT_PARAMETERS.items()},
        left_out=find_unsupported_restrictions(postfix),
    )


def get_lowercase_words(postfix: PostfixFiles, name: str) -> list[str]:
    return [word.lower() for word in postfix.words(name)]


def raise_config_problems(problems: Iterable[ConfigProblem]) -> None:
    """Raise ValidationError that names what cannot be read, if anything."""
    if texts := [format_config_problem(each) for each in problems]:
        raise ValidationError(texts)


# Delivery agents


def find_delivery_agents(postfix: PostfixFiles) -> dict[str, str] | None:
    """Return the delivery services of master.cf, each with its fault; None without a file."""
    found = {
        service.name: find_virtual_agent_error(postfix, service)
        for service in postfix.services
        if service.type == "unix"
        and service.fields[2] != "n"
        and get_program_name(service) in DELIVERY_PROGRAMS
    }
    return found or None


def get_program_name(service: MasterService) -> str:
    return service.command.rpartition("/")[2]


def find_virtual_agent_error(postfix: PostfixFiles, service: MasterService) -> str:
    """Return what virtual(8) lacks: without it mail stays in the queue."""
    if get_program_name(service) != "virtual":
        return ""
    own = postfix.for_service(service)
    limit = get_size_limit(own, "virtual_mailbox_limit")
    largest = get_size_limit(own, "message_size_limit")
    if limit and (not largest or limit < largest):
        return _("virtual_mailbox_limit is smaller than message_size_limit")
    missing = [name for name in ("virtual_uid_maps", "virtual_gid_maps") if not own.words(name)]
    return _("%(name)s is not set") % {"name": missing[0]} if missing else ""


def get_size_limit(postfix: PostfixFiles, name: str) -> int:
    text = postfix.value(name).strip()
    return int(text) if text.isascii() and text.isdigit() else DEFAULT_MESSAGE_SIZE_LIMIT


# Restrictions


def find_access_maps(postfix: PostfixFiles) -> list[str]:
    """Return the tables of `check_recipient_access`, in the order in which they are evaluated."""
    words = pairwise(iter_recipient_restrictions(postfix))
    return [word for previous, word in words if previous == "check_recipient_access"]


def find_unsupported_restrictions(postfix: PostfixFiles) -> list[str]:
    """Return other restrictions that may refuse or permit a recipient, and are not evaluated."""
    restrictions = [
        word for word in iter_recipient_restrictions(postfix) if not lists.parse_map_reference(word)
    ]
    parameters = [name for name in UNSUPPORTED_RESTRICTION_LISTS if postfix.words(name)]
    return [word for word in restrictions if word not in SUPPORTED_RESTRICTIONS] + parameters


def iter_recipient_restrictions(postfix: PostfixFiles) -> Iterator[str]:
    yield from postfix.words("smtpd_relay_restrictions")
    yield from postfix.words("smtpd_recipient_restrictions")


# Tables


def build_tables(postfix: PostfixFiles) -> dict[str, Any]:
    """Return the tables of each parameter, in their order."""
    access_maps = [build_map_table(postfix, word) for word in find_access_maps(postfix)]
    return {
        **{
            name: [build_domain_table(postfix, name, word) for word in postfix.words(name)]
            for name in DOMAIN_LIST_PARAMETERS
        },
        **{
            name: [build_map_table(postfix, word) for word in postfix.words(name)]
            for name in MAP_PARAMETERS
        },
        "smtpd_recipient_restrictions": access_maps,
    }


def build_domain_table(postfix: PostfixFiles, name: str, word: str) -> LookupTable:
    """Return the table for one word of a list: a file of names, a map, or a name."""
    if word.startswith("/"):
        return StaticTable(word, dict.fromkeys(read_names_file(postfix, word), ""))
    if ":" in word or word.startswith("!"):
        return build_map_table(postfix, word)
    return StaticTable(name, {word: ""})


def read_names_file(postfix: PostfixFiles, path: str) -> list[str]:
    """Return the names that a file lists, comments apart."""
    entries, problems = read_logical_lines(postfix.resolve_path(path))
    raise_config_problems(problems)
    return [word for entry in entries for word in lists.split_words(entry.text)]


def build_map_table(postfix: PostfixFiles, word: str) -> LookupTable:
    reference = lists.parse_map_reference(word)
    if word.startswith("!"):
        return UnsupportedMap(word, _("exclusions are not supported here"))
    if not reference:
        return UnsupportedMap(word, _("unsupported table type"))
    nested = [part for part in reference.walk() if part is not reference]
    # Postmap would query nested SQL maps without the limits of ExternalSQLMap.
    if reference.type == "pgsql" or any(part.is_sql for part in nested):
        return UnsupportedMap(word, _("SQL is supported for mysql: and sqlite: only"))
    if reference.type == "inline":
        return StaticTable(reference.text, dict(reference.pairs))
    if reference.type == "mysql":
        return ExternalMySQLMap(postfix, reference)
    if reference.type == "sqlite":
        return ExternalSQLiteMap(postfix, reference)
    return PostmapMap(postfix, reference)
