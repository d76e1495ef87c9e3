"""What may stand next on a command line: commands, verbs, options, choices, and keys of rows."""

import argparse

from django.core.management import get_commands, load_command_class
from django.core.management.base import CommandParser
from django.db import models

from mailadmin import registry
from mailadmin.tables.cli import TableCommand

OWN_APPS = ("mailadmin", "domains", "mailboxes")
DJANGO_COMMANDS = ("check", "createsuperuser", "migrate")
HIDDEN_COMMANDS = ("complete",)
MAX_KEYS = 50  # of rows; more than a terminal wants to show

SHELL_SCRIPTS = {
    # bash splits words at "@" and ":" as well: what it leaves standing must not come again.
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


def find_completions(words):
    """What the last of the words may become."""
    *before, typed = words or [""]
    found = find_candidates(before, typed)
    return sorted({name for name in found if name.startswith(typed)})


def find_candidates(before, typed: str):
    if not before:
        return list_commands()
    if before[0] not in list_commands():
        return []
    command = load_command_class(get_commands()[before[0]], before[0])
    parser, rest = find_parser(command.create_parser("mailadmin", before[0]), before[1:])
    if option := find_pending_option(parser, rest):
        return complete_option_value(option, typed)
    if typed.startswith("-"):
        return [text for text in parser._option_string_actions if text.startswith("--")]
    return complete_positional(command, parser, rest, typed)


def list_commands():
    own = [
        name
        for name, app in get_commands().items()
        if app in OWN_APPS and name not in HIDDEN_COMMANDS
    ]
    return [*own, *DJANGO_COMMANDS]


def find_parser(parser: CommandParser, words):
    """The parser of the verb, if one was said, and the words behind it."""
    verbs = get_subparsers(parser)
    if words and words[0] in verbs:
        return verbs[words[0]], words[1:]
    return parser, words


def get_subparsers(parser: CommandParser):
    subparsers = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return subparsers[0].choices if subparsers else {}


def find_pending_option(parser: CommandParser, words):
    """The option whose value comes next."""
    action = parser._option_string_actions.get(words[-1]) if words else None
    return action if action is not None and action.nargs != 0 else None


def complete_option_value(option, typed: str):
    if option.choices:
        return [str(choice) for choice in option.choices]
    model = registry.completed_options.get(option.dest)
    return complete_keys(model, typed) if model else []


def complete_positional(command, parser: CommandParser, words, typed: str):
    if verbs := get_subparsers(parser):
        return list(verbs)
    takes_key = any(action.dest == "key" for action in parser._actions)
    is_new = parser.prog.endswith(" add")
    if isinstance(command, TableCommand) and takes_key and not is_new and not words:
        return complete_keys(command.table.model, typed)
    return []


def complete_keys(model: type[models.Model], typed: str):
    rows = model._default_manager.filter(pk__startswith=typed.lower()).order_by("pk")
    return [str(key) for key in rows.values_list("pk", flat=True)[:MAX_KEYS]]
