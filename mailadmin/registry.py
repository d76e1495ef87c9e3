"""The parts that each app adds to the panel: tables, menu entries, job steps, log actions, ….

Each app's `AppConfig.ready()` registers its own. The platform asks the registry and knows no app.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.models import Model

    from mailadmin.changes.derived_rows import DerivedRows
    from mailadmin.changes.models import Change
    from mailadmin.changes.records import ChangeRecord
    from mailadmin.hooks.events import HookedTable
    from mailadmin.jobs.models import Job
    from mailadmin.mails.mail_kinds import MailKind
    from mailadmin.menu import MenuEntry
    from mailadmin.tables.actions import Text
    from mailadmin.tables.table import Table

# (service, its arguments, rows done by it); None: the job has no further step.
JobStep = tuple[Callable[..., Any], tuple[Any, ...], int]

tables: dict[str, Table] = {}
menu_entries: list[MenuEntry] = []
job_steps: dict[str, Callable[[Job], JobStep | None]] = {}
held_job_limits: dict[str, int] = {}
housekeeping_tasks: list[Callable[[], None]] = []
housekeeping_intervals: dict[Callable[[], None], float] = {}  # of tasks that run less often
worker_tasks: list[Callable[[], bool]] = []
completed_options: dict[str, type[Model]] = {}
action_labels: dict[str, Text] = {}
action_tables: dict[str, set[str]] = {}
superadmin_actions: set[str] = set()
change_titles: dict[str, Callable[[Change], Text]] = {}
filter_tabs: dict[str, str] = {}
derived_rows: dict[type[Model], DerivedRows] = {}
second_factor_exceptions: list[Callable[[Any, str], bool]] = []
mail_kinds: dict[str, MailKind] = {}
hooked_tables: dict[str, HookedTable] = {}
change_listeners: list[Callable[[Sequence[ChangeRecord]], None]] = []


def register_table(table: Table) -> None:
    """Give a table its pages, API resource, menu entry and search."""
    tables[table.slug] = table


def register_menu_entries(*entries: MenuEntry) -> None:
    """Add pages to the menu besides the lists of tables."""
    menu_entries.extend(entries)


def register_job_step(
    kind: str, get_next_step: Callable[[Job], JobStep | None], max_held: int | None = None
) -> None:
    """Name the function that returns the next step of a job of this kind.

    Between its steps a job that keeps something in memory stays with its worker; `max_held` says
    how many of them a worker holds. All others may change workers after each step.
    """
    job_steps[kind] = get_next_step
    if max_held is not None:
        held_job_limits[kind] = max_held


def register_mail_kinds(*kinds: MailKind) -> None:
    """Name the kinds of mail that an app queues, with their texts."""
    mail_kinds.update({kind.name: kind for kind in kinds})


def register_hooked_tables(*tables: HookedTable) -> None:
    """Have scripts and webhooks hear of the changes of these tables."""
    hooked_tables.update({str(each.model._meta.model_name): each for each in tables})


def register_change_listener(listener: Callable[[Sequence[ChangeRecord]], None]) -> None:
    """Name a function that is called with the change records of each transaction, within it."""
    change_listeners.append(listener)


def register_housekeeping(task: Callable[[], None], interval: float = 0) -> None:
    """Add a task that the worker runs every few minutes, or at most once in `interval` seconds."""
    housekeeping_tasks.append(task)
    if interval:
        housekeeping_intervals[task] = interval


def register_worker_task(task: Callable[[], bool]) -> None:
    """Add a task that the worker runs between jobs; it returns whether there was work."""
    worker_tasks.append(task)


def register_log_actions(
    labels: Mapping[str, Text],
    tables: Mapping[str, set[str]] | None = None,
    superadmin_only: Iterable[str] = (),
) -> None:
    """Give the actions of log lines their labels, in the order of the log page's filter.

    `tables` has, by the noun of an action, the tables whose changes such a line is about.
    `superadmin_only` are the actions whose lines only superadmins can see.
    """
    action_labels.update(labels)
    action_tables.update(tables or {})
    superadmin_actions.update(superadmin_only)


def register_change_titles(titles: Mapping[str, Callable[[Change], Text]]) -> None:
    """Give the changes of a table their titles, by its model name, for the pages of single rows.

    A function returns the title of a change, or an empty text to leave it out of the page: of two
    changes that say the same, one is shown.
    """
    change_titles.update(titles)


def register_filter_tabs(name: str, template: str) -> None:
    """Give the log, while it is filtered by this, the tabs of the page that it then belongs to.

    The context of the template is the filter's value under its name, and `tab`, a table's slug.
    """
    filter_tabs[name] = template


def register_derived_rows(model: type[Model], derived: DerivedRows) -> None:
    """Have every service that writes rows of this model keep the rows derived from them.

    A derived row that points to its own by a key is deleted with it, as any other.
    """
    derived_rows[model] = derived


def register_second_factor_exception(is_excepted: Callable[[Any, str], bool]) -> None:
    """Name a function that says whether a person needs no second factor at an IP address."""
    second_factor_exceptions.append(is_excepted)


def register_completed_options(model: type[Model], *names: str) -> None:
    """Have shells complete command line options of these names by the keys of a model's rows."""
    completed_options.update(dict.fromkeys(names, model))


def menu() -> list[Table]:
    """Return all tables in the order of the menu."""
    return sorted(tables.values(), key=lambda table: table.menu_position)
