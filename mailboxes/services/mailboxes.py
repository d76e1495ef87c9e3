"""How mailboxes, aliases and vacations change, with the rows kept beside them."""

import copy
import datetime
from collections import defaultdict

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from domains.models import Domain, is_default_alias
from domains.services.domains import delete_named
from domains.services.locks import domains_to_write, keep_lone, lock_domains, tally
from mailadmin.accounts.models import Role
from mailadmin.accounts.sessions import end_sessions
from mailadmin.db.bulk import chunks
from mailadmin.db.fields import join_goto, split_goto
from mailadmin.jobs.runner import add_job
from mailadmin.names import fold
from mailboxes.dashboard import cache
from mailboxes.models import (
    Alias,
    Mailbox,
    Vacation,
    VacationNotification,
    is_vacation_target,
    vacation_target,
)
from mailboxes.services.limits import (
    assigned,
    check_count,
    check_quotas,
    in_bytes,
    needs_more,
    refuse_unfit,
)
from mailboxes.services.loops import refuse_loops

PASSWORD_DAYS = 365  # PostfixAdmin's own, where the domain sets no expiry


# Mailboxes


def create_mailboxes(changes, rows):
    """Make mailboxes, each with the alias that leads to itself. Quotas are MB, passwords hashes."""
    domains = domains_to_write(changes, [row["domain"].pk for row in rows])
    _refuse_given_paths(changes, rows)
    mailboxes = [_new_mailbox(changes, row, domains[row["domain"].pk]) for row in rows]
    _refuse_extensions(mailboxes)
    _refuse_taken_addresses([mailbox.pk for mailbox in mailboxes])
    for domain, new in _by_domain(mailboxes, domains):
        check_count(domain, "mailboxes", Mailbox.objects.filter(domain=domain), len(new))
        check_quotas(domain, new)
    for mailbox in mailboxes:
        mailbox.clean_fields(exclude=["password"])
    changes.create(mailboxes)
    changes.create(
        Alias(address=m.pk, goto=m.pk, domain_id=m.domain_id, active=m.active) for m in mailboxes
    )
    for domain, new in _by_domain(mailboxes, domains):
        tally(domain.pk, mailboxes=len(new), quota_assigned=assigned(new))
    for mailbox, row in zip(mailboxes, rows, strict=True):
        changes.log("create_mailbox", mailbox.domain_id, mailbox.pk)
        if row.get("welcome_mail"):
            title = _("Welcome mail to %(row)s") % {"row": mailbox}
            add_job(changes, "welcome", title, {"to": mailbox.pk}, 1)
    cache.note_lost([], {mailbox.domain_id for mailbox in mailboxes})
    return mailboxes


def _new_mailbox(changes, row, domain):
    own = {k: v for k, v in row.items() if k not in ("welcome_mail", "quota", "domain")}
    own = {"password_expiry": expiry(changes, domain)} | own
    mailbox = Mailbox(**own, domain=domain, quota=in_bytes(row.get("quota", 0)))
    mailbox.derive()
    return mailbox


def _refuse_given_paths(changes, rows):
    """Where mail lies is the superadmins' to say: a path could lead to somebody else's."""
    if changes.principal.role is Role.SUPERADMIN:
        return
    if any("maildir" in row for row in rows):
        raise ValidationError(_("Only a superadmin can say where the mail lies."))


def _refuse_extensions(mailboxes):
    """Dovecot takes what follows the sign off and looks for the mailbox without it."""
    delimiters = settings.MAILADMIN_RECIPIENT_DELIMITER
    for mailbox in mailboxes:
        if signs := [sign for sign in mailbox.local_part if sign in delimiters]:
            text = _("What follows %(sign)s is an extension: no mail would reach this mailbox.")
            raise ValidationError({"local_part": text % {"sign": signs[0]}})


def edit_mailbox(changes, key, values):
    """Change a mailbox. Its alias is in force exactly as long as it is."""
    mailbox, domain = _mailbox_to_write(changes, key)
    _refuse_given_paths(changes, [values])
    values = dict(values)
    if "quota" in values:
        values["quota"] = in_bytes(values["quota"])
    if "password" in values:
        values = {"password_expiry": expiry(changes, domain)} | values
    before, edited = assigned([mailbox]), edited_copy(mailbox, values)
    if domain and needs_more(mailbox, edited):
        check_quotas(domain, [edited])
    changed = changes.update([mailbox], **values)
    tally(mailbox.domain_id, quota_assigned=assigned([mailbox]) - before)
    if values.get("active") is False:
        end_sessions(changed)
    if _alias_follows(changes, [mailbox]) or changed:
        changes.log("edit_mailbox", mailbox.domain_id, mailbox.pk)
        cache.note_lost([], [mailbox.domain_id])
    return mailbox


def edited_copy(row, values):
    """The row as it would be: what is refused must not be written first where tables are MyISAM."""
    edited = copy.copy(row)
    for name, value in values.items():
        setattr(edited, name, value)
    return edited


def set_mailboxes(changes, keys, field, value):
    """Switch a mark of mailboxes; their aliases follow."""
    lock_domains(changes, domains_of(Mailbox, keys))
    mailboxes = changes.find(Mailbox, keys)
    changed = changes.update(mailboxes, **{field: value})
    if field == "active":
        _alias_follows(changes, mailboxes)
        cache.note_lost([], {mailbox.domain_id for mailbox in changed})
    if field == "active" and not value:
        end_sessions(changed)
    for mailbox in changed:
        changes.log("edit_mailbox", mailbox.domain_id, mailbox.pk)


def delete_mailboxes(changes, keys):
    """Delete mailboxes with all that is theirs. Their mail on the disk is not the panel's."""
    lock_domains(changes, domains_of(Mailbox, keys))
    mailboxes = changes.find(Mailbox, keys)
    changes.delete(Alias.objects.filter(pk__in=keys))
    delete_named(changes, keys)
    end_sessions(mailboxes)
    changes.delete(mailboxes)
    for domain, gone in _by_domain(mailboxes):
        tally(domain, mailboxes=-len(gone), quota_assigned=-assigned(gone))
    cache.note_lost([], {mailbox.domain_id for mailbox in mailboxes})
    for mailbox in mailboxes:
        changes.log("delete_mailbox", mailbox.domain_id, mailbox.pk)


def set_password(changes, model, key, stored):
    """Give somebody a new password, as a hash."""
    person = changes.find_one(model, key)
    values = {"password": stored}
    if model is Mailbox:
        values["password_expiry"] = expiry(
            changes, Domain.objects.filter(pk=person.domain_id).first()
        )
    changes.update([person], **values)
    changes.log("edit_password", getattr(person, "domain_id", ""), key)
    return person


def expiry(changes, domain):
    """When a password set now ends."""
    days = (domain.password_expiry if domain else 0) or PASSWORD_DAYS
    return changes.at + datetime.timedelta(days=days)


def _mailbox_to_write(changes, key):
    lock_domains(changes, domains_of(Mailbox, [key]))
    mailbox = changes.find_one(Mailbox, key)
    return mailbox, Domain.objects.filter(pk=mailbox.domain_id).first()


def _alias_follows(changes, mailboxes):
    """alias.active = mailbox.active: the maps of the mail server read the alias."""
    own = Alias.objects.filter(pk__in=[mailbox.pk for mailbox in mailboxes])
    aliases = {fold(alias.pk): alias for alias in own}
    followed = []
    for active in (True, False):
        keys = [fold(mailbox.pk) for mailbox in mailboxes if mailbox.active is active]
        rows = [aliases[key] for key in keys if key in aliases]
        followed += changes.update(rows, active=active)
    return followed


def domains_of(model, keys):
    """The domains in which these rows are."""
    names = set()
    for part in chunks(keys):
        names |= set(model.objects.filter(pk__in=part).values_list("domain_id", flat=True))
    return names


def _by_domain(rows, domains=None):
    groups = defaultdict(list)
    for row in rows:
        groups[row.domain_id].append(row)
    found = {fold(domain.pk): domain for domain in (domains or {}).values()}
    return [(found.get(fold(name), name), group) for name, group in groups.items()]


# Aliases


def create_aliases(changes, rows):
    """Make aliases. `*` before the @ is everything that nobody else has."""
    domains = domains_to_write(changes, [row["domain"].pk for row in rows])
    aliases = [_new_alias(row) for row in rows]
    _refuse_taken_addresses([alias.pk for alias in aliases])
    for domain, new in _by_domain(aliases, domains):
        check_count(domain, "aliases", own_aliases(domain), len(new))
    for alias in aliases:
        _refuse_protected(changes, [alias])
        _refuse_system_users(changes, alias)
        _check_targets(alias)
    refuse_loops(changes, aliases)
    changes.create(aliases)
    keep_lone(aliases)
    for domain, new in _by_domain(aliases, domains):
        tally(domain.pk, aliases=len(new))
    cache.note_lost(aliases)
    for alias in aliases:
        changes.log("create_alias", alias.domain_id, alias.pk)
    return aliases


def own_aliases(domain):
    """The aliases of a domain that do not belong to a mailbox."""
    return Alias.objects.filter(domain=domain).without_mailbox()


def _new_alias(row):
    local_part = "" if row["local_part"] == "*" else row["local_part"].lower()
    own = {k: v for k, v in row.items() if k not in ("local_part", "goto", "goto_mailbox")}
    _refuse_answers(row.get("goto", []))
    alias = Alias(
        address=f"{local_part}@{row['domain'].pk}", goto=join_goto(row.get("goto", [])), **own
    )
    alias.clean_fields(exclude=["goto"])
    return alias


def edit_alias(changes, key, values):
    """Change an alias; the vacation's own target stays where it is, whatever is typed."""
    lock_domains(changes, domains_of(Alias, [key]))
    alias = changes.find_one(Alias, key)
    _refuse_protected(changes, [alias])
    has_mailbox = Mailbox.objects.filter(pk=key).exists()
    _refuse_mailbox_alias(changes, has_mailbox)
    own = {k: v for k, v in values.items() if k not in ("goto", "goto_mailbox", "only_answers")}
    if has_mailbox:
        own.pop("active", None)
    if "goto" in values:
        _refuse_answers(values["goto"])
        keep = values.get("goto_mailbox", True) if has_mailbox else alias.keeps_copy
        own["goto"] = _goto(alias, values["goto"], keep)
    edited = edited_copy(alias, own)
    if edited.goto != alias.goto:
        _refuse_system_users(changes, edited, alias)
        _check_targets(edited, has_mailbox or alias.keeps_copy, values.get("only_answers", False))
    if edited.goto != alias.goto or edited.active != alias.active:
        refuse_loops(changes, [edited])
    leads_elsewhere = edited.goto != alias.goto or edited.active != alias.active
    if changes.update([alias], **own):
        changes.log("edit_alias", alias.domain_id, alias.pk)
    if leads_elsewhere:
        changes.at_end(cache.note_lost, [alias])
    return alias


def _goto(alias, targets, keep_copy):
    """PostfixAdmin's order: other targets, the vacation's, the own address."""
    others = [t for t in targets if t.lower() != fold(alias.pk) or alias.is_catch_all]
    vacation = [t for t in split_goto(alias.goto) if is_vacation_target(t)]
    return join_goto(others + vacation + ([alias.pk] if keep_copy else []))


def set_aliases(changes, keys, field, value):
    lock_domains(changes, domains_of(Alias, keys))
    aliases = changes.find(Alias, keys)
    _refuse_protected(changes, aliases)
    _refuse_with_mailbox(keys, _("%(key)s belongs to a mailbox: switch the mailbox."))
    refuse_loops(changes, [edited_copy(alias, {field: value}) for alias in aliases])
    for alias in changes.update(aliases, **{field: value}):
        changes.log("edit_alias", alias.domain_id, alias.pk)
    cache.note_lost(aliases)


def delete_aliases(changes, keys):
    lock_domains(changes, domains_of(Alias, keys))
    aliases = changes.find(Alias, keys)
    _refuse_protected(changes, aliases)
    _refuse_with_mailbox(keys, _("%(key)s belongs to a mailbox and goes with it."))
    changes.delete(aliases)
    cache.note_lost(aliases)
    for domain, gone in _by_domain(aliases):
        tally(domain, aliases=-len(gone))
    for alias in aliases:
        changes.log("delete_alias", alias.domain_id, alias.pk)


def _refuse_protected(changes, aliases):
    """abuse, postmaster and so on are the superadmins', unless the operator lends them."""
    if changes.principal.role == Role.SUPERADMIN or settings.MAILADMIN_SPECIAL_ALIAS_CONTROL:
        return
    if changes.principal.role == Role.MAILBOX:
        return
    for alias in aliases:
        if is_default_alias(alias.local_part):
            raise ValidationError(
                _("%(key)s is protected: only a superadmin can change it."),
                params={"key": alias.pk},
            )


def _refuse_mailbox_alias(changes, has_mailbox):
    closed = not settings.MAILADMIN_ALIAS_CONTROL_ADMIN
    if has_mailbox and closed and changes.principal.role == Role.ADMIN:
        raise ValidationError(_("The forwarding of mailboxes is the superadmins' matter here."))


def _refuse_with_mailbox(keys, text):
    if key := Mailbox.objects.filter(pk__in=keys).values_list("pk", flat=True).first():
        raise ValidationError(text, params={"key": key})


def _refuse_taken_addresses(keys):
    if len(set(keys)) < len(keys):
        raise ValidationError({"local_part": _("The same address stands there twice.")})
    for part in chunks(keys):
        for model in (Mailbox, Alias):
            if taken := model.objects.filter(pk__in=part).values_list("pk", flat=True).first():
                text = _("The address %(key)s exists already.") % {"key": taken}
                raise ValidationError({"local_part": ValidationError(text, code="taken")})


def _refuse_answers(targets):
    """Whose vacation answers is set on its page alone, and by those who may."""
    for target in filter(is_vacation_target, targets):
        text = _("%(value)s is set on the vacation page.")
        raise ValidationError({"goto": text % {"value": target}})


def is_system_user(target: str) -> bool:
    """Whether a target is a user of the mail server's own system, by a name that every one has."""
    _name, at, host = target.lower().rpartition("@")
    return not at or host in ("localhost", "localhost.localdomain") or host.startswith("[")


def _refuse_system_users(changes, alias: Alias, before: Alias | None = None) -> None:
    """Users of the mail server's own system, such as root, are the operator's to read."""
    role = changes.principal.role
    if role == Role.SUPERADMIN:
        return
    if role == Role.ADMIN and settings.MAILADMIN_SYSTEM_USERS == "admins":
        return
    known = before.targets if before else []
    for target in alias.targets:
        if is_system_user(target) and target not in known:
            text = _("Only superadmins can forward to “%(value)s”, a user of the mail server.")
            raise ValidationError({"goto": text % {"value": target}})


def _check_targets(alias, has_mailbox=False, may_only_answer=False):
    """What one alias may name."""
    refuse_unfit(alias, "goto")
    targets = alias.targets
    if not targets and not (may_only_answer and alias.is_answered_only):
        _refuse_no_targets(has_mailbox)
    if not has_mailbox and fold(alias.pk) in [target.lower() for target in targets]:
        raise ValidationError({"goto": _("An alias cannot lead to itself.")})
    if not alias.is_catch_all and any(target.startswith("@") for target in targets):
        raise ValidationError({"goto": _("Only a catch-all can lead to a whole domain.")})
    if len(targets) > 1 and any(target.startswith("@") for target in targets):
        # Postfix takes what stands beside it for a part of the address.
        raise ValidationError({"goto": _("A whole domain has to be the only target.")})


def _refuse_no_targets(has_mailbox: bool) -> None:
    """Refuse an alias whose mail would be kept nowhere; an auto-reply keeps none."""
    if has_mailbox:
        text = _("Without a copy in the mailbox, mail must go somewhere else.")
    else:
        text = _("An alias needs at least one target.")
    raise ValidationError({"goto": text})


# Forwarding and vacation of a mailbox


def set_forwarding(changes, key, targets, keep_copy, only_answers: bool = False):
    """Set where mail of a mailbox goes besides, and whether a copy is kept.

    `only_answers` asks for mail that gets an auto-reply and is kept nowhere; otherwise that is
    refused.
    """
    mailbox, _domain = _mailbox_to_write(changes, key)
    _own_alias(changes, mailbox)
    values = {"goto": targets, "goto_mailbox": keep_copy, "only_answers": only_answers}
    return edit_alias(changes, key, values)


def set_vacation(changes, key, values):
    """Write, change or end a vacation; everybody is told anew."""
    mailbox, _domain = _mailbox_to_write(changes, key)
    vacation = Vacation.objects.filter(pk=key).first()
    if vacation is None:
        vacation = Vacation(mailbox=mailbox, domain_id=mailbox.domain_id, **values)
        changes.create([vacation])
    else:
        changes.update(changes.find(Vacation, [key]), **values)
    VacationNotification.objects.filter(vacation=key).delete()
    _vacation_in_goto(changes, mailbox, values["active"])
    changes.log("edit_vacation", mailbox.domain_id, mailbox.pk)
    return vacation


def end_vacation(changes, key):
    """Take a vacation away altogether."""
    mailbox, _domain = _mailbox_to_write(changes, key)
    changes.delete(changes.find(Vacation, [key]))
    _vacation_in_goto(changes, mailbox, False)
    changes.log("edit_vacation", mailbox.domain_id, mailbox.pk)


def _own_alias(changes, mailbox):
    """The alias of a mailbox, made where others forgot it."""
    alias = Alias.objects.filter(pk=mailbox.pk).first()
    if alias is None:
        alias = Alias(
            address=mailbox.pk, goto=mailbox.pk, domain_id=mailbox.domain_id, active=mailbox.active
        )
        changes.create([alias])
    return alias


def _vacation_in_goto(changes, mailbox, active):
    """Add the auto-reply's target, or take it out; mail that was kept is kept."""
    alias = _own_alias(changes, mailbox)
    own = [target for target in alias.targets if target.lower() == fold(mailbox.pk)]
    answer = [vacation_target(mailbox.pk)] if active else []
    if not alias.targets and not (active and alias.is_answered_only):
        own = [mailbox.pk]
    goto = join_goto(alias.others + answer + own)
    refuse_unfit(edited_copy(alias, {"goto": goto}), "goto")
    changes.update([alias], goto=goto)
