"""Rows of the panel beside what the mail server answers for them."""

from typing import NamedTuple

from django.utils.translation import gettext_lazy as _

from domains.models import AliasDomain, Domain
from mailboxes import maps
from mailboxes.models import Alias, Mailbox
from mailboxes.routing import OwnTable

# parameter → what is asked of each kind of row
ASKED = {
    "virtual_mailbox_domains": ("domain",),
    "relay_domains": ("domain",),
    "transport_maps": ("domain",),
    "virtual_alias_maps": ("mailbox", "alias"),
    "virtual_mailbox_maps": ("mailbox",),
    "relay_recipient_maps": ("mailbox",),
    "smtpd_sender_login_maps": ("mailbox", "alias"),
}
DOVECOT = "Dovecot"


class Difference(NamedTuple):
    """A row that the mail server sees otherwise."""

    key: str
    asked: str
    expected: str
    found: str


class Batch(NamedTuple):
    """Rows of one kind that are asked about together."""

    kind: str
    keys: list


def batches(domains=None, size=500):
    """Every row of the panel, or those of some domains, kind by kind."""
    for kind, rows in kinds(domains):
        keys = []
        for key in rows.order_by("pk").values_list("pk", flat=True).iterator(size):
            keys.append(key)
            if len(keys) == size:
                yield Batch(kind, keys)
                keys = []
        if keys:
            yield Batch(kind, keys)


def kinds(domains):
    def of(rows, lookup):
        return rows if domains is None else rows.filter(**{f"{lookup}__in": domains})

    yield "domain", of(Domain.objects.all(), "pk")
    yield "mailbox", of(Mailbox.objects.all(), "domain")
    yield "alias", of(Alias.objects.all(), "domain")
    yield "alias_domain", of(AliasDomain.objects.all(), "pk")


class Postfix:
    """Compares each map of the panel with that of the server."""

    def __init__(self, live):
        self.live = live

    def differences(self, batch):
        self.own = own_tables()  # which keep their answers: for one batch and no longer
        for parameter, asked in ASKED.items():
            keys = self.keys_of(batch)
            if batch.kind in asked or (batch.kind == "alias_domain" and "alias" in asked):
                yield from self._compare(parameter, keys)

    def keys_of(self, batch):
        """An alias domain is asked about by its catch-all and by the address nobody has."""
        if batch.kind != "alias_domain":
            return [key.lower() for key in batch.keys]
        return [f"@{key.lower()}" for key in batch.keys]

    def _compare(self, parameter, keys):
        live = self.live.answers(parameter, keys)
        for key in keys:
            expected = next(filter(None, (t.ask(key).value for t in self.own[parameter])), "")
            found = live.get(key, "")
            if sorted(expected.split(",")) != sorted(found.split(",")):
                yield Difference(key, parameter, expected, found)


def own_tables():
    tables = {}
    for query in maps.postfix_maps():
        tables.setdefault(query.parameter, []).append(OwnTable(query))
    return tables


class Dovecot:
    """Compares who may sign in, and where his mail is."""

    def __init__(self, live):
        self.live = live

    def differences(self, batch):
        if batch.kind != "mailbox":
            return
        for mailbox in Mailbox.objects.filter(pk__in=batch.keys):
            yield from self._compare(mailbox)

    def _compare(self, mailbox):
        may = mailbox.active and not mailbox.password_has_expired()
        if (found := self.live.may_sign_in(mailbox.pk)) != may:
            yield Difference(mailbox.pk, _("sign-in"), word(may), word(found))
        home = self.live.home(mailbox.pk)
        if mailbox.active and not (home or "").rstrip("/").endswith(mailbox.maildir.rstrip("/")):
            yield Difference(mailbox.pk, DOVECOT, mailbox.maildir, home or "")
        if not mailbox.active and home is not None:
            yield Difference(mailbox.pk, DOVECOT, "", home)


def word(is_so):
    return str(_("yes") if is_so else _("no"))


def own_maps_work():
    """Without a mail server at least the panel's own queries have to run."""
    for tables in own_tables().values():
        for table in tables:
            table.ask("nobody@example.org")
