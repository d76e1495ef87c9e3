"""Explain who may send as an address, and by which rows."""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from mailadmin.names import fold
from mailboxes.models import Mailbox, SenderPermission
from mailboxes.postfix.explain.lookups import PERMISSION_MODEL, serialize_lookups, serialize_row
from mailboxes.postfix.explain.redaction import VisibleScope
from mailboxes.postfix.routing import (
    Lookup,
    LookupUnavailable,
    MatchedRow,
    PostfixRouter,
    build_panel_config,
    format_sender_reply,
    split_logins,
)

Data = dict[str, Any]


def explain_senders(principal: Any, address: str) -> Data:
    """Return who may send as an address or a catch-all, as the panel's own map says."""
    router = PostfixRouter(build_panel_config())
    return serialize_senders(router, address, "", VisibleScope(principal))


def serialize_senders(
    router: PostfixRouter, address: str, sender: str, scope: VisibleScope
) -> Data:
    """Return who may send as the address, and what is refused to a sender who may not."""
    data: Data = {"senders": [], "sender_reasons": [], "sender_lookups": [], "sender_trouble": ""}
    lookups: list[Lookup] = []
    try:
        owners = router.find_sender_logins(address, lookups)
    except LookupUnavailable as error:
        return data | {"sender_trouble": str(error)}
    if not all(map(scope.can_see_rows, lookups)):
        return data | {
            "sender_trouble": _("Cannot be determined: the address is outside your domains.")
        }
    data["senders"] = owners
    if router.config.is_own:
        data["senders"] = filter_visible_logins(owners, lookups, scope)
        reasons = list(iter_reasons(data["senders"], lookups))
        data["sender_reasons"] = add_permission_numbers(reasons, scope)
    data["sender_lookups"] = serialize_lookups(lookups, scope)
    if sender:
        data["sender"] = check_sender(owners, sender.strip().lower(), address, scope, lookups)
    return data


def filter_visible_logins(
    owners: list[str], lookups: list[Lookup], scope: VisibleScope
) -> list[str]:
    """Return those who can sign in; an alias may have foreign targets too.

    Who may send by a sender permission is shown: admins of the address see its permissions.
    """
    visible = Mailbox.objects.visible_to(scope.principal).filter(active=True)
    names = {owner.lower() for owner in owners}
    found = set(visible.filter(pk__in=names).values_list("pk", flat=True))
    permitted = {row.answer for row in iter_answering_rows(lookups, PERMISSION_MODEL)}
    folded = {fold(login) for login in found}
    return sorted(found | {login for login in permitted if fold(login) not in folded})


def iter_answering_rows(lookups: list[Lookup], model: str = "") -> Iterator[MatchedRow]:
    """Yield the rows of the lookup that answered."""
    rows = (row for lookup in lookups if lookup.value is not None for row in lookup.rows)
    return (row for row in rows if not model or row.model == model)


def iter_reasons(logins: list[str], lookups: list[Lookup]) -> Iterator[Data]:
    """Yield each login with each row by which it may send, once."""
    shown = {fold(login) for login in logins}
    found: dict[tuple[str, str, str], Data] = {}
    for row in iter_answering_rows(lookups):
        for login in split_logins(row.answer):
            if fold(login) in shown:
                found[fold(login), row.model, row.key] = build_reason(login, row)
    yield from (found[key] for key in sorted(found))


def add_permission_numbers(reasons: list[Data], scope: VisibleScope) -> list[Data]:
    """Add to reasons that are sender permissions the numbers by which they are edited."""
    rows = [each["row"] for each in reasons if each["row"]["table"] == PERMISSION_MODEL]
    if not rows:
        return reasons
    found = SenderPermission.objects.visible_to(scope.principal)
    found = found.filter(address__in={row["key"] for row in rows})
    numbers = {(fold(each.address), fold(each.mailbox_id)): each.pk for each in found}
    for row in rows:
        row["id"] = numbers.get((fold(row["key"]), fold(row["mailbox"])))
    return reasons


def build_reason(login: str, row: MatchedRow) -> Data:
    return {"login": login.lower(), "reason": format_reason(row), "row": serialize_row(row)}


def format_reason(row: MatchedRow) -> str:
    """Return in words by which row a login may send."""
    is_of_domain = row.key.startswith("@")
    match row.model:
        case "mailbox":
            text = _("own mailbox")
        case "alias":
            text = _("catch-all %(key)s") if is_of_domain else _("alias %(key)s")
        case _model if is_of_domain:
            text = _("sender permission for all addresses of %(domain)s")
        case _model:
            text = _("sender permission for %(key)s")
    return text % {"key": row.key, "domain": row.key.removeprefix("@")}


def check_sender(
    owners: list[str], login: str, address: str, scope: VisibleScope, lookups: list[Lookup]
) -> Data:
    """Return Postfix's refusal, or why the login cannot sign in to send; and by which rows."""
    reply = format_sender_reply(login, address, owners)
    mailbox = Mailbox.objects.filter(pk=login).first() if scope.can_see(login) else None
    reasons = list(iter_inactive_permissions(login, lookups))
    if not reply:
        reasons = [each["reason"] for each in iter_reasons([login], lookups)]
        if mailbox and not (mailbox.active and mailbox.smtp_active):
            reply = _("%(login)s may not sign in to send mail.") % {"login": login}
    return {"login": login, "may": not reply, "reply": reply, "reasons": reasons}


def iter_inactive_permissions(login: str, lookups: list[Lookup]) -> Iterator[str]:
    """Yield why the permissions of a login do not count."""
    for row in (row for lookup in lookups for row in lookup.inactive):
        if row.model == PERMISSION_MODEL and fold(row.answer) == fold(login):
            yield f"{format_reason(row)}: {row.reason}"
