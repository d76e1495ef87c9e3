"""The help of `postfixadmin-cli`: of the command, of a module, of a task."""

from collections.abc import Iterable

from mailboxes.postfixadmin.cli_modules import Module
from mailboxes.postfixadmin.cli_words import get_fields

TASK_VERBS = {"add": "Adds", "update": "Changes", "delete": "Deletes", "view": "View"}
COMMAND_HELP = """
{welcome}
{line}
Usage:
    postfixadmin-cli <module> <task> [--option value --option2 value]

Available modules:
{modules}

Most modules support the following tasks:
    view      View an item
    add       Add an item
    update    Update an item
    delete    Delete an item
    scheme    Print the table as SQL (useful for developers only)
    help      Print help output


For module-specific help, see:

    postfixadmin-cli <module> help
        print a detailed list of available commands

    postfixadmin-cli <module> <task> help
        print a list of available options.
"""
MODULE_HELP = """Usage:

    postfixadmin-cli {module} <task> [<address>] [--option value]

	<task>
		Available values:

		view:                View an existing {module}.
		add:                 Add a {module}.
		update:              Update a {module}.
		delete:              Delete a {module}

	[<address>]
		The address, or name, of the {module}.
"""
TASK_HELP = """Usage:

    postfixadmin-cli {module} {task}

        {verb} {module} in interactive mode.

- or -

    postfixadmin-cli {module} {task} <address>{options}

        {verb} {module} {address}in non-interactive mode.
"""
SCHEME_HELP = """Usage:

    postfixadmin-cli {module} scheme

        Print the table of the {module} as SQL.
"""


def format_command_help(modules: Iterable[str], welcome: str, line: str) -> str:
    names = "\n".join(f"    {name}" for name in modules)
    return COMMAND_HELP.format(modules=names, welcome=welcome, line=line)


def format_task_help(module: Module, task: str) -> str:
    if task == "scheme":
        return SCHEME_HELP.format(module=module.name)
    has_options = task in ("add", "update")
    usage = TASK_HELP.format(
        module=module.name,
        task=task,
        verb=TASK_VERBS[task],
        options=" --option value --option2 value [...]" if has_options else "",
        address="" if has_options else "<address> ",
    )
    return usage + (format_options(module, task == "add") if has_options else "")


def format_options(module: Module, is_new: bool) -> str:
    lines = ["", "        Available options are:", ""]
    for name, field in get_fields(module, is_new).items():
        lines += [f"        --{name.replace('_', '-')}", f"            {field.label or name}"]
        if field.help_text:
            lines.append(f"            {field.help_text}")
        lines.append("")
    return "\n".join(lines)
