"""What Postfix and Dovecot ask the database: one table of queries.

The configuration is written from it, the tracer answers by it, the check and the verification
compare with it. A query is kept in parts, so that the tracer can also say which row would have
answered, and why it did not.

Three words stand for what is asked: `:key` (Postfix's %s, Dovecot's %u), `:domain` (%d, what
follows the last @) and `:service`.
"""

import re
from typing import NamedTuple

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from domains.models import AliasDomain, Domain, Transport
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix.dialects import get_dialect

PLACEHOLDER_RE = re.compile(r":(key|domain|service|base)\b")
MAILBOX_INACTIVE_REPLY = "550 5.2.1 Mailbox is switched off"
VACATION_SERVICE = "mailadmin-autoreply"  # in master.cf
# auth_username_chars of the written Dovecot configuration: nobody else is looked up.
LOGIN_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+=?^_{|}~.@-"
SUBMISSION_SERVICES = ("smtp", "submission")  # Dovecot's names for logins that come to send


class LookupSelect(NamedTuple):
    """A SELECT that answers with one column of a row that lives."""

    model: type  # whose row answers
    answer: str
    source: str  # tables
    where: tuple[str, ...]  # what finds the row
    live: tuple[tuple[str, object], ...]  # conditions it must meet, and what is wrong otherwise,
    # if that is worth a word

    def sql(self):
        return self._select(
            [self.answer], [*self.where, *[condition for condition, _r in self.live]]
        )

    def trace_sql(self):
        """The same rows and those that do not live, with each condition's outcome."""
        row = f"{self.model._meta.model_name}.{self.model._meta.pk.column}"
        return self._select([self.answer, row, *[c for c, _reason in self.live]], self.where)

    def _select(self, columns, conditions):
        where = "\n  AND ".join(conditions)
        return f"SELECT {', '.join(columns)}\nFROM {self.source}\nWHERE {where}"


class PostfixMap(NamedTuple):
    """One lookup: what it is for, the parameter of main.cf that uses it, and its query."""

    name: str
    parameter: str
    title: object
    parts: tuple[LookupSelect, ...]
    union: str = "UNION ALL"  # doubles do no harm, and to drop them takes a table on disk

    def sql(self):
        return f"\n{self.union} ".join(part.sql() for part in self.parts)


class DovecotQuery(NamedTuple):
    """What Dovecot asks."""

    name: str
    title: object
    sql: str


# Spelling


def render_for_postfix(sql):
    return PLACEHOLDER_RE.sub(lambda word: POSTFIX_PLACEHOLDERS[word[1]], sql.replace("%", "%%"))


POSTFIX_PLACEHOLDERS = {"key": "'%s'", "domain": "'%d'"}


def is_queried_for_key(sql, key):
    """Postfix does not even ask where the query wants a domain and the key has none."""
    return ":domain" not in sql or ("@" in key and not key.endswith("@"))


def bind_parameters(sql, key):
    """The query with its values apart, as Django's cursors take it."""
    values = {"key": key, "domain": key.rpartition("@")[2]}
    parameters = [values[word] for word in PLACEHOLDER_RE.findall(sql)]
    return PLACEHOLDER_RE.sub("%s", sql.replace("%", "%%")), parameters


# Conditions


class QueryBuilder:
    """Builds the parts: where a row is found, and what must be true of it."""

    def __init__(self, dialect):
        self.dialect = dialect

    def found(self, model, column, expression=":key"):
        name = model._meta.model_name
        return self.dialect.holds(f"{name}.{column}", model, column, expression)

    def key(self, model, column):
        return (self.found(model, column), *self.dialect.ascii_conditions(":key"))

    def active(self, name):
        return f"{name}.active = 1", INACTIVE_REASONS[name]

    def hosted_condition(self, place=":domain", name="place", kind=None):
        """The domain of the key, or another, is switched on; and of that kind, if it matters."""
        kinds = "" if kind is None else f" AND {name}.backupmx = {int(kind)}"
        condition = (
            f"EXISTS (SELECT 1 FROM {self.dialect.table(Domain, name)}"
            f" WHERE {self.dialect.holds(f'{name}.domain', Domain, 'domain', place)}"
            f" AND {name}.active = 1{kinds})"
        )
        return condition, _("the domain is switched off, missing, or of another kind")

    def join_alias_domain(self, model, column):
        """Tables and conditions that find a row of the target domain by an alias domain's key."""
        source = f"{self.dialect.table(AliasDomain)} JOIN {self.dialect.table(model)} ON " + (
            self.found(model, column, self.dialect.key_at_domain("aliasdomain.target_domain"))
        )
        where = (
            self.found(AliasDomain, "alias_domain", ":domain"),
            *self.dialect.ascii_conditions(":key"),
        )
        return source, where

    def mirror(self):
        """An alias domain works if it, its own domain and its target are switched on."""
        return (
            self.active("aliasdomain"),
            self.hosted_condition(),
            self.hosted_condition("aliasdomain.target_domain", "target"),
        )

    def iter_lookup_paths(self, model, column):
        """A row by its own address, and by that in an alias domain: source, where, live."""
        yield self.dialect.table(model), self.key(model, column), (self.hosted_condition(),)
        yield *self.join_alias_domain(model, column), self.mirror()


INACTIVE_REASONS = {
    "alias": _("the alias is switched off"),
    "mailbox": _("the mailbox is switched off"),
    "domain": _("the domain is switched off"),
    "aliasdomain": _("the alias domain is switched off"),
    "transport": _("the transport is switched off"),
}
HAS_TARGETS_CONDITION = ("alias.goto <> ''", _("the alias has no targets"))
NOT_ALL_ROW_CONDITION = "domain.domain <> 'ALL'"


def build_not_exists(asking, model, column, expression, *conditions):
    """There is no such row: what another table says counts only then."""
    table = asking.dialect.table(model, "other")
    holds = asking.dialect.holds(f"other.{column}", model, column, expression)
    return f"NOT EXISTS (SELECT 1 FROM {table} WHERE {' AND '.join([holds, *conditions])})"


# Postfix


def build_postfix_maps(alias="default"):
    """Every lookup of Postfix, in the order in which its parameters list them."""
    asking = QueryBuilder(get_dialect(alias))
    return (
        *build_domain_maps(asking),
        *build_alias_maps(asking),
        *build_recipient_maps(asking),
        *build_restriction_maps(asking),
        *build_transport_maps(asking),
        build_sender_login_map(asking),
        build_quota_map(asking),
    )


def build_domain_maps(asking):
    """A domain is in one class only: backup MX decides which."""
    for name, title, kind, wrong in (
        ("virtual_mailbox_domains", _("Domains with mailboxes"), 0, _("the domain is a backup MX")),
        ("relay_domains", _("Backup MX domains"), 1, _("the domain is no backup MX")),
    ):
        part = LookupSelect(
            Domain,
            "domain.domain",
            asking.dialect.table(Domain),
            (*asking.key(Domain, "domain"), NOT_ALL_ROW_CONDITION),
            (asking.active("domain"), (f"domain.backupmx = {kind}", wrong)),
        )
        yield PostfixMap(name, name, title, (part,))


def build_alias_maps(asking):
    """Aliases, then mailboxes as their own targets, lest a catch-all takes their mail.

    A mailbox that is switched off is its own target too: its mail is refused, not handed on.
    """
    titles = {
        "virtual_alias": _("Aliases"),
        "virtual_alias_mailbox": _("Mailboxes, so that no catch-all takes their mail"),
        "virtual_alias_mirror": _("Aliases by an alias domain"),
        "virtual_alias_mirror_mailbox": _("Mailboxes by an alias domain"),
    }
    names = iter(titles)
    for way in range(2):
        for model, column, answer, live in (
            (Alias, "address", "alias.goto", (asking.active("alias"), HAS_TARGETS_CONDITION)),
            (Mailbox, "username", "mailbox.username", ()),
        ):
            name = next(names)
            part = build_lookup_select(asking, model, column, answer, live, way)
            yield PostfixMap(name, "virtual_alias_maps", titles[name], (part,))


def build_recipient_maps(asking):
    yield PostfixMap(
        "virtual_mailbox",
        "virtual_mailbox_maps",
        _("Mailboxes"),
        (
            LookupSelect(
                Mailbox,
                "mailbox.maildir",
                asking.dialect.table(Mailbox),
                asking.key(Mailbox, "username"),
                (asking.active("mailbox"), asking.hosted_condition(kind=False)),
            ),
        ),
    )
    yield PostfixMap(
        "relay_recipients",
        "relay_recipient_maps",
        _("Recipients of backup MX domains"),
        (
            LookupSelect(
                Mailbox,
                "mailbox.username",
                asking.dialect.table(Mailbox),
                asking.key(Mailbox, "username"),
                (asking.active("mailbox"), asking.hosted_condition(kind=True)),
            ),
            build_backup_mx_wildcard(asking),
        ),
    )


def build_backup_mx_wildcard(asking):
    """A backup MX domain without mailboxes takes mail for everybody: who is there is unknown."""
    place = "SUBSTR(:key, 2)"
    return LookupSelect(
        Domain,
        "domain.domain",
        asking.dialect.table(Domain),
        (asking.found(Domain, "domain", place), *asking.dialect.ascii_conditions(":key")),
        (
            asking.active("domain"),
            ("domain.backupmx = 1", _("the domain is no backup MX")),
            (
                build_not_exists(asking, Mailbox, "domain", place),
                _("the domain lists its mailboxes, and this is none of them"),
            ),
        ),
    )


def build_restriction_maps(asking):
    """Mail to a mailbox that is switched off is refused at once, unless an alias sends it on."""
    titles = {
        "refused_recipients": _("Is the mailbox switched off?"),
        "refused_recipients_mirror": _("Is it switched off in the domain that is mirrored?"),
    }
    for name, parts in zip(titles, iter_restriction_selects(asking), strict=True):
        # A word twice is no action that access(5) knows.
        yield PostfixMap(name, "smtpd_recipient_restrictions", titles[name], parts, "UNION")


def iter_restriction_selects(asking):
    """For each way: who is let pass, also with an extension, and who is refused."""
    direct = tuple(iter_permitting_selects(asking))
    for address, own in iter_key_expressions(asking):
        away = build_not_exists(
            asking, Alias, "address", address, build_forwards_condition(asking, "other")
        )
        off = (("mailbox.active = 0", ""), (away, ""), *own)
        refused = build_lookup_select(
            asking, Mailbox, "username", f"'{MAILBOX_INACTIVE_REPLY}'", off, bool(own)
        )
        yield (*direct, *(iter_permitting_selects(asking, own) if own else ()), refused)


def iter_permitting_selects(asking, own=()):
    """What takes mail for the key itself; lest its owner without extension is asked."""
    sent_on = (build_forwards_condition(asking, "alias"), "")
    for model, column, live in (
        (Alias, "address", sent_on),
        (Mailbox, "username", MAILBOX_ACTIVE_CONDITION),
    ):
        yield build_lookup_select(asking, model, column, "'DUNNO'", (live, *own), bool(own))


MAILBOX_ACTIVE_CONDITION = ("mailbox.active = 1", "")


def build_forwards_condition(asking, name):
    """An alias that is switched on and points to more than itself and its own auto-reply."""

    def listed(expression):
        return asking.dialect.joined("','", f"LOWER({expression})", "','")

    answer = asking.dialect.joined(
        f"REPLACE({name}.address, '@', '#')", f"'@{settings.MAILADMIN_VACATION_DOMAIN}'"
    )
    answer, itself = (
        asking.dialect.cast_to_column(Alias, "goto", listed(expression))
        for expression in (answer, f"{name}.address")
    )
    targets = listed(f"REPLACE({name}.goto, ' ', '')")
    others = f"REPLACE({targets}, {answer}, ',')"
    return f"{name}.active = 1 AND {others} <> ',' AND {others} <> {itself}"


def iter_key_expressions(asking):
    """The key's own row, then by an alias domain, if that has no row of its own for the key."""
    yield ":key", ()
    nothing = (
        build_not_exists(asking, Mailbox, "username", ":key"),
        build_not_exists(asking, Alias, "address", ":key", "other.active = 1"),
    )
    by_mirror = asking.dialect.key_at_domain("aliasdomain.target_domain")
    yield by_mirror, tuple((condition, "") for condition in nothing)


def build_lookup_select(asking, model, column, answer, live, is_mirrored):
    """A part that finds a row directly or by an alias domain."""
    source, where, hosted = list(asking.iter_lookup_paths(model, column))[is_mirrored]
    return LookupSelect(model, answer, source, where, (*live, *hosted))


def build_transport_maps(asking):
    """Rows of their own, then what domains say; each key is put to both before the next one."""
    part = LookupSelect(
        Transport,
        "transport.transport",
        asking.dialect.table(Transport),
        asking.key(Transport, "pattern"),
        (asking.active("transport"),),
    )
    title = _("Transports of addresses, domains, and “*”")
    yield PostfixMap("transport_pattern", "transport_maps", title, (part,))
    part = LookupSelect(
        Domain,
        "domain.transport",
        asking.dialect.table(Domain),
        (*asking.key(Domain, "domain"), NOT_ALL_ROW_CONDITION),
        (
            asking.active("domain"),
            ("domain.transport NOT IN ('', 'virtual')", ""),  # the usual one
        ),
    )
    yield PostfixMap("transport", "transport_maps", _("Transports"), (part,))


def build_sender_login_map(asking):
    """Who may send as an address: its mailbox, or those to whom its alias leads.

    A mailbox is found even if it is switched off, else the catch-all's owner could send as it;
    its forwarding lets nobody send in its name.
    """
    parts = []
    for address, own in iter_key_expressions(asking):
        parts.append(
            build_lookup_select(asking, Mailbox, "username", "mailbox.username", own, bool(own))
        )
        theirs = (
            build_not_exists(asking, Mailbox, "username", address),
            _("it is a mailbox, whose forwarding lets nobody send in its name"),
        )
        live = (asking.active("alias"), HAS_TARGETS_CONDITION, theirs, *own)
        parts.append(build_lookup_select(asking, Alias, "address", "alias.goto", live, bool(own)))
    return PostfixMap(
        "sender_login", "smtpd_sender_login_maps", _("Who may send as whom"), tuple(parts)
    )


def build_quota_map(asking):
    """Not for main.cf, where only a patch knows it; the tracer and Dovecot's tools ask it."""
    part = LookupSelect(
        Mailbox,
        "mailbox.quota",
        asking.dialect.table(Mailbox),
        asking.key(Mailbox, "username"),
        (asking.active("mailbox"),),
    )
    return PostfixMap("mailbox_limit", "", _("Quotas"), (part,))


# Dovecot


def build_dovecot_queries(version="2.3", alias="default"):
    """What Dovecot asks to let somebody in, to find his mail, and to list everybody."""
    asking = QueryBuilder(get_dialect(alias))
    found = (*asking.key(Mailbox, "username"), "mailbox.active = 1")
    may_come = ":service NOT IN ({}) OR mailbox.smtp_active = 1".format(
        ", ".join(f"'{service}'" for service in SUBMISSION_SERVICES)
    )
    login = (*found, f"({may_come})", build_password_not_expired(asking))
    return (
        DovecotQuery(
            "password",
            _("Login"),
            build_mailbox_select(
                asking,
                {"user": "mailbox.username", "password": password_with_scheme(asking)},
                login,
            ),
        ),
        DovecotQuery(
            "user",
            _("Where the mail is, and how much it may be"),
            build_mailbox_select(asking, USER_FIELD_BUILDERS[version](asking.dialect), found),
        ),
        DovecotQuery(
            "iterate",
            _("Every mailbox"),
            build_mailbox_select(asking, {"user": "mailbox.username"}, ("mailbox.active = 1",)),
        ),
    )


def password_with_scheme(asking):
    """The stored password; Dovecot's CRYPT reads all of `$…$` but Argon2, which needs its name."""
    cases = " ".join(
        f"WHEN SUBSTR(mailbox.password, 1, {len(shape)}) = '{shape}'"
        f" THEN {asking.dialect.joined(repr(scheme), 'mailbox.password')}"
        for shape, scheme in (("$argon2id$", "{ARGON2ID}"), ("$argon2i$", "{ARGON2I}"))
    )
    return f"CASE {cases} ELSE mailbox.password END"


def build_mailbox_select(asking, fields, conditions):
    columns = ", ".join(f"{column} AS {name}" for name, column in fields.items())
    where = "\n  AND ".join(conditions)
    return f"SELECT {columns}\nFROM {asking.dialect.table(Mailbox)}\nWHERE {where}"


IS_MBOX_CONDITION = "SUBSTR(mailbox.maildir, -1) <> '/'"  # mail in one file, as virtual(8) has it


def case_mbox_or_maildir(in_file, in_folder):
    """What holds of a mailbox that is a file (mbox), and of one that is a folder (maildir)."""
    return f"CASE WHEN {IS_MBOX_CONDITION} THEN {in_file} ELSE {in_folder} END"


def home_expression(dialect):
    """A folder: the maildir, or one beside the file."""
    beside = dialect.joined(":base", "mailbox.maildir", "'.home'")
    return case_mbox_or_maildir(beside, dialect.joined(":base", "mailbox.maildir"))


def build_user_fields_2_3(dialect):
    quota = dialect.non_negative("mailbox.quota")
    path = (":base", "mailbox.maildir")
    folders = dialect.joined("'mbox:'", *path, "'.home/mail:INBOX='", *path)
    return {
        "home": home_expression(dialect),
        "mail": case_mbox_or_maildir(folders, dialect.joined("'maildir:'", *path)),
        "quota_rule": dialect.joined("'*:bytes='", quota),
    }


def build_user_fields_2_4(dialect):
    quota = dialect.non_negative("mailbox.quota")
    path = (":base", "mailbox.maildir")
    return {
        "home": home_expression(dialect),
        "mail_driver": case_mbox_or_maildir("'mbox'", "'maildir'"),
        "mail_path": case_mbox_or_maildir(
            dialect.joined(*path, "'.home/mail'"), dialect.joined(*path)
        ),
        "mail_inbox_path": case_mbox_or_maildir(dialect.joined(*path), "NULL"),
        "quota_storage_size": dialect.joined(quota, "'B'"),
        # By how much the last message may exceed it: a tenth, as in 2.3. The default is 10 MB.
        "quota_storage_grace": dialect.joined(dialect.integer_divide(quota, 10), "'B'"),
    }


USER_FIELD_BUILDERS = {"2.3": build_user_fields_2_3, "2.4": build_user_fields_2_4}
DOVECOT_PLACEHOLDERS = {
    "2.3": {"key": "'%u'", "service": "'%s'"},
    "2.4": {"key": "'%{user}'", "service": "'%{protocol}'"},
}


def render_for_dovecot(sql, version, base):
    words = DOVECOT_PLACEHOLDERS[version] | {"base": f"'{base.rstrip('/')}/'"}
    return PLACEHOLDER_RE.sub(lambda word: words[word[1]], sql.replace("%", "%%"))


def build_password_not_expired(asking):
    """Dates before 2001 mean unknown; a domain without an expiry lets no password expire."""
    domain = asking.dialect.holds("place.domain", Domain, "domain", "mailbox.domain")
    return (
        f"(mailbox.password_expiry > {asking.dialect.now}"
        " OR mailbox.password_expiry < '2001-01-01'"
        f" OR NOT EXISTS (SELECT 1 FROM {asking.dialect.table(Domain, 'place')}"
        f" WHERE {domain} AND place.password_expiry > 0))"
    )


class QuotaDictEntry(NamedTuple):
    """A path of Dovecot's quota dictionary, and the column of `quota2` that it writes."""

    path: str
    column: str


QUOTA_DICTIONARY = (
    QuotaDictEntry("priv/quota/storage", "bytes"),
    QuotaDictEntry("priv/quota/messages", "messages"),
)


# The least that each program must be allowed: table → statement → columns, none meaning the row

POSTFIX_PRIVILEGES: dict[str, dict[str, tuple[str, ...]]] = {
    "domain": {"SELECT": ("domain", "active", "backupmx", "transport")},
    "alias_domain": {"SELECT": ("alias_domain", "target_domain", "active")},
    "alias": {"SELECT": ("address", "goto", "active")},
    "mailbox": {"SELECT": ("username", "domain", "maildir", "quota", "active")},
    "mailadmin_transport": {"SELECT": ("pattern", "transport", "active")},
}
LOGIN_COLUMNS = ("username", "domain", "password", "active", "smtp_active", "password_expiry")
DOVECOT_PRIVILEGES: dict[str, dict[str, tuple[str, ...]]] = {
    "domain": {"SELECT": ("domain", "password_expiry")},
    "mailbox": {"SELECT": (*LOGIN_COLUMNS, "maildir", "quota")},
    "quota2": {"SELECT": (), "INSERT": (), "UPDATE": (), "DELETE": ()},
}
