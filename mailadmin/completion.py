"""Complete a command line: commands, verbs, options, choices, and keys of rows."""

import argparse
from argparse import Action, ArgumentParser
from collections.abc import Iterable, Mapping, Sequence

from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from django.db import models

from mailadmin import registry
from mailadmin.tables.cli import TableCommand

OWN_APPS = ("mailadmin", "domains", "mailboxes")
DJANGO_COMMANDS = ("check", "createsuperuser", "migrate")
HIDDEN_COMMANDS = ("complete",)
MAX_KEYS = 50  # more do not fit a terminal

SHELL_SCRIPTS = {
    # bash splits words at "@" and ":" too: the part before them must not be repeated.
    "bash": r"""_mailadmin() {
    local line="${COMP_LINE:0:COMP_POINT}" IFS=$' \t\n' words found
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    local typed="${words[-1]}"
    mapfile -t found < <(mailadmin complete -- "${words[@]:1}" 2>/dev/null)
    found=("${found[@]#"${typed%"${typed##*[@:=]}"}"}")
    ((${#found[@]})) && mapfile -t COMPREPLY < <(printf '%q\n' "${found[@]}")
}
complete -o default -F _mailadmin mailadmin
""",
    "zsh": """#compdef mailadmin
_mailadmin() {
    local -a found
    found=("${(@f)$(mailadmin complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    compadd -- ${found:#}
}
compdef _mailadmin mailadmin
""",
    "fish": """complete -c mailadmin -f -a '(mailadmin complete -- \
(commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
""",
}


def find_completions(arguments: Sequence[str]) -> list[str]:
    """Return what the last argument may be completed to."""
    *arguments_before, prefix = arguments or [""]
    candidates = find_candidates(arguments_before, prefix)
    return sorted({name for name in candidates if name.startswith(prefix)})


def find_candidates(arguments: Sequence[str], prefix: str) -> Iterable[str]:
    """Return what may follow these arguments."""
    if not arguments:
        return list_commands()
    if arguments[0] not in list_commands():
        return []
    command = load_command_class(get_commands()[arguments[0]], arguments[0])
    parser, rest = find_parser(command.create_parser("mailadmin", arguments[0]), arguments[1:])
    if option := find_pending_option(parser, rest):
        return complete_option_value(option, prefix)
    if prefix.startswith("-"):
        return [text for text in parser._option_string_actions if text.startswith("--")]
    return complete_positional(command, parser, rest, prefix)


def list_commands() -> list[str]:
    commands = [
        name
        for name, app in get_commands().items()
        if app in OWN_APPS and name not in HIDDEN_COMMANDS
    ]
    return [*commands, *DJANGO_COMMANDS]


def find_parser(
    parser: ArgumentParser, arguments: Sequence[str]
) -> tuple[ArgumentParser, Sequence[str]]:
    """Return the parser of the verb, if one was given, and the arguments after it."""
    verbs = get_subparsers(parser)
    if arguments and arguments[0] in verbs:
        return verbs[arguments[0]], arguments[1:]
    return parser, arguments


def get_subparsers(parser: ArgumentParser) -> Mapping[str, ArgumentParser]:
    subparsers = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return subparsers[0].choices if subparsers else {}


def find_pending_option(parser: ArgumentParser, arguments: Sequence[str]) -> Action | None:
    """Return the option whose value comes next."""
    action = parser._option_string_actions.get(arguments[-1]) if arguments else None
    return action if action is not None and action.nargs != 0 else None


def complete_option_value(option: Action, prefix: str) -> list[str]:
    if option.choices:
        return [str(choice) for choice in option.choices]
    model = registry.completed_options.get(option.dest)
    return complete_keys(model, prefix) if model else []


def complete_positional(
    command: BaseCommand, parser: ArgumentParser, arguments: Sequence[str], prefix: str
) -> list[str]:
    if verbs := get_subparsers(parser):
        return list(verbs)
    takes_key = any(action.dest == "key" for action in parser._actions)
    is_new = parser.prog.endswith(" add")
    if isinstance(command, TableCommand) and takes_key and not is_new and not arguments:
        return complete_keys(command.table.model, prefix)
    return []


def complete_keys(model: type[models.Model], prefix: str) -> list[str]:
    rows = model._default_manager.filter(pk__startswith=prefix.lower()).order_by("pk")
    return [str(key) for key in rows.values_list("pk", flat=True)[:MAX_KEYS]]
