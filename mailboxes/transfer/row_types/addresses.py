"""Rows whose address is a name in a domain."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from mailadmin.names import fold, validate_domain, validate_local_part
from mailboxes.transfer.row_types.base import RowType, omit_keys


class AddressRowType(RowType):
    """A row whose address is a name in a domain, told whole or in its two parts."""

    address = ""

    def complete(self, values):
        local_part, domain = self.parts(values)
        if values.get("domain") not in (None, domain):
            raise ValidationError(_("The address is not in the domain beside it."))
        key = f"{'' if local_part == '*' else local_part}@{domain}"
        return values | {self.address: key, "local_part": local_part, "domain": domain}

    def parts(self, values):
        if address := values.get(self.address):
            local_part, at, domain = address.rpartition("@")
            if not at:
                raise ValidationError(
                    _("“%(value)s” is not an address."), params={"value": address}
                )
        else:
            local_part = values.get("local_part", "").lower()
            domain = values.get("domain", "")
            if not local_part or not domain:
                raise ValidationError(_("There is no address."))
        validate_domain(domain)
        local_part = self.local_part(local_part)
        return local_part, domain

    def local_part(self, text):
        validate_local_part(text)
        return text

    def words(self, row):
        local_part, _at, domain = fold(row.pk).rpartition("@")
        own = {self.address: fold(row.pk), "local_part": local_part or "*", "domain": domain}
        return super().words(row) | own

    def to_file_values(self, values):
        """The address whole; its parts follow from it."""
        if self.address in values:
            values = omit_keys(values, "local_part", "domain", "of_mailbox")
        return super().to_file_values(values)
