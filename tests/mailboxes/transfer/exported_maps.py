"""Exported map files, and the answers of their lookups."""

import subprocess

from django.core.management import call_command

from domains.models import Domain
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.models import Alias, Mailbox, SenderPermission, Vacation, vacation_target
from mailboxes.models.goto import split_goto
from mailboxes.postfix.maps import build_postfix_maps
from mailboxes.postfix.routing import build_panel_config
from tests import programs, servers
from tests.mailboxes.transfer.exported import build_database

ACCESS, SENDERS = "smtpd_recipient_restrictions", "smtpd_sender_login_maps"


def export(folder, *arguments):
    call_command("export", "--to", "hashfiles", "--output", str(folder), *arguments)
    return folder


def compiled(folder):
    """Compile every map with postmap and assert that it warns about nothing."""
    script, environ = ["sh", folder / "postmap.sh"], {"PATH": programs.path()}
    said = subprocess.run(script, check=True, env=environ, capture_output=True, text=True)
    assert said.stderr == ""
    return folder


def tables_of(folder):
    """parameter → the maps of main.cf, in order; `check_recipient_access` has its own."""
    postfix = PostfixFiles(folder)
    found = {}
    for parameter in {query.parameter for query in build_postfix_maps()} - {""}:
        words = [word for word in postfix.words(parameter) if word.startswith(("hash:", "inline:"))]
        found[parameter] = [word for word in words if "access/logins" not in word]
    return found


def lookup_keys():
    """Return every key of any row, in every domain, and some unknown ones."""
    domains = list(Domain.objects.values_list("pk", flat=True))
    addresses = [
        *Mailbox.objects.values_list("pk", flat=True),
        *Alias.objects.values_list("pk", flat=True),
        *SenderPermission.objects.values_list("address", flat=True),
    ]
    local_parts = {address.rpartition("@")[0] for address in addresses} | {"nobody"}
    keys = [f"{local_part}@{domain}" for local_part in local_parts for domain in domains]
    keys += domains + [f".{domain}" for domain in domains]
    return [*keys, "*", "far.test", "sub.far.test", "autoreply.localhost", "x@far.test"]


def look_up_with_postmap(folder, table, keys):
    """Return key → result, by one call of `postmap -q -`."""
    said = subprocess.run(
        [servers.command("postmap"), "-c", folder, "-q", "-", table],
        input="".join(f"{key}\n" for key in keys),
        capture_output=True,
        text=True,
    )
    assert not said.stderr, said.stderr
    return dict(line.split("\t", 1) for line in said.stdout.splitlines())


def answers_of_files(folder, keys):
    """(parameter, key) → the first answer; of restrictions, one for each table."""
    found = {}
    for parameter, tables in tables_of(folder).items():
        for number, table in enumerate(tables):
            place = (parameter, number) if parameter == ACCESS else (parameter, 0)
            for key, answer in look_up_with_postmap(folder, table, keys).items():
                found.setdefault((*place, key), split_goto(answer))
    return found


def answers_of_panel(keys):
    found, setup = {}, build_panel_config()
    for parameter in {query.parameter for query in build_postfix_maps()} - {""}:
        for number, table in enumerate(getattr(setup, parameter)):
            place = (parameter, number) if parameter == ACCESS else (parameter, 0)
            for key in keys:
                answer = table.look_up(key).value if table.accepts_key(key) else None
                if answer is not None:
                    found.setdefault((*place, key), split_goto(answer))
    return found


def with_domain_answers(found, keys):
    """Answer a sender by `@domain` where the whole address has no answer, as Postfix does."""
    senders = {key: sorted(found[key]) for key in found if key[0] == SENDERS}
    at_domain = {key: (SENDERS, 0, f"@{key.rpartition('@')[2]}") for key in keys if "@" in key}
    filled = {(SENDERS, 0, key): senders[at] for key, at in at_domain.items() if at in senders}
    return found | filled | senders


def assert_same_answers(folder):
    (folder / "main.cf").touch()
    keys = lookup_keys()
    answers = answers_of_files(folder, keys), answers_of_panel(keys)
    theirs, ours = (with_domain_answers(found, keys) for found in answers)
    assert ours
    different = {
        key: (theirs.get(key), ours.get(key))
        for key in {*theirs, *ours}
        if theirs.get(key) != ours.get(key)
    }
    assert different == {}
    return ours


def plain_world():
    """Rows that map files can express: all active, no alias domains, no vacations."""
    build_database(3, mirrors=False)
    for model in (Domain, Mailbox, Alias):
        model.objects.update(active=True)
    Domain.objects.update(backupmx=False, transport="virtual", password_expiry=0)
    Mailbox.objects.update(quota=5000)
    for alias in Alias.objects.all():
        if vacation_target(alias.pk) in split_goto(alias.goto):
            alias.goto = alias.pk
            Alias.objects.filter(pk=alias.pk).update(goto=alias.pk)
    Vacation.objects.all().delete()
    SenderPermission.objects.all().delete()
