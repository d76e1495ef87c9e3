"""Whether mail to an address comes to somebody: by itself, by aliases, by alias domains."""

from mailadmin.address_lists import parse_address_list
from mailboxes.mailserver.autoresponder.addresses import strip_extension

ALIAS_DOMAINS_SQL = """
SELECT alias_domain, target_domain FROM {alias_domain}
WHERE active = 1 AND alias_domain IN ({places})
"""
ALIASES_SQL = "SELECT address, goto FROM {alias} WHERE active = 1 AND address IN ({places})"
MAX_ADDRESSES_PER_STEP = 1000  # that are looked up in one step
MAX_ALIAS_DEPTH = 10  # aliases, one leading to the next


def reaches_owner(database, addresses, owner):
    """Whether one of these addresses, in lower case, is the owner's or leads to him."""
    for _step in range(MAX_ALIAS_DEPTH):
        if any(is_owner_address(database, address, owner) for address in addresses):
            return True
        if not addresses:
            break
        addresses = expand_addresses(database, list(addresses)[:MAX_ADDRESSES_PER_STEP])
    return False


def is_owner_address(database, address, owner):
    """His address, with an extension or without, or the vacation's own target of it."""
    target = f"{owner.replace('@', '#')}@{database.known['MAILADMIN_VACATION_DOMAIN']}"
    return address in (owner, target) or strip_recipient_extension(database, address) == owner


def strip_recipient_extension(database, address):
    return strip_extension(address, database.known["MAILADMIN_RECIPIENT_DELIMITER"])


def expand_addresses(database, addresses):
    """Where Postfix sends these on to: each by the first alias that it finds."""
    domains = {address.rpartition("@")[2] for address in addresses}
    rows = database.fetch_in(ALIAS_DOMAINS_SQL, domains)
    mirrors = {alias.lower(): target.lower() for alias, target in rows}
    keys = {address: list(iter_alias_keys(database, address, mirrors)) for address in addresses}
    wanted = {key for options in keys.values() for key in options}
    gotos = {key.lower(): goto for key, goto in database.fetch_in(ALIASES_SQL, wanted)}
    return {
        target
        for address, options in keys.items()
        for hit in [next((key for key in options if key in gotos), None)]
        if hit
        for target in iter_targets(gotos[hit], address)
    }


def iter_alias_keys(database, address, mirrors):
    """The aliases that Postfix looks for, in its order."""
    domain = address.rpartition("@")[2]
    for place in (domain, mirrors.get(domain)):
        if place:
            for form in (address, strip_recipient_extension(database, address)):
                yield f"{form.rpartition('@')[0]}@{place}"
            yield f"@{place}"


def iter_targets(goto, address):
    """Addresses of an alias; where it leads to a whole domain, the local part goes along."""
    local_part = address.rpartition("@")[0]
    for target in filter(None, parse_address_list(goto.lower())):
        yield local_part + target if target.startswith("@") else target
