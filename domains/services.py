"""How domains, alias domains and admins change; and the lock that all writes take first."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import F, Q, Sum
from django.utils.translation import gettext_lazy as _

from domains.models import (
    ALL,
    Admin,
    AliasDomain,
    DkimSigning,
    Domain,
    DomainAdmin,
    DomainState,
    TotpException,
)
from mailadmin.jobs import ROWS_A_STEP, add_job
from mailadmin.rows import chunks, folded

CONTENTS = ("mailbox_set", "alias_set")
LARGE = 500  # mailboxes that one transaction takes down in well under a second
NAMES_A_QUERY = 50


# The lock


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


# Domains


def create_domains(changes, rows):
    """Make domains with their default aliases."""
    names = [row["domain"] for row in rows]
    lock_domains(changes, names)
    _refuse_taken(Domain, names, "domain", _("The domain %(key)s exists already."))
    domains = [
        Domain(**{name: value for name, value in row.items() if name != "default_aliases"})
        for row in rows
    ]
    _refuse_vacation_domain(domains)
    changes.delete(DomainAdmin._base_manager.filter(domain__in=names))  # a former customer's
    changes.create(domains)
    DomainState.objects.filter(pk__in=names).update(
        mailboxes=0, aliases=0, quota_assigned=0, quota_used=0
    )
    for domain, row in zip(domains, rows, strict=True):
        if row.get("default_aliases", True):
            create_default_aliases(changes, domain)
        changes.log("create_domain", domain.pk, domain.pk)
    return domains[0]


def create_default_aliases(changes, domain):
    """abuse, postmaster and so on, as configured; as in PostfixAdmin no limit stops them."""
    alias_model = Domain._meta.get_field("alias_set").related_model
    aliases = [
        alias_model(address=f"{name}@{domain.pk}", goto=target, domain=domain)
        for name, target in default_alias_targets(changes.principal, domain.pk)
    ]
    taken = set(
        alias_model.objects.filter(pk__in=[a.pk for a in aliases]).values_list("pk", flat=True)
    )
    aliases = [alias for alias in aliases if alias.pk not in taken and alias.goto != alias.pk]
    changes.create(aliases)
    tally(domain.pk, aliases=len(aliases))


def default_alias_targets(principal, domain):
    """(name, target) of the default aliases; without a target, who makes the domain gets mail."""
    own = principal.username if has_mail_address(principal) else None
    for name, target in settings.MAILADMIN_DEFAULT_ALIASES:
        target = target or own
        if target:
            yield name, target if "@" in target else f"{target}@{domain}"


def has_mail_address(principal):
    """admin@localhost can sign in, but nobody can write to it."""
    return "." in (principal.username or "").rpartition("@")[2]


def edit_domain(changes, key, values):
    lock_domains(changes, [key])
    domain = changes.find_one(Domain, key)
    if changes.update([domain], **values):
        changes.log("edit_domain", key, key)
    return domain


def set_domains(changes, keys, field, value):
    """Switch a mark of domains."""
    lock_domains(changes, keys)
    for domain in changes.update(changes.find(Domain, keys), **{field: value}):
        changes.log("edit_domain", domain.pk, domain.pk)


def delete_domains(changes, keys):
    """Delete domains with all that is in them, and what names them by text. The log stays."""
    lock_domains(changes, keys)
    domains = changes.find(Domain, keys)
    _refuse_targets(keys)
    delete_named(changes, keys)
    changes.delete(domains)
    for key in keys:
        changes.log("delete_domain", key, key)


def is_large(keys):
    """More than what one transaction should take down."""
    return any(
        Domain._meta.get_field(name).related_model.objects.filter(domain__in=keys).count() > limit
        for name, limit in (("mailbox_set", LARGE), ("alias_set", 2 * LARGE))
    )


def close_domains(changes, keys):
    """Put large domains out of force and write down the job that takes them apart."""
    _refuse_targets(keys)
    set_domains(changes, keys, "active", False)
    total = sum(
        Domain._meta.get_field(name).related_model.objects.filter(domain__in=keys).count()
        for name in CONTENTS
    )
    title = _("Delete %(domains)s") % {"domains": ", ".join(keys)}
    return add_job(changes, "delete-domains", title, {"domains": keys}, total)


def next_deletion(job):
    """The next step of taking domains apart: mailboxes, then aliases, then the rest."""
    domain = Domain.objects.filter(pk__in=job.arguments["domains"]).order_by("pk").first()
    if domain is None:
        return None
    for name in CONTENTS:
        rows = getattr(domain, name).order_by("pk").values_list("pk", flat=True)[:ROWS_A_STEP]
        if keys := list(rows):
            return delete_contents, (domain.pk, name, keys), len(keys)
    return delete_domains, ([domain.pk],), 0


def delete_contents(changes, key, name, keys):
    lock_domains(changes, [key])
    changes.find_one(Domain, key)
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
    found = {}
    for part in chunks(names, NAMES_A_QUERY):
        named_here = Q(*(Q(goto__icontains=name) for name in part), _connector=Q.OR)
        for alias in rows.filter(named_here).order_by("pk"):
            if any(is_one_of(target, part) for target in alias.targets):
                found[alias.pk] = alias
    return [alias for key, alias in sorted(found.items()) if not is_one_of(key, names)]


def is_one_of(address, names):
    """Whether the address is named, or its whole domain is."""
    address = address.lower()
    return address in names or "@" + address.rpartition("@")[2] in names


def _refuse_targets(keys):
    """As PostfixAdmin: first the alias domains that lead here, unless they go as well."""
    mirrors = AliasDomain._base_manager.filter(target_domain__in=keys).exclude(
        alias_domain__in=keys
    )
    if mirror := mirrors.first():
        raise ValidationError(
            _("%(target)s is the target of the alias domain %(mirror)s. Delete that one first."),
            params={"target": mirror.target_domain_id, "mirror": mirror.pk},
        )


def _refuse_vacation_domain(domains):
    if any(domain.pk == settings.MAILADMIN_VACATION_DOMAIN for domain in domains):
        raise ValidationError({"domain": _("This is the domain of the vacation responder.")})


def _refuse_taken(model, keys, field, text):
    for part in chunks(keys):
        if taken := model._default_manager.filter(pk__in=part).values_list("pk", flat=True).first():
            raise ValidationError({field: text % {"key": taken}})


# Alias domains


def create_alias_domains(changes, rows):
    ends = [row[name].pk for row in rows for name in ("alias_domain", "target_domain")]
    domains_to_write(changes, ends)
    mirrors = [AliasDomain(**row) for row in rows]
    _refuse_taken(
        AliasDomain,
        [mirror.pk for mirror in mirrors],
        "alias_domain",
        _("%(key)s is an alias domain already."),
    )
    _refuse_chains(mirrors)
    changes.create(mirrors)
    for mirror in mirrors:
        changes.log("create_alias_domain", mirror.pk, mirror.pk)
    return mirrors[0]


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


# Admins


def create_admins(changes, rows):
    """Make admins with their domains; passwords come as hashes."""
    lock_domains(changes, [ALL, *(name for row in rows for name in row.get("domains", []))])
    admins = [
        Admin(**{name: value for name, value in row.items() if name != "domains"}) for row in rows
    ]
    _refuse_taken(
        Admin, [a.pk for a in admins], "username", _("There is an admin %(key)s already.")
    )
    changes.create(admins)
    for admin, row in zip(admins, rows, strict=True):
        _assign(changes, admin, row.get("domains", []))
        _mark(changes, admin)
        changes.log("create_admin", "", admin.pk)
    return admins[0]


def edit_admin(changes, key, values):
    """Change an admin. Nobody takes his own rights, and the last superadmin keeps his."""
    lock_domains(changes, [ALL, *values.get("domains", [])])
    admin = changes.find_one(Admin, key)
    own = {name: value for name, value in values.items() if name != "domains"}
    _refuse_losing(changes, [admin], own)
    changed = changes.update([admin], **own)
    assigned = "domains" in values and _assign(changes, admin, values["domains"])
    if changed + _mark(changes, admin) or assigned:
        changes.log("edit_admin", "", key)
    return admin


def set_admins(changes, keys, field, value):
    lock_domains(changes, [ALL])
    admins = changes.find(Admin, keys)
    _refuse_losing(changes, admins, {field: value})
    for admin in changes.update(admins, **{field: value}):
        _mark(changes, admin)
        changes.log("edit_admin", "", admin.pk)


def delete_admins(changes, keys):
    lock_domains(changes, [ALL])
    admins = changes.find(Admin, keys)
    _refuse_losing(changes, admins, {"active": False})
    changes.delete(TotpException.objects.filter(username__in=keys))
    changes.delete(admins)
    for admin in admins:
        changes.log("delete_admin", "", admin.pk)


def _refuse_losing(changes, admins, values):
    losing = values.get("active") is False or values.get("superadmin") is False
    if not losing:
        return
    loses_mark = [a for a in admins if a.superadmin or values.get("active") is False]
    if changes.principal in loses_mark:
        raise ValidationError(_("Nobody can delete, deactivate or demote himself."))
    if not any(admin.superadmin and admin.active for admin in admins):
        return
    others = Admin.objects.filter(superadmin=True, active=True).exclude(
        pk__in=[a.pk for a in admins]
    )
    if not others.exists():
        raise ValidationError(_("The last active superadmin stays."))


def _assign(changes, admin, names):
    """Give an admin exactly these domains; names that he has already are not asked about."""
    wanted = {folded(name) for name in names} - {folded(ALL)}
    rows = list(DomainAdmin.objects.filter(admin=admin))
    kept = {folded(row.domain_id) for row in rows if row.active} & wanted
    found = {folded(d.pk): d for d in Domain.objects.filter(pk__in=wanted - kept)}
    if unknown := sorted(wanted - kept - set(found)):
        raise ValidationError(
            {"domains": _("The domain %(name)s does not exist.") % {"name": unknown[0]}}
        )
    surplus = _surplus(rows, wanted)
    changes.delete(surplus)
    changes.create(DomainAdmin(admin=admin, domain=found[name]) for name in sorted(found))
    return bool(surplus or found)


def _surplus(rows, wanted):
    """Rows not wanted, switched off, or there twice."""
    seen, surplus = set(), []
    for row in rows:
        name = folded(row.domain_id)
        if name not in wanted or not row.active or name in seen:
            surplus.append(row)
        else:
            seen.add(name)
    return surplus


def _mark(changes, admin):
    """A superadmin has PostfixAdmin's mark `ALL` in force, once, and nobody else has it."""
    rows = list(DomainAdmin._base_manager.filter(admin=admin, domain=ALL))
    good = [row for row in rows if row.active][:1] if admin.superadmin else []
    wrong = [row for row in rows if row not in good]
    new = [DomainAdmin(admin=admin, domain_id=ALL)] if admin.superadmin and not good else []
    changes.delete(wrong)
    changes.create(new)
    return wrong + new
