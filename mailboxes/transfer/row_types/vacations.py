"""Vacation replies, as sources give them."""

from collections.abc import Iterable
from typing import Any

from django import forms

from mailadmin.changes.perform import Changes
from mailadmin.names import fold, validate_text
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import Alias, Vacation
from mailboxes.services.forwardings import set_forwarding
from mailboxes.services.vacations import delete_vacations, set_vacation
from mailboxes.transfer.row_types.base import RowType, RowValues, omit_keys
from mailboxes.transfer.row_types.fields import (
    AddressKeyField,
    BoundedIntegerField,
    LineField,
    PostfixAdminDateTimeField,
    YesNoField,
    deserialize_datetimes,
)


class VacationRowType(RowType):
    name = "vacation"
    table = "vacations"
    title = _("vacation replies")
    model = Vacation
    extra_columns = {
        "email": AddressKeyField(),
        "subject": LineField(),
        "body": forms.CharField(required=False, validators=[validate_text], strip=False),
        "active": YesNoField(),
        "activefrom": PostfixAdminDateTimeField(),
        "activeuntil": PostfixAdminDateTimeField(),
        "interval_time": BoundedIntegerField(min_value=0),
        "only_answers": YesNoField(),  # mail is not delivered, not even to the mailbox
    }
    column_aliases = {"mailbox": "email", "username": "email"}
    required_columns = ("email", "subject", "body")
    required_key_columns = ("email",)

    def key(self, values: RowValues) -> str:
        return values["email"]

    def get_domain(self, values: RowValues) -> str:
        return values.get("email", "").rpartition("@")[2]

    def values_from_row(self, row: Any) -> RowValues:
        if not hasattr(row, "only_answers"):
            self.prefetch_rows([row])
        return super().values_from_row(row) | {
            "email": fold(row.pk),
            "only_answers": row.only_answers,
        }

    def prefetch_rows(self, rows: Iterable[Any]) -> list[Any]:
        rows = list(rows)
        aliases = Alias.objects.filter(pk__in=[row.pk for row in rows if row.active])
        without_targets = {fold(alias.pk) for alias in aliases if not alias.targets}
        for row in rows:
            row.only_answers = fold(row.pk) in without_targets
        return rows

    def check_required_columns(self, values: RowValues, columns: Iterable[str]) -> None:
        """Allow an inactive vacation to be empty."""
        is_active = values.get("active", True)
        super().check_required_columns(values, columns if is_active else self.required_key_columns)

    def create(self, changes: Changes, rows: list[RowValues]) -> None:
        for row in rows:
            row = row if row.get("only_answers") else omit_keys(row, "only_answers")
            self.edit(changes, row["email"], {"active": True} | row)

    def edit(self, changes: Changes, key: str, values: RowValues) -> None:
        attributes = deserialize_datetimes(
            omit_keys(values, "email", "only_answers"), "activefrom", "activeuntil"
        )
        if vacation := self.find_existing_rows([key]).get(fold(key)):
            attributes = {"active": vacation.active} | attributes
        set_vacation(changes, key, attributes)
        if "only_answers" in values:
            only_answers, others = values["only_answers"], Alias.objects.get(pk=key).others
            set_forwarding(changes, key, others, not only_answers, only_answers)

    def delete(self, changes: Changes, keys: list[str]) -> None:
        delete_vacations(changes, keys)
