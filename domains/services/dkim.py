"""Create, edit and delete DKIM keys, and choose which of them signs for whom."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError

from domains.dkim.keys import derive_public_key, generate_private_key, validate_selector
from domains.models import DkimKey, DkimSigning, Domain
from domains.services.locks import check_not_being_deleted, lock_domains
from mailadmin.accounts.models import Role
from mailadmin.changes.perform import Changes
from mailadmin.db.bulk import chunks
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _


def create_dkim_keys(changes: Changes, rows: Sequence[Mapping[str, Any]]) -> list[DkimKey]:
    """Create keys; one without a private key gets a new one. None signs yet: publish it first."""
    _refuse_owners(changes)
    keys = [_build_key(row) for row in rows]
    _lock(changes, [key.domain_name_id for key in keys], "domain_name")
    _refuse_taken(keys)
    changes.create(keys)
    _log(changes, "create_dkim_entry", keys)
    return keys


def edit_dkim_key(changes: Changes, key: int, values: Mapping[str, Any]) -> DkimKey:
    """Edit the description of a key: its selector is published, and signatures name it."""
    _refuse_owners(changes)
    row = changes.find_one(DkimKey, key)
    columns = {name: value for name, value in values.items() if name == "description"}
    if changes.update([row], **columns):
        _log(changes, "edit_dkim_entry", [row])
    return row


def delete_dkim_keys(changes: Changes, keys: Sequence[int]) -> None:
    """Delete keys, and with them what they sign."""
    _refuse_owners(changes)
    rows = changes.find(DkimKey, keys)
    changes.delete(rows)
    _log(changes, "delete_dkim_entry", rows)


def create_dkim_signings(changes: Changes, rows: Sequence[Mapping[str, Any]]) -> list[DkimSigning]:
    """Have keys sign for authors: each row has a domain, or an address in it, and a selector."""
    _refuse_owners(changes)
    keys = _find_keys(changes, [(row["author"], row["selector"]) for row in rows])
    signings = [
        DkimSigning(author=row["author"], dkim=key) for row, key in zip(rows, keys, strict=True)
    ]
    _refuse_signed(signings)
    changes.create(signings)
    _log_signings(changes, "create_dkim_signing_entry", signings)
    return signings


def edit_dkim_signing(changes: Changes, key: int, values: Mapping[str, Any]) -> DkimSigning:
    """Have another key of the domain sign for an author."""
    _refuse_owners(changes)
    row = changes.find_one(DkimSigning, key)
    if "selector" in values:
        [new] = _find_keys(changes, [(row.author, values["selector"])])
        if changes.update([row], dkim_id=new.pk):
            _log_signings(changes, "edit_dkim_signing_entry", [row])
    return row


def delete_dkim_signings(changes: Changes, keys: Sequence[int]) -> None:
    _refuse_owners(changes)
    rows = changes.find(DkimSigning, keys)
    changes.delete(rows)
    _log_signings(changes, "delete_dkim_signing_entry", rows)


def get_author_domain(author: str) -> str:
    return author.rpartition("@")[2]


def _build_key(row: Mapping[str, Any]) -> DkimKey:
    selector = row["selector"].lower()
    try:
        validate_selector(selector)
    except ValidationError as error:
        raise ValidationError({"selector": error.messages}) from error
    private = row.get("private_key") or generate_private_key()
    try:
        public = derive_public_key(private)
    except ValidationError as error:
        raise ValidationError({"private_key": error.messages}) from error
    values = {"selector": selector, "private_key": private, "public_key": public}
    return DkimKey(**dict(row) | values)


def _lock(changes: Changes, names: Iterable[str], field: str = "author") -> None:
    """Lock the domains of keys, which must be in the actor's scope."""
    wanted = {fold(name) for name in names}
    lock_domains(changes, wanted)
    found: dict[str, Domain] = {}
    for part in chunks(sorted(wanted)):
        rows = Domain.objects.visible_to(changes.principal).filter(pk__in=part)
        found |= {fold(row.pk): row for row in rows}
    if missing := wanted - found.keys():
        text = _("The domain %(name)s does not exist.") % {"name": min(missing)}
        raise ValidationError({field: text})
    check_not_being_deleted(found.values())


def _refuse_taken(keys: Sequence[DkimKey]) -> None:
    seen: set[tuple[str, str]] = set()
    for part in chunks(sorted({key.domain_name_id for key in keys})):
        rows = DkimKey.objects.filter(domain_name__in=part)
        seen |= {(fold(d), fold(s)) for d, s in rows.values_list("domain_name", "selector")}
    for key in keys:
        names = fold(key.domain_name_id), fold(key.selector)
        if names in seen:
            text = _("The domain has a key with this selector already.")
            raise ValidationError({"selector": ValidationError(text, code="taken")})
        seen.add(names)


def _find_signed(authors: Iterable[str]) -> set[str]:
    """Return the folded names of those that a key signs for."""
    found: set[str] = set()
    for part in chunks(sorted(set(authors))):
        rows = DkimSigning.objects.filter(author__in=part)
        found |= {fold(author) for author in rows.values_list("author", flat=True)}
    return found


def _find_keys(changes: Changes, pairs: Sequence[tuple[str, str]]) -> list[DkimKey]:
    """Return the key of each author's own domain with this selector.

    Receivers would not accept a key of another domain as the author's.
    """
    domains = [get_author_domain(author) for author, _selector in pairs]
    _lock(changes, domains)
    found: dict[tuple[str, str], DkimKey] = {}
    for part in chunks(sorted(set(domains))):
        rows = DkimKey.objects.visible_to(changes.principal).filter(domain_name__in=part)
        found |= {(fold(row.domain_name_id), fold(row.selector)): row for row in rows}
    keys = []
    for domain, (_author, selector) in zip(domains, pairs, strict=True):
        key = found.get((fold(domain), fold(selector)))
        if key is None:
            text = _("The domain %(name)s has no key with this selector.") % {"name": domain}
            raise ValidationError({"selector": text})
        keys.append(key)
    return keys


def _refuse_signed(signings: Sequence[DkimSigning]) -> None:
    """Refuse a second key for an author: OpenDKIM would take any of them."""
    seen = _find_signed(each.author for each in signings)
    for each in signings:
        if fold(each.author) in seen:
            text = _("A key signs for this author already. Edit that entry.")
            raise ValidationError({"author": ValidationError(text, code="taken")})
        seen.add(fold(each.author))


def _refuse_owners(changes: Changes) -> None:
    if changes.principal.role not in Role.ADMINS:
        raise PermissionDenied


def _log(changes: Changes, action: str, keys: Iterable[DkimKey]) -> None:
    for key in keys:
        changes.log(action, key.domain_name_id, str(key))


def _log_signings(changes: Changes, action: str, rows: Iterable[DkimSigning]) -> None:
    for row in rows:
        changes.log(action, get_author_domain(row.author), row.author)
