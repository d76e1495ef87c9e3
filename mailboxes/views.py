"""The screens of mailboxes and aliases."""

from operator import attrgetter

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import F
from django.http import Http404, HttpResponse
from django.utils.functional import cached_property
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView, View

from domains.models import Domain
from domains.services.domains import aliases_naming, named
from domains.views import DATES, READ, WRITE
from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequired
from mailadmin.changes.log_page import WarnsOfOldMail
from mailadmin.names import typed_domain
from mailadmin.tables import Column, Crud, Saving
from mailboxes import cells
from mailboxes.dashboard import cache
from mailboxes.forms import AliasForm, MailboxForm, quota_help, typed_quota
from mailboxes.models import Alias, LoneAlias, Mailbox, Usage, Vacation
from mailboxes.owner.forms import ForwardingForm, VacationForm
from mailboxes.services import mailboxes
from mailboxes.services.target_checks import problems_of
from mailboxes.transfer.row_types.mailboxes import shown_quota


class Mailboxes(WarnsOfOldMail, Crud):
    model = Mailbox
    form_class = MailboxForm
    slug = "mailboxes"
    icon = "inbox"
    columns = [
        "username",
        "name",
        Column("quota", gettext_lazy("Quota"), cells.quota),
        Column("goto", gettext_lazy("Mail goes to"), cells.forwarding),
        "active",
        "smtp_active",
        "modified",
    ]
    search_fields = ["username", "name"]
    is_many_a_domain = True
    roles = READ | dict.fromkeys(WRITE, Role.ADMINS)
    toggles = {"active": gettext_lazy("active"), "smtp_active": gettext_lazy("may send")}
    exported = (
        dict.fromkeys(["username", "name", "quota", "active", "smtp_active"], Role.ADMINS)
        | dict.fromkeys(["maildir", "phone", "email_other", "password_expiry"], Role.SUPERADMIN)
        | dict.fromkeys(DATES, Role.ADMINS)
    )
    also_shown = ("local_part", "domain")
    example = {
        "local_part": "bob",
        "domain": "example.org",
        "password": "correct-horse-42",
        "name": "Bob Builder",
        "quota": 1024,
    }
    empty_text = gettext_lazy("There are no mailboxes here yet.")
    delete_service = mailboxes.delete_mailboxes
    set_service = mailboxes.set_mailboxes

    def decorate(self, rows):
        rows = with_usage(rows)
        keys = [row.pk for row in rows]
        aliases = {a.pk.lower(): a for a in Alias.objects.filter(pk__in=keys)}
        away = set(Vacation.objects.filter(pk__in=keys, active=True).values_list("pk", flat=True))
        problems = problems_of(self.request.user, list(aliases.values()))
        for row in rows:
            row.alias = aliases.get(row.pk.lower())
            row.problems = problems.get(row.alias.pk, []) if row.alias else []
            row.is_away = row.pk in away
        return rows

    def going(self, keys):
        return [*super().going(keys), *named(keys)]  # its own alias is a part of it

    @classmethod
    def exported_value(cls, row, name):
        return shown_quota(row.quota) if name == "quota" else super().exported_value(row, name)

    @classmethod
    def value(cls, row, name):
        return typed_quota(row.quota) if name == "quota" else super().value(row, name)

    def pointing_at(self, keys):
        return aliases_naming(self.request.user, keys)


class Room(RoleRequired, View):
    """How large a mailbox may be in a domain; the form shows it once the domain is chosen."""

    roles = Role.ADMINS

    def get(self, request):
        name = typed_domain(request.GET.get("domain", ""))
        domain = Domain.objects.visible_to(request.user).filter(pk=name).first()
        return HttpResponse(escape(quota_help(domain) if domain else _("0 is unlimited.")))


def with_usage(mailboxes):
    """These mailboxes, each with the bytes it holds."""
    mailboxes = list(mailboxes)
    usage = Usage.objects.filter(mailbox__in=[mailbox.pk for mailbox in mailboxes])
    used = {row.mailbox_id.lower(): row.bytes for row in usage}
    for mailbox in mailboxes:
        mailbox.used = used.get(mailbox.pk.lower(), 0)
    return mailboxes


class Aliases(WarnsOfOldMail, Crud):
    model = Alias
    form_class = AliasForm
    slug = "aliases"
    icon = "arrow-left-right"
    columns = [
        Column("address", gettext_lazy("Alias"), "mailboxes/cells/address.html"),
        Column("goto", gettext_lazy("Goes to"), "mailboxes/cells/goto.html"),
        "description",
        "active",
        "modified",
    ]
    search_fields = ["address", "goto", "description"]
    is_many_a_domain = True
    roles = READ | dict.fromkeys(WRITE, Role.ADMINS)
    exported = dict.fromkeys(["address", "goto", "description", "active", *DATES], Role.ADMINS)
    also_shown = ("local_part", "domain", "goto_mailbox")
    values = {
        "local_part": attrgetter("local_part"),
        "goto": attrgetter("others"),
        "goto_mailbox": attrgetter("keeps_copy"),
    }
    example = {"local_part": "info", "domain": "example.org", "goto": ["bob@example.org"]}
    empty_text = gettext_lazy("There are no aliases here yet.")
    delete_service = mailboxes.delete_aliases
    set_service = mailboxes.set_aliases

    @classmethod
    def key_of(cls, text):
        """A catch-all is stored without the star by which people call it."""
        return super().key_of(text.removeprefix("*") if text.startswith("*@") else text)

    @classmethod
    def listed(cls, rows):
        """The alias of a mailbox is edited like any other, and listed with its mailbox."""
        return rows.without_mailbox()

    def parts(self, rows):
        """Among very many they are looked up, and those that others have just made added."""
        active = self.filters.get("active")
        moment = cache.moment() if "q" not in self.filters else None
        if not moment or (active == "0" and self.request.user.role is Role.SUPERADMIN):
            return super().parts(rows)
        known = LoneAlias.scoped.visible_to(self.request.user).in_order()
        if active in ("0", "1"):
            known = known.filter(alias__active=active == "1")
        if domain := self.filters.get("domain"):
            known = self.of_domain(known, typed_domain(domain))
        new = cache.made_since(moment)
        return super().parts(known) + ([rows.filter(pk__in=new)] if new else [])

    @classmethod
    def warnings(cls, principal, rows) -> dict[str, list[str]]:
        return problems_of(principal, rows)

    def decorate(self, rows):
        found = problems_of(self.request.user, rows)
        for row in rows:
            row.problems = found.get(row.pk, [])
        return rows

    @classmethod
    def found(cls, rows):
        """A mailbox that forwards is found by where its mail goes."""
        return rows.exclude(goto=F("address"))

    @classmethod
    def exported_value(cls, row, name):
        return row.targets if name == "goto" else super().exported_value(row, name)

    @classmethod
    def value(cls, row, name):
        return cls.values[name](row) if name in cls.values else super().value(row, name)

    def pointing_at(self, keys):
        return aliases_naming(self.request.user, keys)


class OfMailbox(RoleRequired, Saving, FormView):
    """A page on one thing of one mailbox: its owner's, or an admin's on his behalf."""

    roles = Role.ADMINS
    template_name = "mailboxes/of_mailbox.html"
    title = ""
    saved_text = ""

    @cached_property
    def mailbox(self):
        mailbox = (
            Mailbox.objects.visible_to(self.request.user).filter(pk=self.kwargs["key"]).first()
        )
        if mailbox is None:
            raise Http404
        return mailbox

    def get_form_kwargs(self):
        kwargs = super().get_form_kwargs()
        kwargs.pop("initial")
        return kwargs | {"mailbox": self.mailbox}

    def get_context_data(self, **kwargs):
        return super().get_context_data(mailbox=self.mailbox, title=self.title, **kwargs)

    def success_text(self, form):
        return self.saved_text

    def get_success_url(self):
        return self.request.path


class Forwarding(OfMailbox):
    form_class = ForwardingForm

    def warning_texts(self) -> list[str]:
        alias = self.object_saved
        return problems_of(self.request.user, [alias]).get(alias.pk, [])

    title = gettext_lazy("Forwarding")
    saved_text = gettext_lazy("The forwarding was saved.")


class VacationPage(OfMailbox):
    form_class = VacationForm
    title = gettext_lazy("Vacation")
    saved_text = gettext_lazy("The vacation was saved.")

    def dispatch(self, request, *args, **kwargs):
        if not settings.MAILADMIN_VACATION:
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)
