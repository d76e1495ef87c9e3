"""Rows of the panel beside what the mail server answers for them."""

from typing import NamedTuple

from django.db import connection
from django.utils.translation import gettext_lazy as _

from domains.models import AliasDomain, Domain, Transport
from domains.transports import about
from mailboxes import maps
from mailboxes.models import Alias, Mailbox

# parameter → what is asked of each kind of row
ASKED = {
    "virtual_mailbox_domains": ("domain",),
    "relay_domains": ("domain",),
    "transport_maps": ("domain", "transport"),
    "virtual_alias_maps": ("mailbox", "alias"),
    "virtual_mailbox_maps": ("mailbox",),
    "relay_recipient_maps": ("mailbox",),
    "smtpd_recipient_restrictions": ("mailbox", "alias"),
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
    transports = Transport.objects.all()
    yield "transport", transports if domains is None else about(transports, domains)


class Postfix:
    """Compares each map of the panel with that of the server."""

    def __init__(self, live):
        self.live = live

    def differences(self, batch):
        own = own_maps()
        for parameter, asked in ASKED.items():
            keys = self.keys_of(batch)
            if batch.kind in asked or (batch.kind == "alias_domain" and "alias" in asked):
                yield from self._compare(parameter, own[parameter], keys)

    def keys_of(self, batch):
        """An alias domain is asked about by its catch-all and by the address nobody has."""
        if batch.kind != "alias_domain":
            return [key.lower() for key in batch.keys]
        return [f"@{key.lower()}" for key in batch.keys]

    def _compare(self, parameter, own, keys):
        live = self.live.answers(parameter, keys)
        for key in keys:
            expected, found = answer(own, key), live.get(key, "")
            if sorted(expected.split(",")) != sorted(found.split(",")):
                yield Difference(key, parameter, expected, found)


def own_maps():
    """parameter → the SQL of the panel's lookups for it, in their order."""
    found = {}
    for query in maps.postfix_maps():
        found.setdefault(query.parameter, []).append(query.sql())
    return found


def answer(queries, key):
    """What the first of them says that says anything."""
    said = (own_answer(sql, key) for sql in queries if maps.is_asked(sql, key))
    return next(filter(None, said), "")


def own_answer(sql, key):
    with connection.cursor() as cursor:
        cursor.execute(*maps.for_database(sql, key))
        return ",".join(str(value) for (value,) in cursor.fetchall() if value not in (None, ""))


class Dovecot:
    """Compares who may sign in, and where his mail is."""

    def __init__(self, live):
        self.live = live

    def differences(self, batch):
        if batch.kind != "mailbox":
            return
        # doveadm would list all users who are like it
        keys = [key for key in batch.keys if not set("*?") & set(key)]
        entering, homes = self.live.who_may_sign_in(keys), self.live.homes(keys)
        expiring = set(Domain.objects.filter(password_expiry__gt=0).values_list("pk", flat=True))
        for mailbox in Mailbox.objects.filter(pk__in=keys):
            key = mailbox.pk.lower()
            may = mailbox.active and not (
                mailbox.domain_id in expiring and mailbox.password_has_expired()
            )
            if (key in entering) != may:
                yield Difference(mailbox.pk, _("sign-in"), word(may), word(key in entering))
            yield from self._home(mailbox, homes.get(key, ""))

    def _home(self, mailbox, home):
        folder = mailbox.maildir.strip("/") if mailbox.active else ""
        is_there = f"/{home.strip('/')}".endswith(f"/{folder}") if folder else not home
        if not is_there:
            yield Difference(mailbox.pk, DOVECOT, folder, home)


def word(is_so):
    return str(_("yes") if is_so else _("no"))


def own_maps_work():
    """Without a mail server at least the panel's own queries have to run."""
    for queries in own_maps().values():
        for query in queries:
            own_answer(query, "nobody@example.org")
