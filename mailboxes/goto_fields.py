"""The field for the targets of aliases and forwardings."""

import re
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from mailadmin.address_lists import parse_address_list
from mailadmin.dns_lookup import refuse_unknown_domains
from mailadmin.names import normalize_address, normalize_domain, validate_address, validate_domain
from mailadmin.tables.form_fields import LineListField
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import Alias, is_vacation_target
from mailboxes.services.foreign_targets import find_known_domains, get_target_domain

MAX_TARGETS = 10_000  # Postfix expands a thousand, unless it is configured otherwise
MAX_TARGETS_LENGTH = 2**16  # characters that PostfixAdmin's column holds; checked before parsing


class GotoFormField(LineListField):
    """Addresses as people paste them: one per line, separated by `,` or `;`, with names."""

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]  # not a text
        text = forms.CharField.to_python(self, value) or ""
        if len(text) > MAX_TARGETS_LENGTH:
            raise ValidationError(_("This text is too long for the database column."))
        return [target for line in text.splitlines() for target in parse_targets(line)]


def parse_targets(line: str) -> list[str]:
    """Return the addresses of a line; what cannot be parsed stays as it is and is refused later."""
    if any(sign in line for sign in '<>"('):
        targets = [target for target in parse_address_list(line) if target]
        return targets if all("@" in target for target in targets) else [line.strip()]
    parts = [part.strip() for part in re.split("[,;]", line) if part.strip()]
    return [target for part in parts for target in split_addresses(part)]


def split_addresses(part: str) -> list[str]:
    """Return the addresses separated by spaces, if all of the words are addresses."""
    words = part.split()
    return words if all("@" in word for word in words) else [part]


class GotoMixin(forms.Form):
    """The field for targets, one per line."""

    goto = GotoFormField(
        label=_("Forward to"), required=False, help_text=_("One address per line.")
    )

    def clean_goto(self) -> list[str]:
        if len(self.cleaned_data["goto"]) > MAX_TARGETS:
            raise ValidationError(_("Enter at most %(most)s targets.") % {"most": MAX_TARGETS})
        targets = [self._clean_target(line) for line in self.cleaned_data["goto"]]
        self._refuse_unknown_domains(targets)
        return list(dict.fromkeys(targets))

    def _refuse_unknown_domains(self, targets: list[str]) -> None:
        """Refuse new targets in domains that do not exist, if the operator wants that."""
        if not settings.MAILADMIN_EMAILCHECK_RESOLVE_DOMAIN:
            return
        before = {get_target_domain(target) for target in self.initial.get("goto", [])}
        names = {get_target_domain(target) for target in targets} - before
        refuse_unknown_domains(sorted(names - find_known_domains(names)))

    def _clean_target(self, line: str) -> str:
        return clean_alias_target(line)


def clean_alias_target(line: str) -> str:
    """Return a target as it is stored: an address, `@domain`, or a user of the mail server."""
    if "@" not in line and line.isascii() and line.isalnum():
        return line.lower()
    target = normalize_address(line)
    local_part, at, domain = target.rpartition("@")
    if not at:
        raise ValidationError(
            _("“%(value)s” is not a valid email address."), params={"value": line}
        )
    if is_vacation_target(target):
        raise ValidationError(
            _("%(value)s belongs to the vacation reply: use the vacation reply page instead.")
            % {"value": line}
        )
    if local_part.startswith("-"):
        text = _("“%(value)s” starts with “-”: Postfix does not deliver mail to it.")
        raise ValidationError(text, params={"value": line})
    if local_part:
        validate_address(target)
    else:
        validate_domain(normalize_domain(domain))
    return target


def get_goto_initial(alias: Alias) -> dict[str, Any]:
    """Return what the fields of an alias's targets show at first."""
    return {"goto": alias.others, "goto_mailbox": alias.keeps_copy}
