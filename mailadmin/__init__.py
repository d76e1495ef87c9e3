"""A web panel for mail servers that keep their domains and mailboxes in PostfixAdmin's tables."""

import atexit
import gc
import os
import sys

__version__ = "0.1.0"

# They run without Django and settings: the first is one process for each mail, and Django's import
# takes ten times as long; the second makes the settings.
STANDALONE_COMMANDS = {
    "autoreply": "mailboxes.mailserver.autoresponder",
    "settings-from-postfixadmin": "mailboxes.postfixadmin.settings_command",
}

# Loading the panel allocates 100,000 objects and frees few: by default Python searches 138 times.
GC_THRESHOLD = (200_000, 20, 50)


def main() -> None:
    """Run a management command: `manage.py` and the console script `mailadmin`."""
    reduce_garbage_collection()
    if module := STANDALONE_COMMANDS.get(next(iter(sys.argv[1:]), "")):
        from importlib import import_module

        sys.exit(import_module(module).main(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailadmin.settings")
    from django.core.management import execute_from_command_line, get_commands

    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except SystemExit:  # Django exits with 1 for an unknown command
        name = next(iter(sys.argv[1:]), "-")
        if not name.startswith("-") and name not in (*get_commands(), "help", "version"):
            sys.exit(2)
        raise
    except UnicodeEncodeError:  # of a value for the database; a file may have any name
        wrong = [argument for argument in sys.argv if not is_utf8(argument)]
        if not wrong:
            raise
        sys.stderr.write(f"CommandError: this argument is not valid UTF-8: {ascii(wrong[0])}\n")
        sys.exit(2)
    except BrokenPipeError:  # the reader closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def is_utf8(argument: str) -> bool:
    """Return whether an argument was valid UTF-8: Python holds other bytes as surrogates."""
    return not any("\udc80" <= letter <= "\udcff" for letter in argument)


def run_postfixadmin_cli() -> None:
    """Run `mailadmin postfixadmin-cli`: the console script `postfixadmin-cli`."""
    sys.argv.insert(1, "postfixadmin-cli")
    main()


def reduce_garbage_collection() -> None:
    """Collect garbage less often, and do not look for it once more when the process ends."""
    gc.set_threshold(*GC_THRESHOLD)
    atexit.register(gc.freeze)
