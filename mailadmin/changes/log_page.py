"""The log as people read it: PostfixAdmin's lines, each open to what changed."""

import datetime

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.html import escape, format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.models import Role
from mailadmin.changes.models import Change, Log
from mailadmin.names import fold
from mailadmin.tables import PARTS, Column, Crud
from mailadmin.templatetags.mailadmin import readable
from mailadmin.templatetags.rows import from_template

VERBS = {
    "create_domain": _("domain created"),
    "edit_domain": _("domain changed"),
    "delete_domain": _("domain deleted"),
    "create_mailbox": _("mailbox created"),
    "edit_mailbox": _("mailbox changed"),
    "delete_mailbox": _("mailbox deleted"),
    "edit_mailbox_state": _("mailbox switched"),
    "create_alias": _("alias created"),
    "edit_alias": _("alias changed"),
    "delete_alias": _("alias deleted"),
    "edit_alias_state": _("alias switched"),
    "create_alias_domain": _("alias domain created"),
    "edit_alias_domain": _("alias domain changed"),
    "delete_alias_domain": _("alias domain deleted"),
    "edit_alias_domain_state": _("alias domain switched"),
    "create_admin": _("admin created"),
    "edit_admin": _("admin changed"),
    "delete_admin": _("admin deleted"),
    "edit_password": _("password changed"),
    "edit_vacation": _("vacation changed"),
    "add_app_password": _("app password added"),
    "create_fetchmail": _("fetchmail entry created"),
    "edit_fetchmail": _("fetchmail entry changed"),
    "delete_fetchmail": _("fetchmail entry deleted"),
    "create_dkim_entry": _("DKIM key created"),
    "edit_dkim_entry": _("DKIM key changed"),
    "delete_dkim_entry": _("DKIM key deleted"),
    "create_dkim_signing_entry": _("DKIM signing created"),
    "edit_dkim_signing_entry": _("DKIM signing changed"),
    "delete_dkim_signing_entry": _("DKIM signing deleted"),
    "add_totp_exception": _("TOTP exception added"),
    "delete_totp_exception": _("TOTP exception deleted"),
    # Not PostfixAdmin's, which has no such table.
    "create_transport": _("transport created"),
    "edit_transport": _("transport changed"),
    "delete_transport": _("transport deleted"),
    "create_token": _("token made"),
    "delete_token": _("token taken back"),
}


# What a line is about, where it is more than the table of its name.
TABLES = {
    "admin": {"admin", "domainadmin"},
    "mailbox": {"mailbox", "alias", "vacation"},
    "vacation": {"vacation", "alias"},
    "password": {"mailbox", "admin"},
    "dkim": {"dkimkey", "dkimsigning"},
    "totp_exception": {"totpexception"},
}
DELETIONS = [verb for verb in VERBS if verb.startswith("delete_")]


CHANGED = Column("data", _("What"), "mailadmin/cells/changed.html")


def action_cell(page, row, name, value):
    return escape(str(VERBS.get(value, value)))


def what_cell(page, row, name, value):
    """The name that the line is about, open to its changes if there are any."""
    if row.changes:
        return from_template(CHANGED, page, row, name, value)
    return format_html('<span class="textcell">{}</span>', readable(row.data))


class LogLines(Crud):
    model = Log
    slug = "log"
    icon = "clock-history"
    columns = [
        "timestamp",
        Column("username", _("By"), "text"),
        Column("action", _("Action"), action_cell),
        Column("domain", _("Domain"), "domain"),
        Column("data", _("What"), what_cell),
    ]
    search_fields = ["data", "username"]
    roles = {"list": Role.ADMINS, "export": Role.ADMINS}
    actions = ()
    toggles = {}
    newest_first = True
    is_many_a_domain = True
    empty_text = _("Nothing has happened yet. Every change will be told here.")
    filter_names = ("domain", "admin", "action", "from", "until", "q")
    verbs = VERBS

    @property
    def order(self):
        """By the moment, as the log's indexes have it; what must read all lines, as they lie."""
        if set(self.filters) == {"q"} and self.request.user.role is Role.SUPERADMIN:
            return ("pk",)
        return ("timestamp", "pk")

    def filtered(self):
        rows = super().filtered()
        given = self.filters
        if action := given.get("action"):
            rows = rows.filter(action=action)
        if admin := given.get("admin"):
            rows = rows.filter(username__istartswith=admin) if admin.isascii() else rows.none()
        if start := day(given.get("from")):
            rows = rows.filter(timestamp__gte=start)
        if end := day(given.get("until")):
            rows = rows.filter(timestamp__lt=end + datetime.timedelta(days=1))
        return rows

    def parts(self, rows):
        """The lines of each of whom the search for an admin means, if these are few."""
        admin = self.filters.get("admin", "")
        names = names_like(admin) if admin and admin.isascii() else []
        if not names:
            return super().parts(rows)
        return [rows.filter(username=name) for name in names]

    def decorate(self, rows):
        """Beside each line what changed, found by moment, actor, key, domain and table."""
        told = {(row.timestamp, row.data) for row in rows if row.timestamp}
        found = {}
        for change in changes_beside(told):
            found.setdefault((change.at, change.actor, change.key), []).append(change)
        for row in rows:
            key = row.timestamp, row.username, row.data
            row.changes = [change for change in found.get(key, []) if is_about(row, change)]
        return rows


def tables_of(action):
    """The tables whose changes a line of this action is about.

    In the same second the same name may be changed in a table that the reader may not see.
    """
    _verb, _underscore, noun = action.partition("_")
    noun = noun.removesuffix("_state").removesuffix("_entry").removesuffix("_signing")
    return TABLES.get(noun, {noun.replace("_", "")})


def is_about(line, change):
    """Whether a change belongs to a line; lines without a domain are read by superadmins alone."""
    if change.table not in tables_of(line.action):
        return False
    return not line.domain_id or fold(change.domain) == fold(line.domain_id)


def changes_beside(told):
    """The changes of these moments and keys, pair by pair: so an index finds each."""
    if not told:
        return []
    pairs = Q(*(Q(at=at, key=key) for at, key in told), _connector=Q.OR)
    return Change.objects.filter(pairs).order_by("pk")


def names_like(beginning):
    """The names in the log that begin so, with their addresses; none if they are too many."""
    lines = Log.objects.filter(username__istartswith=beginning).order_by("username")
    names = list(lines.values_list("username", flat=True).distinct()[: PARTS + 1])
    return names if len(names) <= PARTS else []


class WarnsOfOldMail:
    """What the log knows to have existed may have left mail on the disk."""

    def success_text(self, form):
        if self.screen == "create" and had_existed(self.object_saved):
            messages.warning(
                self.request,
                gettext("%(row)s existed before: its old mail may still lie on the disk.")
                % {"row": self.object_saved},
            )
        return super().success_text(form)


def had_existed(row):
    """Whether the log tells that one of this name was deleted, of any kind."""
    domain = getattr(row, "domain_id", row.pk)
    return Log.objects.filter(domain=domain, action__in=DELETIONS, data=row.pk).exists()


def day(text):
    """The first moment of a typed day; what is no day filters nothing."""
    try:
        date = parse_date(text or "")
    except (ValueError, ValidationError):
        return None
    if date is None or not 1970 < date.year < 3000:
        return None
    return timezone.make_aware(datetime.datetime.combine(date, datetime.time()))
