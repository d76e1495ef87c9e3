"""Vacation replies, as sources give them."""

from django import forms
from django.utils.translation import gettext_lazy as _

from mailadmin.names import fold, validate_text
from mailboxes.models import Alias, Vacation
from mailboxes.services.forwardings import set_forwarding
from mailboxes.services.vacations import delete_vacation, set_vacation
from mailboxes.transfer.row_types.base import (
    AddressKeyField,
    BoundedIntegerField,
    LineField,
    PostfixAdminDateTimeField,
    RowType,
    YesNoField,
    deserialize_datetimes,
    omit_keys,
)


class VacationRowType(RowType):
    name = "vacation"
    table = "vacations"
    title = _("vacations")
    model = Vacation
    extra_columns = {
        "email": AddressKeyField(),
        "subject": LineField(),
        "body": forms.CharField(required=False, validators=[validate_text], strip=False),
        "active": YesNoField(),
        "activefrom": PostfixAdminDateTimeField(),
        "activeuntil": PostfixAdminDateTimeField(),
        "interval_time": BoundedIntegerField(least=0),
        "only_answers": YesNoField(),  # the mail goes nowhere, not even into the mailbox
    }
    aliases = {"mailbox": "email", "username": "email"}
    needed = ("email", "subject", "body")
    required_key_columns = ("email",)

    def key(self, values):
        return values["email"]

    def domain(self, values):
        return values.get("email", "").rpartition("@")[2]

    def words(self, row):
        if not hasattr(row, "only_answers"):
            self.prefetch_rows([row])
        return super().words(row) | {"email": fold(row.pk), "only_answers": row.only_answers}

    def prefetch_rows(self, rows):
        rows = list(rows)
        aliases = Alias.objects.filter(pk__in=[row.pk for row in rows if row.active])
        lonely = {fold(alias.pk) for alias in aliases if not alias.targets}
        for row in rows:
            row.only_answers = fold(row.pk) in lonely
        return rows

    def check_required_columns(self, values, names):
        """One that is switched off may be empty."""
        is_active = values.get("active", True)
        super().check_required_columns(values, names if is_active else self.required_key_columns)

    def create(self, changes, rows):
        for row in rows:
            row = row if row.get("only_answers") else omit_keys(row, "only_answers")
            self.edit(changes, row["email"], {"active": True} | row)

    def edit(self, changes, key, values):
        own = deserialize_datetimes(
            omit_keys(values, "email", "only_answers"), "activefrom", "activeuntil"
        )
        if there := self.present([key]).get(fold(key)):
            own = {"active": there.active} | own
        set_vacation(changes, key, own)
        if "only_answers" in values:
            only, others = values["only_answers"], Alias.objects.get(pk=key).others
            set_forwarding(changes, key, others, not only, only)

    def delete(self, changes, keys):
        for key in keys:
            delete_vacation(changes, key)
