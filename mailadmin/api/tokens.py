"""API tokens: what a program may do for the owner, never more than the owner may do."""

import functools
import hashlib
import ipaddress
import secrets
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from mailadmin.accounts.models import Role, is_later_namesake
from mailadmin.accounts.networks import IPAddress, parse_ip
from mailadmin.api.models import Token
from mailadmin.changes.perform import Changes
from mailadmin.db.bulk import chunks
from mailadmin.names import fold

TOKEN_PREFIX = "mailadmin_"  # noqa: S105 (leaked tokens are recognized by it)
HINT_LENGTH = len(TOKEN_PREFIX) + 6
MAX_TOKENS = 200  # tokens of one owner
MAX_TOKEN_NETWORKS = 100  # of one token
TOKEN_VERBS = {
    "read": pgettext_lazy("right of a token", "read"),
    "create": _("create"),
    "edit": _("change"),
    "delete": _("delete"),
}


def hash_token(text: str) -> str:
    """Hash a token; it is long and random, so a fast hash is as safe as a slow one."""
    return hashlib.sha256(text.encode()).hexdigest()


def generate_token() -> str:
    """Generate a token."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def find_token_principal(text: str) -> "TokenPrincipal | None":
    """Return the principal of this token, if it can be used."""
    return get_usable_principal(Token.objects.filter(digest=hash_token(text)))


def get_usable_principal(tokens: QuerySet[Token]) -> "TokenPrincipal | None":
    """Return the principal of the one token in this query, if it can be used.

    An owner created later than the token is another person of the same name.
    """
    token = tokens.select_related("owner").first()
    if token is None or token.is_expired or not token.owner.active:
        return None
    is_of_another = is_later_namesake(token.owner, token.created)
    return None if is_of_another else TokenPrincipal(token)


class TokenPrincipal:
    """A principal: the owner of a token, with the rights that the token leaves."""

    is_authenticated = True

    def __init__(self, token: Token) -> None:
        self.token, self.token_id, self.owner = token, token.pk, token.owner
        self.pk = self.username = self.owner.pk
        self.model_label, self.created = self.owner.model_label, self.owner.created
        self.form_choices: dict[type, Any] = {}  # of the form fields of this request

    @property
    def role(self) -> Role:
        """Return the owner's role; a token of some domains is never a superadmin."""
        return Role.ADMIN if self.token.domains else self.owner.role

    def managed_domains(self) -> list[str] | QuerySet:
        """Return the token's domains that its owner still manages."""
        if not self.token.domains:
            return self.owner.managed_domains()
        if not hasattr(self, "_managed"):
            self._managed = filter_visible_domains(self.owner, self.token.domains)
        return self._managed

    def reload(self) -> "TokenPrincipal | None":
        """Return the same principal with the rights that it has now."""
        return get_usable_principal(Token.objects.filter(pk=self.token.pk))

    def allows(self, table: str, verb: str) -> bool:
        """Return whether the token has this verb on this table."""
        tables, verbs = self.token.tables, self.token.verbs
        return (not tables or table in tables) and (not verbs or verb in verbs)

    def allows_address(self, address: str) -> bool:
        """Return whether the token may be used from this address."""
        networks, ip = self.token.networks, parse_ip(address)
        return not networks or (
            ip is not None and is_in_any_network(ip, tuple(networks[:MAX_TOKEN_NETWORKS]))
        )


IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_in_any_network(ip: IPAddress, networks: tuple[str, ...]) -> bool:
    """Return whether an address lies in one of these networks."""
    return any(ip in network for network in parse_networks(networks))


@functools.lru_cache(maxsize=256)
def parse_networks(networks: tuple[str, ...]) -> list[IPNetwork]:
    return [ipaddress.ip_network(network) for network in networks]


def filter_visible_domains(owner: Any, names: Iterable[str]) -> list[str]:
    """Return those names that are domains of the owner."""
    domains = apps.get_model("domains.Domain").objects.visible_to(owner).filter(pk__in=names)
    return list(domains.order_by("pk").values_list("pk", flat=True))


# Services


def create_token(changes: Changes, owner: Any, values: dict, text: str) -> Token:
    """Create a token within the rights of its owner; only the hash of its text is stored."""
    if isinstance(changes.principal, TokenPrincipal):
        raise PermissionDenied
    if Token.objects.filter(owner=owner).count() >= MAX_TOKENS:
        raise ValidationError(_("You have too many tokens. Revoke one before you create another."))
    check_token_domains(owner, values["domains"])
    token = Token(
        owner=owner, hint=text[:HINT_LENGTH], digest=hash_token(text), created=changes.at, **values
    )
    changes.create([token])
    changes.log("create_token", "", token.log_key)
    return token


def check_token_domains(owner: Any, names: Iterable[str]) -> None:
    """Refuse domains that the owner does not manage."""
    managed = {fold(name) for name in filter_visible_domains(owner, names)}
    if foreign := [name for name in names if fold(name) not in managed]:
        text = _("You do not manage the domain %(name)s.")
        if owner.role is Role.SUPERADMIN:
            text = _("The domain %(name)s does not exist.")
        raise ValidationError({"domains": text % {"name": foreign[0]}})


def delete_token(changes: Changes, number: int) -> None:
    """Delete a token, so that it is refused from then on."""
    delete_tokens(changes, [changes.find_one(Token, number)])


def delete_owner_tokens(changes: Changes, owners: Iterable) -> None:
    """Delete all tokens of these owners."""
    for part in chunks([owner.pk for owner in owners]):
        delete_tokens(changes, Token.objects.filter(owner__in=part).order_by("pk"))


def delete_tokens(changes: Changes, tokens: Iterable[Token]) -> None:
    """Delete tokens and log each."""
    tokens = list(tokens)
    changes.delete(tokens)
    for token in tokens:
        changes.log("delete_token", "", token.log_key)
