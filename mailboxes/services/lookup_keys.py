"""The keys under which Postfix looks up a recipient."""

from collections.abc import Iterator, Mapping

from django.conf import settings

from mailboxes.postfix.addresses import split_address, split_extension


def iter_lookup_keys(address: str, alias_domains: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield the keys in Postfix's order, each also in the target of an alias domain."""
    local_part, domain = split_address(address)
    name, extension = split_extension(local_part, settings.MAILADMIN_RECIPIENT_DELIMITER)
    target = (alias_domains or {}).get(domain)
    for part in (local_part, name, "") if extension else (local_part, ""):
        yield f"{part}@{domain}"
        if target:
            yield f"{part}@{target}"
