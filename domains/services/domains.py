"""How domains and alias domains change."""

import re

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from domains.models import (
    BROKEN_DOMAIN,
    AliasDomain,
    DkimSigning,
    Domain,
    DomainAdmin,
    DomainState,
    Kept,
    TotpException,
)
from domains.patterns import is_usual, validate_domain_transport
from domains.services.locks import (
    CONTENTS,
    DELETION,
    domains_to_write,
    keep_lone,
    lock_domains,
    refuse_dying,
    refuse_taken,
    tally,
)
from mailadmin.db.bulk import chunks
from mailadmin.jobs.models import Job, JobKeys
from mailadmin.jobs.runner import ROWS_A_STEP, add_limited_job, drop_selection, selected_keys
from mailadmin.names import fold

LARGE = 500  # mailboxes that one transaction takes down in well under a second
NAMES_A_QUERY = 50


# Domains


def create_domains(changes, rows):
    """Make domains with their default aliases."""
    names = [row["domain"] for row in rows]
    lock_domains(changes, names)
    refuse_taken(Domain, names, "domain", _("The domain %(key)s exists already."))
    domains = [
        Domain(**{name: value for name, value in row.items() if name not in ALIAS_OPTIONS})
        for row in rows
    ]
    _refuse_vacation_domain(domains)
    for domain in domains:
        _refuse_broken_transport(domain.transport)
    changes.delete(DomainAdmin._base_manager.filter(domain__in=names))  # a former customer's
    changes.create(domains)
    Kept.objects.filter(domain__in=names).delete()  # of a former one
    DomainState.objects.filter(pk__in=names).update(
        mailboxes=0, aliases=0, quota_assigned=0, quota_used=0
    )
    for domain, row in zip(domains, rows, strict=True):
        if row.get("default_aliases", True):
            create_default_aliases(changes, domain, row.get("default_aliases_to") or "")
        changes.log("create_domain", domain.pk, domain.pk)
    return domains


ALIAS_OPTIONS = ("default_aliases", "default_aliases_to")


def create_default_aliases(changes, domain, destination: str = ""):
    """abuse, postmaster and so on, as configured; as in PostfixAdmin no limit stops them."""
    alias_model = Domain._meta.get_field("alias_set").related_model
    aliases = [
        alias_model(address=f"{name}@{domain.pk}", goto=target, domain=domain)
        for name, target in default_alias_targets(changes.principal, domain.pk, destination)
    ]
    taken = set(
        alias_model.objects.filter(pk__in=[a.pk for a in aliases]).values_list("pk", flat=True)
    )
    aliases = [alias for alias in aliases if alias.pk not in taken and alias.goto != alias.pk]
    changes.create(aliases)
    keep_lone(aliases)
    tally(domain.pk, aliases=len(aliases))


def default_alias_targets(principal, domain, destination: str = ""):
    """(name, target) of the default aliases: as the settings say, else the destination."""
    destination = destination or own_address(principal)
    for name, target in settings.MAILADMIN_DEFAULT_ALIASES:
        target = target or destination
        if target:
            yield name, target if "@" in target else f"{target}@{domain}"


def has_mail_address(principal):
    """admin@localhost can sign in, but nobody can write to it."""
    return "." in (principal.username or "").rpartition("@")[2]


def own_address(principal) -> str:
    """Return the address of whoever acts, if mail can reach it."""
    own = principal.username if has_mail_address(principal) else ""
    return "" if own and is_missing(own) else own


def is_missing(address: str) -> bool:
    """Whether an address is in a domain here, and nobody has it."""
    local_part, _at, domain = address.lower().rpartition("@")
    local = Domain.objects.filter(pk=domain, active=True, backupmx=False)
    transport = local.values_list("transport", flat=True).first()
    if transport is None or not is_usual(transport):
        return False
    if AliasDomain._base_manager.filter(pk=domain, active=True).exists():
        return False
    signs = re.escape(settings.MAILADMIN_RECIPIENT_DELIMITER)
    name = re.split(f"[{signs}]", local_part, maxsplit=1)[0] if signs else local_part
    keys = [f"{part}@{domain}" for part in (local_part, name, "")]
    models = (Domain._meta.get_field(name).related_model for name in CONTENTS)
    return not any(model.objects.filter(pk__in=keys, active=True).exists() for model in models)


def missing_targets(domain: Domain) -> list[str]:
    """Return the targets of a domain's default aliases that do not exist."""
    names = dict(settings.MAILADMIN_DEFAULT_ALIASES)
    keys = [f"{name}@{domain.pk}" for name in names]
    gotos = {target for alias in domain.alias_set.filter(pk__in=keys) for target in alias.targets}
    return [target for target in sorted(gotos) if "@" in target and is_missing(target)]


def edit_domain(changes, key, values):
    lock_domains(changes, [key])
    domain = changes.find_one(Domain, key)
    refuse_dying([domain])
    if values.get("transport", domain.transport) != domain.transport:
        _refuse_broken_transport(values["transport"])
        Kept.objects.filter(domain__in=["", key], name=BROKEN_DOMAIN, key=key).delete()
    if changes.update([domain], **values):
        changes.log("edit_domain", key, key)
    return domain


def set_domains(changes, keys, field, value):
    """Switch a mark of domains."""
    lock_domains(changes, keys)
    domains = changes.find(Domain, keys)
    refuse_dying(domains)
    for domain in changes.update(domains, **{field: value}):
        changes.log("edit_domain", domain.pk, domain.pk)


def delete_domains(changes, keys):
    """Delete domains with all that is in them, and what names them by text. The log stays."""
    lock_domains(changes, keys)
    domains = changes.find(Domain, keys)
    refuse_targets(keys)
    delete_named(changes, keys)
    changes.delete(domains)
    of_them = Q(*(Q(key__endswith=f"@{key}") for key in keys), key__in=keys, _connector=Q.OR)
    Kept.objects.filter(Q(domain__in=keys) | Q(domain="") & of_them).delete()
    for key in keys:
        changes.log("delete_domain", key, key)


def is_large(keys):
    """More than what one transaction should take down."""
    limits = (("mailbox_set", LARGE), ("alias_set", 2 * LARGE))
    return any(contents(name, keys) > limit for name, limit in limits)


def contents(name, keys):
    """How many mailboxes or aliases there are in these domains."""
    model = Domain._meta.get_field(name).related_model
    return sum(model.objects.filter(domain__in=part).count() for part in chunks(keys))


def close_domains(changes, keys):
    """Put large domains out of force and write down the job that takes them apart."""
    refuse_targets(keys)
    set_domains(changes, keys, "active", False)
    total = sum(contents(name, keys) for name in CONTENTS)
    title = _("Delete %(domains)s") % {"domains": ", ".join(keys[:20])}
    return add_limited_job(changes, DELETION, title, {}, total, keys)


def close_selected_domains(changes, selection):
    """The same for a confirmed selection of domains."""
    keys = selected_keys(selection)
    drop_selection(changes, selection)
    return close_domains(changes, keys)


def next_deletion(job):
    """The next step of taking domains apart: mailboxes, then aliases, then the rest."""
    found = next_domain(job)
    if found is None:
        return None
    part, domain = found
    for name in CONTENTS:
        rows = getattr(domain, name).order_by("pk").values_list("pk", flat=True)[:ROWS_A_STEP]
        if keys := list(rows):
            return delete_contents, (domain.pk, name, keys), len(keys)
    return delete_closed_domain, (part.pk, domain.pk), 0


def next_domain(job: Job) -> tuple[JobKeys, Domain] | None:
    """The next domain to delete, with the part of the selection that it is in.

    One that is active again is somebody's, and stays. Parts that are done are dropped.
    """
    for part in job.selection.order_by("position").iterator(1):
        closed = Domain.objects.filter(pk__in=part.keys, active=False).order_by("pk")
        if domain := closed.first():
            return part, domain
        part.delete()
    return None


def delete_closed_domain(changes, part: int, key: str) -> None:
    """Delete a domain whose contents are gone, and forget it: its name may be used again."""
    find_closed_domain(changes, key)
    delete_domains(changes, [key])
    for row in JobKeys.objects.select_for_update().filter(pk=part):
        row.keys = [name for name in row.keys if fold(name) != fold(key)]
        row.save(update_fields=["keys"])


def find_closed_domain(changes, key: str) -> Domain:
    """The domain under its lock, unless somebody has activated it since."""
    lock_domains(changes, [key])
    domain = changes.find_one(Domain, key)
    if domain.active:
        raise ValidationError(_("%(domain)s is active again."), params={"domain": key})
    return domain


def delete_contents(changes, key, name, keys):
    find_closed_domain(changes, key)
    rows = changes.find(Domain._meta.get_field(name).related_model, keys)
    delete_named(changes, keys)
    changes.delete(rows)


def delete_named(changes, keys):
    for rows in named(keys):
        changes.delete(rows)


def within(keys):
    """What hangs on the mailboxes and keys of these domains, found by address and not by joins."""
    mailbox = Domain._meta.get_field("mailbox_set").related_model
    app_passwords = mailbox._meta.get_field("app_passwords").related_model
    of_domains = Q(*(Q(mailbox__username__endswith=f"@{key}") for key in keys), _connector=Q.OR)
    yield app_passwords._base_manager.filter(of_domains)
    yield DkimSigning._base_manager.filter(dkim__domain_name__in=keys)


def named(keys):
    """Rows that hold these addresses or domains as text: TOTP exceptions and DKIM authors."""
    exceptions, signings = Q(username__in=keys), Q(author__in=keys)
    for key in keys:
        if "@" not in key:
            exceptions |= Q(username__endswith=f"@{key}")
            signings |= Q(author__endswith=f"@{key}")
    return TotpException.objects.filter(exceptions), DkimSigning._base_manager.filter(signings)


def aliases_naming(principal, names):
    """Aliases of this person's that lead to these addresses or `@domain`s and do not go too."""
    rows = Domain._meta.get_field("alias_set").related_model.objects.visible_to(principal)
    rows = rows.exclude(domain__in=[name[1:] for name in names if name.startswith("@")])
    found = {}
    for part in chunks(names, NAMES_A_QUERY):
        for alias in rows.filter(may_name(part)).order_by("pk"):
            if any(is_one_of(target, part) for target in alias.targets):
                found[alias.pk] = alias
    return [alias for key, alias in sorted(found.items()) if not is_one_of(key, names)]


# What keeps an address from standing in a list of targets as it is: quotes, comments, other forms.
DISGUISES = ('"', "\\", "(", "%", "!", " @", "@ ", " .", ". ", "\t", "\n@", "@\n")


def may_name(names: list[str]) -> Q:
    """Find the aliases that can hold one of these names; which do, their targets say."""
    texts = [*names, *DISGUISES]
    return Q(*(Q(goto__icontains=text) for text in texts), _connector=Q.OR)


def is_one_of(address, names):
    """Whether the address is named, or its whole domain is."""
    address = address.lower()
    return address in names or "@" + address.rpartition("@")[2] in names


def refuse_targets(keys):
    """As PostfixAdmin: first the alias domains that lead here, unless they go as well."""
    going = {fold(key) for key in keys}
    for part in chunks(keys):
        for mirror in AliasDomain._base_manager.filter(target_domain__in=part).order_by("pk"):
            if fold(mirror.pk) not in going:
                raise _still_a_target(mirror)


def _still_a_target(mirror):
    return ValidationError(
        _("%(target)s is the target of the alias domain %(mirror)s. Delete that one first."),
        params={"target": mirror.target_domain_id, "mirror": mirror.pk},
    )


def _refuse_vacation_domain(domains):
    if any(domain.pk == settings.MAILADMIN_VACATION_DOMAIN for domain in domains):
        raise ValidationError({"domain": _("This is the domain of the vacation responder.")})


def _refuse_broken_transport(transport: str) -> None:
    try:
        validate_domain_transport(transport)
    except ValidationError as error:
        raise ValidationError({"transport": error}) from error


# Alias domains


def create_alias_domains(changes, rows):
    ends = [row[name].pk for row in rows for name in ("alias_domain", "target_domain")]
    domains_to_write(changes, ends)
    mirrors = [AliasDomain(**row) for row in rows]
    refuse_taken(
        AliasDomain,
        [mirror.pk for mirror in mirrors],
        "alias_domain",
        _("%(key)s is an alias domain already."),
    )
    _refuse_chains(mirrors)
    changes.create(mirrors)
    for mirror in mirrors:
        changes.log("create_alias_domain", mirror.pk, mirror.pk)
    return mirrors


def edit_alias_domain(changes, key, values):
    values = {name: value for name, value in values.items() if name != "alias_domain"}
    target = values.get("target_domain")
    domains_to_write(changes, [key] + ([target.pk] if target else []))
    mirror = changes.find_one(AliasDomain, key)
    if target:
        _refuse_chains([AliasDomain(alias_domain_id=key, target_domain=target)])
    if changes.update([mirror], **values):
        changes.log("edit_alias_domain", key, key)
    return mirror


def set_alias_domains(changes, keys, field, value):
    lock_domains(changes, keys)
    for mirror in changes.update(changes.find(AliasDomain, keys), **{field: value}):
        changes.log("edit_alias_domain", mirror.pk, mirror.pk)


def delete_alias_domains(changes, keys):
    lock_domains(changes, keys)
    mirrors = changes.find(AliasDomain, keys)
    changes.delete(mirrors)
    for mirror in mirrors:
        changes.log("delete_alias_domain", mirror.alias_domain_id, mirror.alias_domain_id)


def _refuse_chains(mirrors):
    """Postfix follows no mirror of a mirror. Every alias domain counts, whoever runs it."""
    for mirror in mirrors:
        if mirror.alias_domain_id == mirror.target_domain_id:
            raise ValidationError({"target_domain": _("A domain cannot be an alias of itself.")})
    sources = [mirror.alias_domain_id for mirror in mirrors]
    targets = [mirror.target_domain_id for mirror in mirrors]
    everybody = AliasDomain._base_manager
    if everybody.filter(alias_domain__in=targets).exists() or set(targets) & set(sources):
        raise ValidationError({"target_domain": _("The target is an alias domain itself.")})
    if everybody.filter(target_domain__in=sources).exists():
        raise ValidationError({"alias_domain": _("Other alias domains lead to this domain.")})
