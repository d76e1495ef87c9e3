"""What may stand next on a command line: commands, verbs, options, choices, and keys of rows."""

import argparse

from django.core.management import get_commands, load_command_class

from mailadmin import registry
from mailadmin.tables.cli import TableCommand

OURS = ("mailadmin", "domains", "mailboxes")
DJANGOS = ("check", "createsuperuser", "migrate")
HIDDEN = ("complete",)
KEYS = 50  # of rows; more than a terminal wants to show

SHELLS = {
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


def completions(words):
    """What the last of the words may become."""
    *before, typed = words or [""]
    found = names_after(before, typed)
    return sorted({name for name in found if name.startswith(typed)})


def names_after(before, typed):
    if not before:
        return commands()
    if before[0] not in commands():
        return []
    command = load_command_class(get_commands()[before[0]], before[0])
    parser, rest = parser_of(command.create_parser("mailadmin", before[0]), before[1:])
    if option := waiting_option(parser, rest):
        return values_of(option, typed)
    if typed.startswith("-"):
        return [text for text in parser._option_string_actions if text.startswith("--")]
    return positional(command, parser, rest, typed)


def commands():
    own = [name for name, app in get_commands().items() if app in OURS and name not in HIDDEN]
    return [*own, *DJANGOS]


def parser_of(parser, words):
    """The parser of the verb, if one was said, and the words behind it."""
    verbs = verbs_of(parser)
    if words and words[0] in verbs:
        return verbs[words[0]], words[1:]
    return parser, words


def verbs_of(parser):
    subparsers = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return subparsers[0].choices if subparsers else {}


def waiting_option(parser, words):
    """The option whose value comes next."""
    action = parser._option_string_actions.get(words[-1]) if words else None
    return action if action is not None and action.nargs != 0 else None


def values_of(option, typed):
    if option.choices:
        return [str(choice) for choice in option.choices]
    model = registry.completed_options.get(option.dest)
    return keys_of(model, typed) if model else []


def positional(command, parser, words, typed):
    if verbs := verbs_of(parser):
        return list(verbs)
    takes_key = any(action.dest == "key" for action in parser._actions)
    is_new = parser.prog.endswith(" add")
    if isinstance(command, TableCommand) and takes_key and not is_new and not words:
        return keys_of(command.table.model, typed)
    return []


def keys_of(model, typed):
    rows = model._default_manager.filter(pk__startswith=typed.lower()).order_by("pk")
    return [str(key) for key in rows.values_list("pk", flat=True)[:KEYS]]
