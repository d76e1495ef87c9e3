"""Write converted settings: as an environment file, as a report for people, as JSON."""

import re
from collections.abc import Iterator
from typing import Any

from mailadmin.console import make_printable
from mailboxes.postfixadmin.outcomes import (
    DEFAULT,
    NOT_CONVERTED,
    NOT_NEEDED,
    SET,
    OptionOutcome,
)
from mailboxes.postfixadmin.settings import Report, get_setting

SAFE_RE = re.compile(r"[\w@%+=:,./?&~-]*", re.ASCII)
HEADINGS = {
    SET: "Set",
    DEFAULT: "Same as the default",
    NOT_NEEDED: "Not needed",
    NOT_CONVERTED: "Cannot be converted",
}


def iter_env_lines(report: Report) -> Iterator[str]:
    """Yield the environment file: the variables, and as comments what is left to do."""
    yield f"# Settings of mailadmin, converted from {make_printable(', '.join(report.files))}."
    yield "# This file has passwords: keep it readable for the panel's user only."
    if needs_secret_key(report):
        yield "#"
        yield "# To be added, signs sessions and links: openssl rand -hex 32"
        yield "# MAILADMIN_SECRET_KEY="
    for outcome in report.of_group(SET):
        yield f"\n# {', '.join(outcome.options)}"
        yield format_variable(outcome)
    if left := report.of_group(NOT_CONVERTED):
        yield "\n# Cannot be converted:"
        yield from (f"# {format_text(report, outcome)}" for outcome in left)


def needs_secret_key(report: Report) -> bool:
    """Return whether the database is a server: then the panel makes no key of its own."""
    return any(
        outcome.variable == "DATABASE_URL" and outcome.value.startswith("mysql")
        for outcome in report.of_group(SET)
    )


def format_variable(outcome: OptionOutcome) -> str:
    return f"MAILADMIN_{outcome.variable}={quote_value(outcome.value)}"


def quote_value(value: str) -> str:
    """Return the value as the panel, systemd and a shell read it."""
    if SAFE_RE.fullmatch(value):
        return value
    return f'"{value}"' if "'" in value and not re.search(r'["\\$`]', value) else f"'{value}'"


def format_text(report: Report, outcome: OptionOutcome) -> str:
    """Return a line: the options, where they were set, and the text."""
    text = outcome.text or f"MAILADMIN_{outcome.variable}"
    name = outcome.options[-1]
    place = report.locations.get(name)
    where = f" ({place})" if place and outcome.group == NOT_CONVERTED else ""
    return make_printable(f"{', '.join(outcome.options)}{where}: {text}")


def iter_report_lines(report: Report) -> Iterator[str]:
    """Yield what became of each option, by group; options with the same text share a line."""
    for group, heading in HEADINGS.items():
        if not (outcomes := report.of_group(group)):
            continue
        yield f"{heading}:"
        yield from (f"  {line}" for line in dict.fromkeys(iter_group_lines(report, outcomes)))
    if report.notes:
        yield "Notes:"
        yield from (f"  {make_printable(note)}" for note in report.notes)


def iter_group_lines(report: Report, outcomes: list[OptionOutcome]) -> Iterator[str]:
    if outcomes[0].group != NOT_NEEDED:
        yield from (format_text(report, outcome) for outcome in outcomes)
        return
    by_text: dict[str, list[str]] = {}
    for outcome in outcomes:
        by_text.setdefault(outcome.text, []).extend(outcome.options)
    for text, names in by_text.items():
        yield make_printable(f"{', '.join(names)}: {text}")


def build_json(report: Report) -> dict[str, Any]:
    """Return everything, the values of secrets included."""
    return {
        "settings": {
            f"MAILADMIN_{outcome.variable}": outcome.value for outcome in report.of_group(SET)
        },
        "options": [build_json_option(report, outcome) for outcome in report.outcomes],
        "notes": list(report.notes),
        "files": list(report.files),
    }


def build_json_option(report: Report, outcome: OptionOutcome) -> dict[str, Any]:
    is_secret = bool(outcome.variable) and get_setting(outcome.variable).secret
    return {
        "options": list(outcome.options),
        "group": outcome.group,
        "variable": f"MAILADMIN_{outcome.variable}" if outcome.variable else None,
        "value": outcome.value if outcome.value and not is_secret else None,
        "text": outcome.text or None,
        "places": [str(report.locations[name]) for name in outcome.options],
    }
