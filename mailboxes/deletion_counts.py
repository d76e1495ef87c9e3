"""How many rows are deleted with domains, as the confirmation of a deletion shows it."""

from collections import Counter
from collections.abc import Callable, Sequence

from django.db.models import QuerySet
from django.utils.text import capfirst

from mailadmin.names import fold
from mailadmin.tables.cascade import count_by_table
from mailboxes.models import Alias, AppPassword, Mailbox
from mailboxes.services.contents import get_contents
from mailboxes.services.limits import find_trusted_tallies

TALLIES = ((Mailbox, "mailboxes"), (Alias, "aliases"))


def count_with_contents(
    get_others: Callable[[Sequence[str]], list[QuerySet]], domains: Sequence[str]
) -> list[tuple[str, int]]:
    """Return (name of the table, rows): what is in the domains, and their other rows.

    Mailboxes and aliases of large domains are not counted: their tallies are taken. Nor are app
    passwords of large domains, whose table names no domain.
    """
    tallies = find_trusted_tallies(domains)
    large = {fold(state.pk) for state in tallies}

    def get_querysets(part: Sequence[str]) -> list[QuerySet]:
        counted = [name for name in part if fold(name) not in large]
        app_passwords = AppPassword.objects.filter_by_domains(counted)
        contents = [*get_contents(counted), app_passwords] if counted else []
        return [*contents, *get_others(part)]

    counts: Counter[str] = Counter()
    for model, name in TALLIES:
        label = str(capfirst(model._meta.verbose_name_plural))
        counts[label] = sum(getattr(state, name) for state in tallies)
    counts.update(dict(count_by_table(get_querysets, domains)))
    return [(label, count) for label, count in counts.items() if count]
