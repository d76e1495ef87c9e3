"""The lock of a domain, which all writes take first, and the numbers that it keeps."""

from django.core.exceptions import ValidationError
from django.db.models import F, Sum
from django.utils.translation import gettext_lazy as _

from domains.models import (
    Domain,
    DomainState,
)
from mailadmin.rows import chunks, folded

CONTENTS = ("mailbox_set", "alias_set")


def lock_domains(changes, names):
    """Hold these domains until the transaction ends. The lock is a write, in order of name."""
    names = sorted({str(name) for name in names})
    for part in chunks(names):
        if _advance(part) < len(part):
            present = set(
                DomainState.objects.filter(pk__in=part).values_list("domain_id", flat=True)
            )
            new = [new_state(name) for name in part if name not in present]
            DomainState.objects.bulk_create(new, ignore_conflicts=True)
            _advance(part)


def _advance(names):
    return DomainState.objects.filter(pk__in=names).update(version=F("version") + 1)


def new_state(name):
    """The state of a domain that has none yet, with what is in it already."""
    mailboxes, aliases = (
        Domain._meta.get_field(contents).related_model.objects.filter(domain=name)
        for contents in CONTENTS
    )
    count = mailboxes.count()
    return DomainState(
        domain_id=name,
        mailboxes=count,
        aliases=aliases.count() - count,
        quota_assigned=mailboxes.filter(quota__gt=0).aggregate(sum=Sum("quota"))["sum"] or 0,
    )


def tally(domain, **differences):
    """Keep the numbers of a domain: `tally("example.org", mailboxes=+1, quota_assigned=+1024)`."""
    changed = {name: F(name) + number for name, number in differences.items() if number}
    if changed:
        DomainState.objects.filter(pk=domain).update(**changed)


def domains_to_write(changes, names):
    """The domains of these names, locked, all of them the actor's."""
    names = sorted(set(names))
    lock_domains(changes, names)
    found = own_domains(changes, names)
    if missing := [name for name in names if folded(name) not in found]:
        raise ValidationError(
            {"domain": _("The domain %(name)s does not exist.") % {"name": missing[0]}}
        )
    return {name: found[folded(name)] for name in names}


def own_domains(changes, names):
    rows = Domain.objects.visible_to(changes.principal).filter(pk__in=names)
    return {folded(domain.pk): domain for domain in rows}


def refuse_taken(model, keys, field, text):
    for part in chunks(keys):
        if taken := model._default_manager.filter(pk__in=part).values_list("pk", flat=True).first():
            raise ValidationError({field: text % {"key": taken}})
