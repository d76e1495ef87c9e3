"""Aliases, as sources give them."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from domains.models import Domain
from mailadmin.changes.perform import digest_values
from mailadmin.names import fold
from mailboxes.forms import clean_alias_target
from mailboxes.models import Mailbox
from mailboxes.services.aliases import create_aliases, delete_aliases, edit_alias
from mailboxes.services.forwardings import set_forwarding
from mailboxes.tables import AliasTable
from mailboxes.transfer.row_types.addresses import AddressRowType
from mailboxes.transfer.row_types.base import DomainNameField, LineField, NameListField, omit_keys


class AliasRowType(AddressRowType):
    panel_table = AliasTable
    name = "alias"
    limit_name = "aliases"
    address = "address"
    extra_columns = {
        "local_part": LineField(max_length=64),
        "domain": DomainNameField(),
        "goto": NameListField(),
    }
    needed = ("address", "goto")
    import_only_columns = ("local_part", "domain")
    example = {
        "address": "info@example.org",
        "goto": "bob@example.org,carol@example.com",
        "description": "",
        "active": "1",
    }

    def local_part(self, text):
        return "*" if text in ("", "*") else super().local_part(text)

    def complete(self, values):
        values = super().complete(values)
        if "goto" in values:
            targets = [clean_alias_target(line) for line in values["goto"]]
            values["goto"] = in_order(targets, values["address"])
        return values

    def words(self, row):
        targets = [fold(target) for target in row.targets]
        return super().words(row) | {"goto": in_order(targets, fold(row.pk))}

    def digest(self, row):
        """A mailbox's alias is switched with it, also by an earlier row of the same plan."""
        return digest_values(omit_keys(self.words(row), "active"))

    def differences(self, row, values):
        if values.get("of_mailbox"):
            values = omit_keys(values, "active")
        return super().differences(row, values)

    def to_file_values(self, values):
        """Mail that is only answered leads nowhere; its vacation says so."""
        return super().to_file_values(
            values if values.get("goto", True) else omit_keys(values, "goto")
        )

    def check_required_columns(self, values, names):
        """A mailbox has its alias; what is said of that need not be where it leads."""
        own = ("goto",) if values.get("of_mailbox") else ()
        super().check_required_columns(values, [name for name in names if name not in own])

    def is_created_implicitly(self, values):
        own = [values["address"]]
        leads_home = values.get("goto", own) == own and not values.get("description")
        return bool(values.get("of_mailbox")) and leads_home

    def create(self, changes, rows):
        new = [row for row in rows if not row.get("of_mailbox")]
        if new:
            new = [omit_keys(row, "address", "of_mailbox") for row in new]
            domains = [{"domain": Domain(domain=row["domain"])} for row in new]
            create_aliases(changes, [r | d for r, d in zip(new, domains, strict=True)])
        self.set_forwardings(changes, [row for row in rows if row.get("of_mailbox")])

    def set_forwardings(self, changes, rows):
        """A mailbox has its alias already, and it leads to the mailbox alone."""
        there = self.present([row["address"] for row in rows])
        for row in rows:
            key = row["address"]
            alias = there.get(fold(key))
            if alias and alias.goto != alias.pk and self.words(alias)["goto"] != row.get("goto"):
                raise ValidationError(_("%(key)s leads elsewhere by now."), params={"key": key})
            if "goto" in row:
                set_forwarding(changes, key, row["goto"], key in row["goto"])
            if described := row.get("description"):
                edit_alias(changes, key, {"description": described})

    def edit(self, changes, key, values):
        values = omit_keys(values, "address", "local_part", "domain", "of_mailbox")
        if "goto" in values:
            values["goto_mailbox"] = key in values["goto"]
        edit_alias(changes, key, values)

    def delete(self, changes, keys):
        """What a mailbox forwarded goes to it alone again; its alias stays with it."""
        of_mailboxes = {
            fold(key) for key in Mailbox.objects.filter(pk__in=keys).values_list("pk", flat=True)
        }
        for key in of_mailboxes:
            edit_alias(changes, key, {"goto": [], "goto_mailbox": True, "description": ""})
        if others := [key for key in keys if fold(key) not in of_mailboxes]:
            delete_aliases(changes, others)


def in_order(targets, own):
    """As the services keep them: each once, the copy for the mailbox itself at the end."""
    return sorted(dict.fromkeys(targets), key=lambda target: target == own)
