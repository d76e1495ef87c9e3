"""The base of row types whose key is an address."""

from django.core.exceptions import ValidationError

from mailadmin.names import fold, validate_domain, validate_local_part
from mailadmin.translation import gettext_lazy as _
from mailboxes.transfer.row_types.base import ModelRow, RowType, RowValues, omit_keys


class AddressRowType(RowType):
    """A row keyed by an address, which files give whole or as local part and domain."""

    address_column = ""

    def clean_row(self, values: RowValues) -> RowValues:
        local_part, domain = self.split_address(values)
        if values.get("domain") not in (None, domain):
            raise ValidationError(_("The address does not match the domain next to it."))
        key = f"{'' if local_part == '*' else local_part}@{domain}"
        return values | {self.address_column: key, "local_part": local_part, "domain": domain}

    def split_address(self, values: RowValues) -> tuple[str, str]:
        """Return local part and domain, validated."""
        if address := values.get(self.address_column):
            local_part, at, domain = address.rpartition("@")
            if not at:
                raise ValidationError(
                    _("“%(value)s” is not a valid email address."), params={"value": address}
                )
        else:
            local_part = values.get("local_part", "").lower()
            domain = values.get("domain", "")
            if not local_part or not domain:
                raise ValidationError(_("The address is missing."))
        validate_domain(domain)
        local_part = self.clean_local_part(local_part)
        return local_part, domain

    def clean_local_part(self, text: str) -> str:
        validate_local_part(text)
        return text

    def values_from_row(self, row: ModelRow) -> RowValues:
        local_part, _at, domain = fold(row.pk).rpartition("@")
        address_values = {
            self.address_column: fold(row.pk),
            "local_part": local_part or "*",
            "domain": domain,
        }
        return super().values_from_row(row) | address_values

    def to_file_values(self, values: RowValues) -> RowValues:
        """Leave out what follows from the address."""
        if self.address_column in values:
            values = omit_keys(values, "local_part", "domain")
        return super().to_file_values(values)
