"""The tables of domains and alias domains, with what they hold."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet, prefetch_related_objects

from domains.models import Domain
from domains.services.domains import set_domains
from domains.services.text_references import get_text_references
from domains.tables import BaseAliasDomainTable, BaseDomainTable
from mailadmin.accounts.models import Role
from mailadmin.changes.perform import Actor, SeenVersion, perform
from mailadmin.jobs.models import Job
from mailadmin.tables.actions import DELETE, Action, Services
from mailadmin.tables.cascade import ReferenceGroup
from mailadmin.tables.custom_columns import with_custom_columns
from mailadmin.translation import gettext
from mailboxes import deletion_references
from mailboxes.deletion_counts import count_with_contents
from mailboxes.domain_forms import DomainForm
from mailboxes.services.contents import CONTENT_MODELS
from mailboxes.services.default_aliases import find_missing_targets
from mailboxes.services.domain_deletion import (
    is_large_deletion,
    start_domain_deletion,
    start_selected_deletion,
)
from mailboxes.services.domain_warnings import (
    iter_alias_domain_warnings,
    iter_limit_warnings,
)
from mailboxes.services.domains import (
    create_domains,
    delete_domains,
    edit_domain,
    get_indirect_dependents,
)
from mailboxes.services.known_counts import get_known_count
from mailboxes.services.mail_logins import needs_app_passwords

MAX_CHECKED_DOMAINS = 10  # domains whose default aliases are looked at when they are saved


@with_custom_columns
class DomainTable(BaseDomainTable):
    form_class = DomainForm
    not_searched_text = deletion_references.NOT_SEARCHED_TEXT
    services = Services(
        create=create_domains, edit=edit_domain, set=set_domains, delete=delete_domains
    )

    export_roles = BaseDomainTable.export_roles | {"app_passwords_only": Role.ADMINS}
    computed_values = {
        **BaseDomainTable.computed_values,
        "app_passwords_only": needs_app_passwords,
    }

    def prefetch_values(self, rows: Iterable[Any], principal: Any) -> list[Any]:
        rows = super().prefetch_values(rows, principal)
        prefetch_related_objects(rows, "mail_login")
        return rows

    def count(self, principal: Any, filters: Mapping[str, str]) -> int | None:
        return get_known_count("domains", principal, filters)

    def cascade_querysets(self, keys: Sequence[str]) -> list[QuerySet]:
        """Return all but the mailboxes and aliases, which may be very many."""
        others = (q for q in super().cascade_querysets(keys) if q.model not in CONTENT_MODELS)
        return [*others, *get_indirect_dependents(keys), *get_text_references(keys)]

    def cascade_counts(self, keys: Sequence[str]) -> list[tuple[str, int]]:
        return count_with_contents(self.cascade_querysets, keys)

    def inbound_references(self, keys: Sequence[str], principal: Any) -> list[ReferenceGroup]:
        return deletion_references.find_domain_references(principal, keys)

    def warnings(self, principal: Any, rows: Sequence[Any]) -> dict[str, list[str]]:
        """Return the warnings about a few domains, as they are saved."""
        if len(rows) > MAX_CHECKED_DOMAINS:
            return {}
        found = {row.pk: [*iter_missing_targets(row), *iter_limit_warnings(row)] for row in rows}
        return {key: texts for key, texts in found.items() if texts}

    def run_action(
        self,
        actor: Actor,
        action: Action,
        keys: Sequence[str],
        seen: SeenVersion | None = None,
        entered: Mapping[str, Any] | None = None,
    ) -> Job | None:
        """Disable a large domain at once and have the worker delete it."""
        if action is DELETE and is_large_deletion(keys):
            return perform(actor, start_domain_deletion, keys, seen=seen)
        return super().run_action(actor, action, keys, seen, entered)

    def run_selection_action(
        self,
        actor: Actor,
        action: Action,
        selection: Job,
        entered: Mapping[str, Any] | None = None,
    ) -> Job:
        """Disable many domains at once and have the worker delete them, whatever their size."""
        if action is DELETE:
            return perform(actor, start_selected_deletion, selection)
        return super().run_selection_action(actor, action, selection, entered)


def iter_missing_targets(domain: Domain) -> Iterator[str]:
    """Yield a warning about each address that the default aliases name and that does not exist."""
    text = gettext("The standard aliases point to %(target)s, which does not exist.")
    yield from (text % {"target": each} for each in find_missing_targets(domain))


class AliasDomainTable(BaseAliasDomainTable):
    def warnings(self, principal: Any, rows: Sequence[Any]) -> dict[str, list[str]]:
        """Return which mail stays in a few alias domains, as they are saved."""
        active = [row for row in rows if row.active][:MAX_CHECKED_DOMAINS]
        found = {row.pk: list(iter_alias_domain_warnings(principal, row)) for row in active}
        return {key: texts for key, texts in found.items() if texts}
