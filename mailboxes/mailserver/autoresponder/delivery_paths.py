"""Follow an address to its owner: by aliases and by alias domains."""

from collections.abc import Collection, Iterator, Mapping

from mailadmin.address_lists import parse_address_list
from mailboxes.mailserver.autoresponder.addresses import strip_extension
from mailboxes.mailserver.autoresponder.tables import AutoreplyDatabase

ALIAS_DOMAINS_SQL = """
SELECT alias_domain, target_domain FROM {alias_domain}
WHERE active = 1 AND alias_domain IN ({places})
"""
ALIASES_SQL = "SELECT address, goto FROM {alias} WHERE active = 1 AND address IN ({places})"
MAX_ADDRESSES_PER_STEP = 1000  # looked up in one step
MAX_ALIAS_DEPTH = 10  # aliases that point to aliases


def reaches_owner(database: AutoreplyDatabase, addresses: Collection[str], owner: str) -> bool:
    """Check whether one of these addresses, in lower case, is the owner's or forwards to it."""
    for _step in range(MAX_ALIAS_DEPTH):
        if any(is_owner_address(database, address, owner) for address in addresses):
            return True
        if not addresses:
            break
        addresses = expand_addresses(database, list(addresses)[:MAX_ADDRESSES_PER_STEP])
    return False


def is_owner_address(database: AutoreplyDatabase, address: str, owner: str) -> bool:
    """Accept the owner's address, with an extension or without, and the target of its vacation."""
    target = f"{owner.replace('@', '#')}@{database.settings['MAILADMIN_VACATION_DOMAIN']}"
    return address in (owner, target) or strip_recipient_extension(database, address) == owner


def strip_recipient_extension(database: AutoreplyDatabase, address: str) -> str:
    return strip_extension(address, database.settings["MAILADMIN_RECIPIENT_DELIMITER"])


def expand_addresses(database: AutoreplyDatabase, addresses: Collection[str]) -> set[str]:
    """Return the targets of these addresses, each by the first alias that Postfix finds."""
    domains = {address.rpartition("@")[2] for address in addresses}
    rows = database.fetch_in(ALIAS_DOMAINS_SQL, domains)
    target_domains = {alias.lower(): target.lower() for alias, target in rows}
    keys = {
        address: list(iter_alias_keys(database, address, target_domains)) for address in addresses
    }
    wanted = {key for candidates in keys.values() for key in candidates}
    gotos = {key.lower(): goto for key, goto in database.fetch_in(ALIASES_SQL, wanted)}
    targets: set[str] = set()
    for address, candidates in keys.items():
        if found := next((key for key in candidates if key in gotos), None):
            targets.update(iter_targets(gotos[found], address))
    return targets


def iter_alias_keys(
    database: AutoreplyDatabase, address: str, target_domains: Mapping[str, str]
) -> Iterator[str]:
    """Yield the aliases that Postfix looks up, in its order."""
    own_domain = address.rpartition("@")[2]
    for domain in (own_domain, target_domains.get(own_domain)):
        if domain:
            for variant in (address, strip_recipient_extension(database, address)):
                yield f"{variant.rpartition('@')[0]}@{domain}"
            yield f"@{domain}"


def iter_targets(goto: str, address: str) -> Iterator[str]:
    """Yield the targets of an alias; a whole domain as target keeps the local part."""
    local_part = address.rpartition("@")[0]
    for target in filter(None, parse_address_list(goto.lower())):
        yield local_part + target if target.startswith("@") else target
