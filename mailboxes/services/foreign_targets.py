"""Refuse targets outside of this panel's domains, if the settings say so."""

from collections.abc import Iterable, Sequence

from django.conf import settings
from django.core.exceptions import ValidationError

from domains.models import Domain
from mailadmin.db.bulk import chunks
from mailadmin.names import fold
from mailadmin.translation import gettext as _
from mailboxes.models import Alias, is_vacation_target


def refuse_foreign_targets(edits: Iterable[tuple[Alias, Sequence[str]]]) -> None:
    """Refuse new targets of aliases in domains that the panel does not have.

    Each alias comes with the targets it had before, which may stay.
    """
    if not settings.MAILADMIN_EMAILCHECK_LOCALALIASONLY:
        return
    added = [
        target
        for alias, before in edits
        for target in alias.targets
        if target not in before and not is_vacation_target(target)
    ]
    names = {fold(get_target_domain(target)) for target in added}
    known = find_known_domains(names)
    for target in added:
        if fold(get_target_domain(target)) not in known:
            text = _("%(value)s is not in a domain of this mail server; others are not allowed.")
            raise ValidationError({"goto": text % {"value": target}})


def get_target_domain(target: str) -> str:
    """Return the domain of a target; a user of the mail server itself has none."""
    return target.rpartition("@")[2] if "@" in target else ""


def find_known_domains(names: Iterable[str]) -> set[str]:
    """Return which of these are domains of the panel, whoever manages them."""
    known = {""}
    for part in chunks(sorted(names)):
        known |= {fold(name) for (name,) in Domain.objects.filter(pk__in=part).values_list("pk")}
    return known
