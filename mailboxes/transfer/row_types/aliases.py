"""Aliases, as sources give them."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.utils.functional import cached_property

from domains.models import Domain
from mailadmin.changes.perform import Changes, digest_values
from mailadmin.changes.records import serialize_value
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.goto_fields import clean_alias_target
from mailboxes.models import Alias, Mailbox
from mailboxes.services.aliases import create_aliases, delete_aliases, edit_alias
from mailboxes.services.forwardings import set_forwarding
from mailboxes.tables import AliasTable
from mailboxes.transfer.row_types.addresses import AddressRowType
from mailboxes.transfer.row_types.base import Difference, RowValues, omit_keys
from mailboxes.transfer.row_types.fields import DomainNameField, LineField, NameListField

# Set in the values of aliases that exist with their mailbox; a flag, and not a column.
OF_MAILBOX = "of_mailbox"


class AliasRowType(AddressRowType):
    panel_table = AliasTable
    name = "alias"
    limit_name = "aliases"
    address_column = "address"
    extra_columns = {
        "local_part": LineField(max_length=64),
        "domain": DomainNameField(),
        "goto": NameListField(),
    }
    required_columns = ("address", "goto")
    import_only_columns = ("local_part", "domain")
    example = {
        "address": "info@example.org",
        "goto": "bob@example.org,carol@example.com",
        "description": "",
        "active": "1",
    }

    @cached_property
    def text_columns(self) -> tuple[str, ...]:
        """Return the columns that the alias of a mailbox has of its own, besides its targets."""
        derived = ("address", "active", *self.extra_columns)
        return tuple(name for name in self.columns if name not in derived)

    @cached_property
    def text_defaults(self) -> RowValues:
        """Return what these columns have in a new alias."""
        fields = self.model_fields
        return {name: serialize_value(fields[name].get_default()) for name in self.text_columns}

    def find_own_values(self, values: RowValues) -> RowValues:
        """Return the values of these columns that a new alias does not have."""
        defaults = self.text_defaults.items()
        return {n: values[n] for n, default in defaults if values.get(n, default) != default}

    def clean_local_part(self, text: str) -> str:
        return "*" if text in ("", "*") else super().clean_local_part(text)

    def clean_row(self, values: RowValues) -> RowValues:
        values = super().clean_row(values)
        if "goto" in values:
            targets = [clean_alias_target(line) for line in values["goto"]]
            values["goto"] = in_order(targets, values["address"])
        return values

    def values_from_row(self, row: Alias) -> RowValues:
        targets = [fold(target) for target in row.targets]
        return super().values_from_row(row) | {"goto": in_order(targets, fold(row.pk))}

    def digest(self, row: Alias) -> str:
        """Leave out `active`: it follows the mailbox, also from an earlier row of the same plan."""
        return digest_values(omit_keys(self.values_from_row(row), "active"))

    def find_differences(self, row: Alias, values: RowValues) -> list[Difference]:
        if values.get(OF_MAILBOX):
            values = omit_keys(values, "active")
        return super().find_differences(row, values)

    def to_file_values(self, values: RowValues) -> RowValues:
        """Leave out an empty `goto`: the vacation row tells that mail is only answered."""
        omitted = (OF_MAILBOX,) if values.get("goto", True) else (OF_MAILBOX, "goto")
        return super().to_file_values(omit_keys(values, *omitted))

    def check_required_columns(self, values: RowValues, columns: Iterable[str]) -> None:
        """Do not require `goto` of a mailbox's alias, which exists already."""
        implied = ("goto",) if values.get(OF_MAILBOX) else ()
        super().check_required_columns(values, [name for name in columns if name not in implied])

    def counts_against_limit(self, values: RowValues) -> bool:
        return not values.get(OF_MAILBOX)

    def is_created_implicitly(self, values: RowValues) -> bool:
        """Tell whether the alias is the one that comes with its mailbox, unchanged."""
        own_address = [values["address"]]
        is_default = values.get("goto", own_address) == own_address
        return bool(values.get(OF_MAILBOX)) and is_default and not self.find_own_values(values)

    def create(self, changes: Changes, rows: list[RowValues]) -> None:
        standalone = [row for row in rows if not row.get(OF_MAILBOX)]
        if standalone:
            standalone = [omit_keys(row, "address", OF_MAILBOX) for row in standalone]
            standalone = [self.to_column_values(row) for row in standalone]
            domains = [{"domain": Domain(domain=row["domain"])} for row in standalone]
            create_aliases(changes, [r | d for r, d in zip(standalone, domains, strict=True)])
        self.set_forwardings(changes, [row for row in rows if row.get(OF_MAILBOX)])

    def set_forwardings(self, changes: Changes, rows: list[RowValues]) -> None:
        """Set the targets of aliases that were created with their mailboxes."""
        aliases = self.find_existing_rows([row["address"] for row in rows])
        for row in rows:
            key = row["address"]
            alias = aliases.get(fold(key))
            if (
                alias
                and alias.goto != alias.pk
                and self.values_from_row(alias)["goto"] != row.get("goto")
            ):
                raise ValidationError(_("%(key)s has other targets now."), params={"key": key})
            if "goto" in row:
                set_forwarding(changes, key, row["goto"], key in row["goto"])
            if texts := self.find_own_values(row):
                edit_alias(changes, key, self.to_column_values(texts))

    def edit(self, changes: Changes, key: str, values: RowValues) -> None:
        values = omit_keys(values, "address", "local_part", "domain", OF_MAILBOX)
        if "goto" in values:
            values["goto_mailbox"] = key in values["goto"]
        edit_alias(changes, key, self.to_column_values(values))

    def delete(self, changes: Changes, keys: list[str]) -> None:
        """Reset the aliases of mailboxes to deliver to the mailbox alone; delete the others."""
        mailbox_keys = {
            fold(key) for key in Mailbox.objects.filter(pk__in=keys).values_list("pk", flat=True)
        }
        for key in mailbox_keys:
            values = self.to_column_values(self.text_defaults)
            edit_alias(changes, key, values | {"goto": [], "goto_mailbox": True})
        if standalone_keys := [key for key in keys if fold(key) not in mailbox_keys]:
            delete_aliases(changes, standalone_keys)


def in_order(targets: Iterable[str], own_address: str) -> list[str]:
    """Order targets as the services store them: no duplicates, the mailbox's own address last."""
    return sorted(dict.fromkeys(targets), key=lambda target: target == own_address)
