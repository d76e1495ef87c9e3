"""Tokens: what a program may do in its owner's place, and never more than he may himself."""

import functools
import hashlib
import ipaddress
import secrets

from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from mailadmin.accounts.models import Role
from mailadmin.accounts.networks import ip_of
from mailadmin.api.models import Token
from mailadmin.db.bulk import chunks
from mailadmin.db.fields import is_known
from mailadmin.names import fold

PREFIX = "mailadmin_"  # so that whoever finds one knows what it opens
HINT = len(PREFIX) + 6
MOST = 200  # of one person
MOST_NETWORKS = 100  # of one token
VERBS = {
    "read": pgettext_lazy("right of a token", "read"),
    "create": _("create"),
    "edit": _("change"),
    "delete": _("delete"),
}


def digest_of(text):
    """A token is long and random, so a fast hash hides it as well as a slow one."""
    return hashlib.sha256(text.encode()).hexdigest()


def new_text():
    return PREFIX + secrets.token_urlsafe(32)


def holder_of(text):
    """The principal that this token is, if it is one."""
    return holder_in(Token.objects.filter(digest=digest_of(text)))


def holder_in(tokens):
    """Of the one token among these, if it opens anything at present.

    Somebody who was made after it is somebody else, though he may have its owner's name.
    """
    token = tokens.select_related("owner").first()
    if token is None or token.is_over or not token.owner.active:
        return None
    is_others = is_known(token.owner.created) and token.owner.created > token.created
    return None if is_others else TokenHolder(token)


class TokenHolder:
    """A principal of its own: its owner, with the rights that the token leaves him."""

    is_authenticated = True

    def __init__(self, token):
        self.token, self.token_id, self.owner = token, token.pk, token.owner
        self.pk = self.username = self.owner.pk
        self.model_label = self.owner.model_label
        self.choices = {}  # that the forms of this request have asked for

    @property
    def role(self):
        """Whoever is limited to domains runs these, and not the machine."""
        return Role.ADMIN if self.token.domains else self.owner.role

    def managed_domains(self):
        """Those of the token's domains that are its owner's still."""
        if not self.token.domains:
            return self.owner.managed_domains()
        if not hasattr(self, "_managed"):
            self._managed = own_domains(self.owner, self.token.domains)
        return self._managed

    def at_present(self):
        """The same with the rights of this moment."""
        return holder_in(Token.objects.filter(pk=self.token.pk))

    def allows(self, table, verb):
        tables, verbs = self.token.tables, self.token.verbs
        return (not tables or table in tables) and (not verbs or verb in verbs)

    def is_from(self, address):
        """Whether it may be used at this address."""
        networks, ip = self.token.networks, ip_of(address)
        return not networks or (ip is not None and is_in_one(ip, tuple(networks[:MOST_NETWORKS])))


def is_in_one(ip, networks):
    return any(ip in network for network in parsed_networks(networks))


@functools.lru_cache(maxsize=256)
def parsed_networks(networks):
    return [ipaddress.ip_network(network) for network in networks]


def own_domains(owner, names):
    """Those of the names that are domains of this person's."""
    domains = apps.get_model("domains.Domain").objects.visible_to(owner).filter(pk__in=names)
    return list(domains.order_by("pk").values_list("pk", flat=True))


# Services


def create_token(changes, owner, values, text):
    """Make a token for somebody, within what he may do himself. The text is not kept."""
    if isinstance(changes.principal, TokenHolder):
        raise PermissionDenied
    if Token.objects.filter(owner=owner).count() >= MOST:
        raise ValidationError(_("These are too many tokens: take some back first."))
    refuse_foreign(owner, values["domains"])
    token = Token(
        owner=owner, hint=text[:HINT], digest=digest_of(text), created=changes.at, **values
    )
    changes.create([token])
    changes.log("create_token", "", token.log_key)
    return token


def refuse_foreign(owner, names):
    own = {fold(name) for name in own_domains(owner, names)}
    if foreign := [name for name in names if fold(name) not in own]:
        raise ValidationError({"domains": _("You have no domain %(name)s.") % {"name": foreign[0]}})


def delete_token(changes, number):
    """From now on it opens nothing."""
    delete_tokens(changes, [changes.find_one(Token, number)])


def delete_tokens_of(changes, owners):
    """The same for all tokens of these people."""
    for part in chunks([owner.pk for owner in owners]):
        delete_tokens(changes, Token.objects.filter(owner__in=part).order_by("pk"))


def delete_tokens(changes, tokens):
    tokens = list(tokens)
    changes.delete(tokens)
    for token in tokens:
        changes.log("delete_token", "", token.log_key)
